"""A training whose numbers are not finite goes back once, and keeps none of them."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from knoll.families.base import Batch, FamilyConfig
from knoll.trainer.acceleration import Acceleration
from knoll.trainer.checkpoints import UNSAVED
from knoll.trainer.device import computing
from knoll.trainer.divergence import Diverged, check_losses
from knoll.trainer.loop import Trained, train_networks
from knoll.trainer.ranks import ALONE
from knoll.trainer.steps import take_step
from knoll.trainer.task import Task
from knoll.trainer.training_state import TrainingState, begin_training
from trainer.ranks_script import Line, points
from trainer.test_checkpoints import Shelf

CPU = torch.device("cpu")
CONFIG = FamilyConfig.model_validate({"epochs": 6, "batchSize": 15, "learningRate": 0.01})  # 18 steps


class Ill(Line):
    """A line that is ill in these training steps, counted from 1: its loss or its gradient is not finite."""

    def __init__(self, *steps: int, gradient: bool = False) -> None:
        self.steps, self.gradient, self.taken = steps, gradient, 0

    def augment(self, batch: Batch, config: FamilyConfig) -> Batch:
        self.taken += 1
        return batch

    def losses(
        self, networks: nn.ModuleDict, batch: Batch, config: FamilyConfig
    ) -> Iterator[tuple[str, torch.Tensor]]:
        ((name, loss),) = super().losses(networks, batch, config)
        if networks.training and self.taken in self.steps:
            loss = loss + (loss * 0).sqrt() if self.gradient else loss * torch.inf
        yield name, loss


def fit(family: Any, shelf: Shelf | None = None) -> tuple[Trained, list[str]]:
    warnings: list[str] = []
    trained = train_networks(
        *(family, points(ill=False), CONFIG),
        device=CPU,
        report=lambda *_: None,
        say=lambda _: None,
        warn=warnings.append,
        keeper=shelf or UNSAVED,
    )
    return trained, warnings


def are_finite(tree: Any) -> bool:
    if isinstance(tree, dict):
        return all(map(are_finite, tree.values()))
    if isinstance(tree, list | tuple):
        return all(map(are_finite, tree))
    return not isinstance(tree, torch.Tensor) or bool(torch.isfinite(tree).all())


@pytest.mark.parametrize("gradient", [False, True], ids=["loss", "gradient"])
def test_a_training_goes_back_once_to_its_last_good_state_with_half_the_rate(gradient: bool) -> None:
    """It keeps a state after each step, and none that is not finite. People are told, also in the card."""
    shelf = Shelf(each=True)
    trained, warnings = fit(Ill(9, gradient=gradient), shelf)
    assert [step for step, _ in shelf.files] == [*range(1, 19)]
    assert all(are_finite(saved.tree) for saved in shelf.saved())
    assert are_finite(dict(trained.networks.state_dict()))
    (told,) = warnings
    assert "by step 9; it went back to step 8, and on with half the learning rate" in told
    assert told in trained.notes
    rates = {point.step: point.rates["line"] for point in trained.curves.points}
    assert [rates[6], rates[18]] == [0.01, 0.005]


def test_a_training_that_has_kept_nothing_begins_anew_with_half_the_rate() -> None:
    """What it then learns is what a training with that rate learns."""
    trained, _ = fit(Ill(2))
    half: Any = type("Half", (Line,), {"rate": lambda *_: 0.5})()
    expected, _ = fit(half)
    mine, theirs = trained.networks.state_dict(), expected.networks.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_training_that_diverges_again_ends_and_says_what_may_help(is_killed: bool) -> None:
    """Also if the process was killed between: that it has gone back is kept at once. Step, curve and advice
    are values."""
    shelf = Shelf()
    if is_killed:
        with pytest.raises(ZeroDivisionError):
            fit(_Killed(9), shelf)
    with pytest.raises(Diverged, match="after it had gone back from step 9 with half") as caught:
        fit(Ill(4) if is_killed else Ill(9, 17), shelf)
    ill = 5 if is_killed else 8
    assert ill <= caught.value.by_step <= ill + 1  # at the end of the epoch at the latest
    assert "set learningRate below 0.005" in caught.value.fix
    assert caught.value.curve[0].train.keys() == {"line"}
    assert caught.value.curve[-1].step <= caught.value.by_step


class _Killed(Ill):
    """It is killed in the third step after it has gone back."""

    def augment(self, batch: Batch, config: FamilyConfig) -> Batch:
        if self.taken == self.steps[0] + 2:
            raise ZeroDivisionError
        return super().augment(batch, config)


def test_with_scaled_gradients_a_step_that_is_not_finite_is_skipped() -> None:
    """As fp16 needs it. The next steps learn, with a smaller scale, and no loss that was skipped counts. If
    no scale helps, the training has diverged."""
    family: Any = Ill(2)
    task = Task(family, points(ill=False), CONFIG, CPU, ALONE, how=Acceleration("fp16"))
    now = begin_training(task, UNSAVED)
    weights = []
    with computing(CPU, task.how):
        for _ in range(3):
            take_step(task, now, now.networks, *next(task.shares([torch.arange(15)])))
            weights.append({name: one.clone() for name, one in now.networks.state_dict().items()})
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not any(torch.equal(weights[1][name], weights[2][name]) for name in weights[0])
    check_losses(now)
    family.steps = range(4, 40)
    with pytest.raises(Diverged, match="no gradient is finite any more"):
        _take_ill_steps(task, now)


def _take_ill_steps(task: Task, now: TrainingState) -> None:
    for _ in range(30):
        take_step(task, now, now.networks, *next(task.shares([torch.arange(15)])))
        check_losses(now)
