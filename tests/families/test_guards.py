"""What is spoilt is never published: the run is rejected, with words and numbers."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from families.spoilt import CONFIG, Collapsed, Diverging
from families.test_dcgan import photographs
from families.toy import ColumnMean, ColumnMeanConfig
from families.trainings import Trained
from knoll.families.base import Batch
from knoll.records.manifest import versions_uri
from knoll.records.progress import find_progress
from knoll.views.run import read_run

SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.stress) for seed in range(1, 50))]


class Exploding(ColumnMean):
    """Its loss is not finite where its mean is 0.1 or more."""

    name = "exploding"

    def losses(
        self, networks: nn.ModuleDict, batch: Batch, config: ColumnMeanConfig
    ) -> Iterator[tuple[str, torch.Tensor]]:
        for name, loss in super().losses(networks, batch, config):
            mean = next(networks.parameters()).detach()
            yield name, loss / (mean < 0.1).float().squeeze()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_generator_that_draws_one_picture_is_never_published(trained: Trained, seed: int) -> None:
    """Even if that began in the last step."""
    training = trained(Collapsed, {**CONFIG, "seed": seed}, photographs(8))
    assert training.outcome.state == "rejected"
    assert "nearly the same picture each time (mode collapse): diversity is " in training.outcome.reason
    assert "and should be at least 0.0" in training.outcome.reason
    assert not list(training.platform.store.list(versions_uri(training.platform.bucket.root, "toy")))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_generator_that_diverges_is_never_published(trained: Trained, seed: int) -> None:
    training = trained(Diverging, {**CONFIG, "seed": seed}, photographs(8))
    assert training.outcome.state == "rejected"
    assert training.outcome.reason.startswith("training diverged: ")
    assert (training.outcome.diverged_step > 0, training.outcome.seed) == (True, seed)
    assert not list(training.platform.store.list(versions_uri(training.platform.bucket.root, "toy")))


def test_a_training_that_diverges_twice_ends_as_diverged(trained: Trained) -> None:
    """The outcome has the step, the losses before, and what may help. People read all of it in the view of
    the run, and its progress says that it went back."""
    rows = "".join(["day,rain\n", *(f"{day},3\n" for day in range(40))])
    config = {"column": "rain", "batchSize": 8, "learningRate": 0.01, "epochs": 20}
    training = trained(Exploding, config, {"days.csv": rows.encode()})
    outcome, platform = training.outcome, training.platform
    assert outcome.state == "rejected"
    assert outcome.diverged_step > 0
    assert outcome.curve[0].train["subtract"] > 0
    view = read_run(platform, outcome.run)
    assert (view.state, view.is_over) == ("Diverged", True)
    assert "the subtract loss is" in view.reason
    assert "set learningRate below 0.005, or look for extreme values" in view.reason
    progress = find_progress(outcome.run, platform.bucket)
    assert progress is not None
    (warning,) = progress.warnings
    assert "on with half the learning rate" in warning
