"""The processes that train one model together: who this one is, its share of a batch, and the mean of all
gradients.

The networks are not wrapped in DistributedDataParallel: it expects one forward and one backward a step, and a
family may yield several losses with several optimisers, where a network takes part in the loss of another.
Averaging the gradients of the one optimiser that is about to step needs no such rule.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from knoll.errors import Rejected, Unavailable
from knoll.trainer.launch import die_with_parent

__all__ = ["ALONE", "Ranks", "joined"]

_PATIENCE = timedelta(minutes=10)  # for the slowest process, in one exchange
_LOOK = timedelta(seconds=1)
_ENDED = "ended"
_LEAST = 2  # examples of a batch in each process: batch norm cannot take one


@dataclass(frozen=True)
class Ranks:
    """One of `world` processes, the number `rank` of all and `local` of its node. `board` is what they tell
    each other without a tensor."""

    rank: int = 0
    world: int = 1
    local: int = 0
    board: Store | None = None

    @property
    def is_first(self) -> bool:
        """Whether this process alone scores, exports, publishes and reports."""
        return self.rank == 0

    def own(self, device: torch.device) -> torch.device:
        """The device of this process: of several GPUs one each, which its exchanges use as well."""
        if self.world == 1 or device.type != "cuda":
            return device
        torch.cuda.set_device(self.local)
        return torch.device("cuda", self.local)

    def check(self, smallest: int) -> None:
        """Raise Rejected when a batch of `smallest` examples is too small to be shared."""
        if self.world > 1 and smallest < _LEAST * self.world:
            raise Rejected(
                f"a batch of {smallest} examples is too small for {self.world} processes, which need "
                f"{_LEAST} each",
                fix="raise spec.training.config.batchSize, or lower spec.training.nodes or processesPerNode",
            )

    def share(self, rows: torch.Tensor) -> torch.Tensor:
        """The rows of a batch that are this process's: all of them are somebody's, and nobody has two more
        than another."""
        return rows[self.rank :: self.world]

    def begin(self, networks: nn.Module, seed: int) -> None:
        """Make the weights those of the first process, and random numbers different: noise and latent vectors
        are drawn for each share."""
        if self.world > 1:
            for value in networks.state_dict().values():
                dist.broadcast(value, 0)
        if self.rank:
            torch.manual_seed((seed + self.rank) % 2**63)

    def average(self, optimizer: torch.optim.Optimizer, loss: torch.Tensor, weight: float) -> torch.Tensor:
        """Make gradients those of the mean loss over the whole batch, and return that loss; `weight` is this
        process's part of the batch.

        A number that is not finite in one process is so in all of them after this. Raises Unavailable when
        another process is gone.
        """
        mean = loss.detach().clone()
        if self.world > 1:
            parameters = [one for group in optimizer.param_groups for one in group["params"]]
            _sum([*(one.grad for one in parameters if one.grad is not None), mean], weight)
        return mean

    def agree(self, networks: nn.Module) -> None:
        """Make the running statistics of batch norm, which each process took of its shares, their mean."""
        if self.world > 1:
            _sum([value for value in networks.buffers() if value.is_floating_point()], 1 / self.world)

    def tell_end(self, code: int) -> None:
        """Tell the others that the first has ended, and how."""
        if self.board is not None:
            self.board.set(_ENDED, str(code))

    def wait_for_end(self, seconds: float) -> int:
        """The exit code of the first process, once it has ended. Raises Unavailable after so many seconds, or
        when it is gone."""
        assert self.board is not None
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                self.board.wait([_ENDED], _LOOK)  # in short turns, for a signal is heard only between them
            except dist.DistNetworkError as error:
                raise Unavailable(f"the first process is gone: {error}") from error
            except dist.DistStoreError:
                continue
            return int(self.board.get(_ENDED))
        raise Unavailable(f"the first process has not ended within {seconds:.0f} s")


ALONE = Ranks()


@contextmanager
def joined(device: torch.device) -> Iterator[Ranks]:
    """This process among those that torchrun has started; alone when it was not torchrun."""
    if not dist.is_torchelastic_launched():
        yield ALONE
        return
    die_with_parent()
    store, rank, world = next(rendezvous("env://", timeout=_PATIENCE))
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=_PATIENCE)
    yield Ranks(rank, world, dist.get_node_local_rank(), PrefixStore("knoll", store))
    dist.destroy_process_group()  # not after an error, when it would wait for those that are gone


def _sum(tensors: Sequence[torch.Tensor], weight: float) -> None:
    """Replace each tensor by the weighted sum over all processes: one exchange for each dtype."""
    for dtype in dict.fromkeys(one.dtype for one in tensors):
        same = [one for one in tensors if one.dtype == dtype]
        flat = torch.cat([one.reshape(-1) for one in same]).mul_(weight)
        try:
            dist.all_reduce(flat)
        except RuntimeError as error:
            raise Unavailable(f"another process of the training is gone: {error}") from error
        for one, part in zip(same, torch.split(flat, [one.numel() for one in same]), strict=True):
            one.copy_(part.view_as(one))
