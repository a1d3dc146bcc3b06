"""The end of a training: patience, and the weights with the least held-out loss."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from knoll.errors import Rejected
from knoll.families.base import Batch, FamilyConfig, Sign
from knoll.trainer.best import LAST, End
from knoll.trainer.checkpoints import UNSAVED
from knoll.trainer.loop import Trained, train_networks
from knoll.trainer.stopping import Terminated
from trainer.ranks_script import Line, points
from trainer.test_checkpoints import Shelf

CONFIG = FamilyConfig.model_validate({"epochs": 12, "batchSize": 15})  # 3 steps each
SAD = Sign("weights", 1.0, "the best weights are sad", most=0.0, is_served=True)


class Worsening(Line):
    """From the fifth epoch on it climbs."""

    def __init__(self, *, is_sad: bool = False) -> None:
        self.is_sad, self.looks = is_sad, 0

    def rate(self, done: float, config: FamilyConfig) -> float:
        return 1.0 if done * CONFIG.epochs < 4 else -1.0

    def signs(self, *_: object) -> tuple[Sign, ...]:
        self.looks += 1
        return (SAD,) if self.is_sad and self.looks > CONFIG.epochs else ()


class Pair(Line):
    """It has two losses."""

    def optimizers(self, networks: nn.ModuleDict, config: FamilyConfig) -> dict[str, torch.optim.Optimizer]:
        (one,) = super().optimizers(networks, config).values()
        return {"line": one, "again": torch.optim.SGD(networks.parameters(), lr=0.01)}

    def losses(
        self, networks: nn.ModuleDict, batch: Batch, config: FamilyConfig
    ) -> Iterator[tuple[str, torch.Tensor]]:
        for name in ("line", "again"):
            ((_, loss),) = super().losses(networks, batch, config)
            yield name, loss


def fit(
    family: Any, end: End = LAST, shelf: Shelf | None = None, stop_after: int = 0
) -> tuple[Trained, list[str]]:
    lines: list[str] = []
    looks = iter(range(1, 1000))
    trained = train_networks(
        *(family, points(ill=False), CONFIG),
        device=torch.device("cpu"),
        report=lambda *_: None,
        say=lines.append,
        keeper=shelf or UNSAVED,
        end=end,
        is_asked_to_stop=lambda: bool(stop_after) and next(looks) >= stop_after,
    )
    return trained, lines


def least(trained: Trained) -> int:
    """The step with the least held-out loss."""
    return min(trained.curves.points, key=lambda point: point.held_out["line"]).step


def are_equal(one: Trained, other: Trained) -> bool:
    mine, theirs = one.networks.state_dict(), other.networks.state_dict()
    return all(torch.equal(mine[name], theirs[name]) for name in theirs)


def test_a_training_ends_when_the_held_out_loss_has_not_fallen_for_so_long() -> None:
    """It ends with the last weights, or with the best ones, which are those of a shorter training."""
    whole, _ = fit(Worsening())
    assert len(whole.curves.points) == 12
    last, lines = fit(Worsening(), End(patience=3))
    best = least(whole)
    assert best == 12
    assert last.curves.points[-1].step == best + 3 * 3
    assert lines[-1] == "stopped: the held-out loss has not fallen for 3 epochs"
    kept, _ = fit(Worsening(), End(keeps_best=True, patience=3))
    assert not are_equal(kept, last)
    assert f"the weights are those after step {best} of 21, with the least held-out loss" in kept.notes[-1]
    assert are_equal(kept, fit(Worsening(), End(keeps_best=True))[0])
    assert not are_equal(last, whole)


@pytest.mark.parametrize("stop_after", [5, 14, 21])
def test_a_training_that_was_stopped_ends_with_the_same_best_weights(stop_after: int) -> None:
    """The best weights so far are in the checkpoint: also behind them, and in the last step."""
    end = End(keeps_best=True, patience=3)
    shelf = Shelf()
    with pytest.raises(Terminated):
        fit(Worsening(), end, shelf, stop_after)
    resumed, lines = fit(Worsening(), end, shelf)
    undisturbed, all_lines = fit(Worsening(), end)
    assert are_equal(resumed, undisturbed)
    assert (resumed.losses, lines[-1]) == (undisturbed.losses, all_lines[-1])


def test_the_best_weights_are_looked_at_before_they_are_handed_on() -> None:
    """They may be ill where the last ones were not."""
    assert fit(Worsening(is_sad=True))[0].faults == ()
    (fault,) = fit(Worsening(is_sad=True), End(keeps_best=True))[0].faults
    assert fault.startswith("the best weights are sad")


@pytest.mark.parametrize("end", [End(keeps_best=True), End(patience=2)])
def test_a_family_with_several_losses_has_no_best_state(end: End) -> None:
    with pytest.raises(Rejected, match="the family has 2 losses"):
        fit(Pair(), end)
    fit(Pair())
