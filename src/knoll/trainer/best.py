"""The least held-out loss of a training so far, with its weights, and when to wait for less no longer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from knoll.errors import Rejected
from knoll.trainer.state_files import copied

__all__ = ["LAST", "Best", "End", "best_of", "lesser"]


@dataclass(frozen=True)
class End:
    """How a training ends: whether with its best weights, and after how many epochs in which the held-out
    loss has not fallen; 0 is never before the last epoch."""

    keeps_best: bool = False
    patience: int = 0

    @property
    def needs_loss(self) -> bool:
        """Whether it looks at the held-out loss."""
        return self.keeps_best or self.patience > 0

    def check(self, losses: int) -> None:
        """Raise Rejected if a family with so many losses has no least one."""
        if self.needs_loss and losses > 1:
            raise Rejected(
                f"the family has {losses} losses, and none is best when it is least; remove keep and "
                "patience from spec.training"
            )

    def is_reached(self, best: "Best | None", step: int, per_epoch: int) -> bool:
        """Whether the loss has not fallen for so long, at the end of an epoch after so many steps."""
        return bool(self.patience and best and step - best.step >= self.patience * per_epoch)


LAST = End()  # after the last epoch, with the last weights


@dataclass(frozen=True)
class Best:
    """The least held-out loss, the step after which it was measured, and the weights then, in main memory;
    they are empty if nobody asks for them."""

    step: int
    loss: float
    weights: Mapping[str, torch.Tensor]


def lesser(best: Best | None, step: int, loss: float, networks: nn.Module | None) -> Best | None:
    """The better one of `best` and the networks with that loss, which is never better if it is not a
    number."""
    if not loss < (best.loss if best else float("inf")):
        return best
    return Best(step, loss, copied(networks.state_dict()) if networks else {})


def best_of(fields: Mapping[str, Any] | None) -> Best | None:
    """The best that these fields were made of."""
    return Best(**fields) if fields else None
