"""A training goes on from the state that each release has kept, and passes over one of a newer schema."""

import random
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from torch.amp import GradScaler
from torch.optim.lr_scheduler import LambdaLR

from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.platform import memory_platform
from knoll.records.checkpoint import CHECKPOINT, checkpoint_uri, load_checkpoint
from knoll.records.curves import CurvePoint
from knoll.records.run import load_run, run_uri
from knoll.trainer.checkpoints import Checkpoints, Saved
from knoll.trainer.health import Health, Illness
from knoll.trainer.ranks import ALONE
from knoll.trainer.report import Quiet
from knoll.trainer.training_state import TrainingState
from records.kinds import GOLDEN, ROOT, golden_bucket

RUN, STEP = "flowers-0123456789abcdef0123", 420
RELEASES = sorted({path.relative_to(GOLDEN).parts[0] for path in GOLDEN.rglob(CHECKPOINT)})
WEIGHT = torch.tensor([[0.5, -0.25], [1.0, 2.0]])


class Log(Quiet):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def fresh() -> TrainingState:
    """The smallest training, before its first step."""
    networks = nn.ModuleDict({"classifier": nn.Linear(2, 2, bias=False)})
    optimizer = torch.optim.SGD(networks.parameters(), lr=0.5, momentum=0.9)
    schedule = LambdaLR(optimizer, lambda taken: 1 / (1 + taken))
    order = torch.Generator().manual_seed(5)
    parts = {"classifier": optimizer}, {"classifier": schedule}, torch.device("cpu"), GradScaler("cpu")
    return TrainingState(networks, *parts, order, order.get_state())


def states(release: str, **fields: Any) -> tuple[list[Saved], list[str]]:
    """What a run finds of the checkpoints that the release left, and what its log says. The newest one has
    these fields."""
    bucket, log = golden_bucket(release), Log()
    uri = checkpoint_uri(ROOT, RUN, STEP)
    bucket.store.put(uri, replace(load_checkpoint(bucket.store.get(uri)), **fields).encode())
    run = load_run(bucket.store.get(run_uri(ROOT, RUN)))
    platform = memory_platform(MemoryClock(), store=bucket.store)
    return list(Checkpoints(run, platform, log).saved()), log.lines


@pytest.mark.parametrize("release", RELEASES)
def test_a_training_goes_on_from_the_state_that_a_release_has_kept(release: str) -> None:
    """With the values that it had, those of the random generators included."""
    (saved,), _ = states(release)
    assert (saved.step, saved.attempt) == (STEP, 2)
    now = fresh()
    now.take_over(saved.tree, ALONE, seed=5)
    drawn = random.random()
    assert torch.equal(now.networks.state_dict()["classifier.weight"], WEIGHT)
    (momentum,) = now.optimizers["classifier"].state.values()
    assert torch.equal(momentum["momentum_buffer"], WEIGHT / 2)
    assert now.schedules["classifier"].get_last_lr() == [0.125]
    assert (now.epoch, now.done, now.step, now.resumed) == (42, 10, STEP, [200])
    losses = [now.losses["classifier"], now.sums["classifier"].item(), now.counted["classifier"].item()]
    assert losses == [0.5, 2.5, 1]
    assert (now.setback, now.health) == (
        150,
        Health({"diversity": Illness(390, 2)}, ("all pictures are alike",)),
    )
    assert now.best
    assert (now.best.step, now.best.loss) == (400, 0.75)
    assert torch.equal(now.best.weights["classifier.weight"], WEIGHT)
    assert (now.pictures, now.notes) == ({100: b"png"}, ["a note"])
    rates = {"classifier": 0.125}
    assert now.curve == [CurvePoint(400, 40, {"classifier": 0.5}, {"loss": 0.75}, {"accuracy": 1.0}, rates)]
    random.seed(5)
    assert drawn == random.random()


@pytest.mark.parametrize("release", RELEASES)
def test_the_state_of_a_newer_schema_is_passed_over(release: str) -> None:
    """The schema of checkpoint.json is that of the state beside it."""
    found, said = states(release, schema=2, needs="9.1.0")
    assert found == []
    (line,) = said
    assert line.startswith(
        f"passed over the checkpoint of step {STEP}: this checkpoint has schema 2, and knoll"
    )


def test_each_part_of_a_state_has_a_value_in_the_golden_file_of_the_newest_release() -> None:
    (saved,), _ = states(RELEASES[-1])
    assert RELEASES[-1] == max(folder.name for folder in GOLDEN.iterdir())
    assert saved.tree.keys() == fresh().tree(ALONE).keys()
    assert [
        name for name, value in saved.tree.items() if not isinstance(value, int) and len(value) == 0
    ] == []
