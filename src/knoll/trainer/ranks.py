"""The processes that train one model together: each has a rank and a share of each batch, and all average
their gradients.

DistributedDataParallel is not used, because it expects one forward and one backward pass in each step. A
family may have several losses and optimisers, and one network may take part in the loss of another. So the
gradients of one optimiser are averaged just before it steps.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from knoll.errors import Rejected, Unavailable
from knoll.names import digest
from knoll.trainer.exchange import exchange, sum_up
from knoll.trainer.generators import seed_generators
from knoll.trainer.launch import die_with_parent

__all__ = ["ALONE", "Ranks", "join_ranks"]

_TURN = timedelta(seconds=1)
_ENDED = "ended"
_LEAST = 2  # examples of a batch in each process: batch norm needs two


@dataclass(frozen=True)
class Ranks:
    """This process: number `rank` of `world`, and number `local` on its node. `board` is a store in which the
    processes share what is no tensor. If they `shard`, each keeps gradients and the state of optimisers for
    its own share of the weights alone (ZeRO stage 2: https://arxiv.org/abs/1910.02054).
    """

    rank: int = 0
    world: int = 1
    local: int = 0
    board: Store | None = None
    shard: bool = False

    @property
    def shards(self) -> int:
        """Into how many parts the state of optimisers is shared out."""
        return self.world if self.shard else 1

    @property
    def is_first(self) -> bool:
        """Whether this process scores, exports, publishes and reports. Only one does."""
        return self.rank == 0

    def own(self, device: torch.device) -> torch.device:
        """The device of this process. If a node has several GPUs, each process has its own."""
        if self.world == 1 or device.type != "cuda":
            return device
        torch.cuda.set_device(self.local)
        return torch.device("cuda", self.local)

    def check(self, smallest: int) -> None:
        """Raise Rejected if a batch of `smallest` examples is too small for all processes."""
        if self.world > 1 and smallest < _LEAST * self.world:
            raise Rejected(
                f"a batch of {smallest} examples is too small for {self.world} processes, which need "
                f"{_LEAST} each",
                fix="raise spec.training.config.batchSize, or lower spec.training.nodes or processesPerNode",
            )

    def share(self, rows: torch.Tensor) -> torch.Tensor:
        """This process's rows of a batch. Each row is in one share, and shares differ by one row at most."""
        return rows[self.rank :: self.world]

    def begin(self, networks: nn.Module, seed: int) -> None:
        """Copy the weights of the first process, and seed each process differently, because each draws the
        noise for its own share."""
        if self.world > 1:
            for value in networks.state_dict().values():
                dist.broadcast(value, 0)
        if self.rank:
            self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Begin the random generators anew, in each process in another way."""
        seed_generators(seed + self.rank)

    def average(self, optimizer: torch.optim.Optimizer, loss: torch.Tensor, weight: float) -> torch.Tensor:
        """Replace the gradients by those of the mean loss over the whole batch; returns that loss.

        `weight` is this process's part of the batch. If a number is not finite in one process, it is not
        finite in any process afterwards. Raises Unavailable if another process is gone.
        """
        mean = loss.detach().clone()
        if self.shard:
            for owner, weights in enumerate(self.owned(optimizer)):
                sum_up(_gradients(weights), weight, owner)
                for one in weights if owner != self.rank else ():
                    one.grad = None  # so the optimiser passes it over, and keeps no state for it
            sum_up([mean], weight)
        elif self.world > 1:
            sum_up([*_gradients(_learnt_by(optimizer)), mean], weight)
        return mean

    def owned(self, optimizer: torch.optim.Optimizer) -> list[list[torch.Tensor]]:
        """The weights that each process learns, if they shard: each weight goes to the process with the
        fewest numbers so far."""
        shares: list[list[torch.Tensor]] = [[] for _ in range(self.world)]
        sizes = [0] * self.world
        for one in _learnt_by(optimizer):
            owner = sizes.index(min(sizes))
            shares[owner].append(one)
            sizes[owner] += one.numel()
        return shares

    def spread(self, optimizer: torch.optim.Optimizer) -> None:
        """Give all processes the weights that each has learnt in this step. Raises Unavailable."""
        if self.shard:
            for owner, weights in enumerate(self.owned(optimizer)):
                exchange([one.detach() for one in weights], partial(dist.broadcast, src=owner))

    def own_state(self, optimizer: torch.optim.Optimizer, states: Mapping[int, Any]) -> dict[int, Any]:
        """Of the states of all weights by their numbers, those that this process keeps."""
        if not self.shard:
            return dict(states)
        own = {id(one) for one in self.owned(optimizer)[self.rank]}
        numbers = {number for number, one in enumerate(_learnt_by(optimizer)) if id(one) in own}
        return {number: state for number, state in states.items() if number in numbers}

    def whole_state(self, states: Mapping[int, Any]) -> dict[int, Any]:
        """The states of the weights of all processes by their numbers, for the first one; for the others
        nothing. If the processes do not shard, each has all."""
        if not self.shard:
            return dict(states)
        found: list[Any] | None = [None] * self.world if self.is_first else None
        try:
            dist.gather_object(states, found)
        except RuntimeError as error:
            raise Unavailable("another process of the training is gone, or hangs") from error
        return dict(sorted(pair for one in found or () for pair in one.items()))

    def agree(self, networks: nn.Module) -> None:
        """Average the running statistics of batch norm, which each process took from its own shares."""
        buffers = [value for value in networks.buffers() if value.is_floating_point()]
        for value, mean in zip(buffers, self.mean(buffers), strict=True):
            value.copy_(mean)

    def mean(self, tensors: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
        """The mean of each tensor over all processes."""
        if self.world == 1:
            return tensors
        means = [one.clone() for one in tensors]
        sum_up(means, 1 / self.world)
        return means

    def add_up(self, *numbers: float, device: torch.device) -> list[float]:
        """The sum of each number over all processes."""
        if self.world == 1:
            return [*numbers]
        total = torch.tensor(numbers, dtype=torch.float64, device=device)
        sum_up([total], 1.0)
        return [float(one) for one in total.tolist()]

    def check_same(self, what: str, value: object, device: torch.device) -> None:
        """Raise Unavailable, and say in what they differ, unless all processes have the same value."""
        mine = int(digest([repr(value)])[:10], 16)  # sums of 40 bits are exact
        if self.add_up(mine, device=device) != [mine * self.world]:
            raise Unavailable(f"the processes of the training differ: some {what}")

    def gather(self, name: str, text: str) -> list[str]:
        """The texts of all processes, in the order of their ranks, for the first one; for the others nothing.
        Each name is used once."""
        if self.board is None:
            return [text]
        self.board.set(f"{name} {self.rank}", text)
        return [
            self.board.get(f"{name} {rank}").decode() for rank in range(self.world if self.is_first else 0)
        ]

    def tell_end(self, code: int) -> None:
        """Tell the other processes the exit code of the first one."""
        if self.board is not None:
            self.board.set(_ENDED, str(code))

    def wait_for_end(self, seconds: float) -> int:
        """Wait for the exit code of the first process. Raises Unavailable after so many seconds, or if that
        process is gone."""
        assert self.board is not None
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                self.board.wait([_ENDED], _TURN)  # in short turns: Python handles signals between them
            except dist.DistNetworkError as error:
                raise Unavailable("the first process is gone") from error
            except RuntimeError:  # it has not ended yet; a store in a file has no type of its own for it
                continue
            return int(self.board.get(_ENDED))
        raise Unavailable(f"the first process has not ended within {seconds:.0f} s")


ALONE = Ranks()


@contextmanager
def join_ranks(device: torch.device, meeting: str, patience: float) -> Iterator[Ranks]:
    """Join the processes that torchrun started, at `settings.meeting`. In each exchange they wait for the
    slowest one for `patience` seconds. If torchrun did not start this one, it is alone."""
    if not dist.is_torchelastic_launched():
        yield ALONE
        return
    die_with_parent()
    if meeting.startswith("file:"):  # on one node, so the numbers are the node's
        meeting += f"&rank={dist.get_node_local_rank()}"
    timeout = timedelta(seconds=patience)
    store, rank, world = next(rendezvous(meeting, timeout=timeout))
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=timeout)
    yield Ranks(rank, world, dist.get_node_local_rank(), PrefixStore("knoll", store))
    dist.destroy_process_group()  # not after an error: it would wait for processes that are gone


def _learnt_by(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [one for group in optimizer.param_groups for one in group["params"]]


def _gradients(weights: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    return [one.grad for one in weights if one.grad is not None]
