"""Exchanges of tensors between the processes of a training."""

from collections.abc import Callable, Sequence

import torch
import torch.distributed as dist

from knoll.errors import Unavailable

__all__ = ["exchange", "sum_up"]


def sum_up(tensors: Sequence[torch.Tensor], weight: float, owner: int | None = None) -> None:
    """Replace each tensor by its weighted sum over all processes, or only in the `owner`; elsewhere nobody
    knows then what it holds."""

    def add_up(flat: torch.Tensor) -> None:
        flat.mul_(weight)
        if owner is None:
            dist.all_reduce(flat)
        else:
            dist.reduce(flat, owner)

    exchange(tensors, add_up)


def exchange(tensors: Sequence[torch.Tensor], act: Callable[[torch.Tensor], object]) -> None:
    """Let `act` change the tensors together, in one exchange for each dtype. Raises Unavailable if another
    process is gone."""
    for dtype in dict.fromkeys(one.dtype for one in tensors):
        same = [one for one in tensors if one.dtype == dtype]
        flat = torch.cat([one.reshape(-1) for one in same])
        try:
            act(flat)
        except RuntimeError as error:
            raise Unavailable("another process of the training is gone, or hangs") from error
        for one, part in zip(same, torch.split(flat, [one.numel() for one in same]), strict=True):
            one.copy_(part.view_as(one))
