"""The training loop: repeatable, honest about divergence, and steady in what it reports."""

from collections.abc import Mapping

import pytest
import torch

from knoll.families.base import Examples, Files
from knoll.families.image.declaration import ImageClassifierConfig
from knoll.families.image.family import ImageClassifier
from knoll.records.progress import StepsTaken
from knoll.trainer.card import RERUN_TOLERANCE
from knoll.trainer.loop import Trained, train_networks

FAMILY = ImageClassifier()
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def examples(digits: dict[str, bytes]) -> Examples:
    few = {key: body for key, body in digits.items() if key[0] in "01"}
    return FAMILY.examples(Files.of(few), FAMILY.configure({}))


def fit(
    examples: Examples,
    config: ImageClassifierConfig,
    reports: list[tuple[StepsTaken, int | None, Mapping[str, float]]],
) -> Trained:
    return train_networks(
        FAMILY,
        examples,
        config,
        device=CPU,
        report=lambda *report: reports.append(report),
        say=lambda _: None,
    )


def test_the_same_seed_gives_the_same_weights_to_the_last_bit(examples: Examples) -> None:
    """A run that is started again makes the same version, so its files can be compared."""
    config = FAMILY.configure({"epochs": 2, "width": 4, "seed": 5})
    first, again = (fit(examples, config, []).networks.state_dict() for _ in range(2))
    other = fit(examples, FAMILY.configure({"epochs": 2, "width": 4, "seed": 6}), []).networks.state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["classifier.head.2.weight"], other["classifier.head.2.weight"])


def test_a_rerun_with_another_number_of_threads_agrees_within_what_the_card_says(examples: Examples) -> None:
    config = FAMILY.configure({"epochs": 3, "width": 4, "seed": 5})
    scores = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        scores.append(FAMILY.score(fit(examples, config, []).networks, examples, config))
    torch.set_num_threads(1)
    one, two = scores
    assert all(abs(one[name] - two[name]) <= RERUN_TOLERANCE for name in one)
    assert one["accuracy"] > 0.9


def test_the_last_report_says_that_all_is_done(examples: Examples) -> None:
    """However short the training is, its end is reported, once, with the losses of the last epoch
    on both sides."""
    reports: list[tuple[StepsTaken, int | None, Mapping[str, float]]] = []
    trained = fit(examples, FAMILY.configure({"epochs": 2, "width": 4}), reports)
    steps, seconds_left, losses = reports[-1]
    assert (steps.step, steps.epoch, seconds_left) == (steps.of_steps, 2, 0)
    assert losses == {
        **trained.losses,
        "classifier_held_out": trained.curves.points[-1].held_out["classifier"],
    }
    taken = [report[0].step for report in reports]
    assert taken == sorted(set(taken))
    assert not trained.networks.training
