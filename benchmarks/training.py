"""What the training loop costs beside plain loops in torch, as a tutorial would write them, on the same
networks, examples and seeds.

Each measurement is a whole training. Ours and its peer take turns, and a ratio is the median of those of all
rounds. Ours keeps checkpoints, looks at the losses and reports; the peer does none of it. For the two
networks with one loss, the losses and weights of both loops must be the same to the last bit.

The peer of the DCGAN is the loop of the classic example: the discriminator has one backward pass for real
and one for drawn pictures, its weights get gradients of the generator's loss, too, and the losses are read
after each step. It draws the same pictures of its progress.

For checkpoints, a training is measured with some and without any: the difference, for each of them, is what
a training loses every minute. Two processes of one thread are measured against one process of two threads.

A store whose answers take 20 ms more has small files, which are read by the trainer's reader and one after
the other; and pictures of a training that keeps none in memory.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import torch
from results import Goal, Measured, show_table
from torch import nn
from training_keeper import Keeper
from training_peers import classic_dcgan, plain_loop
from training_ranks import seconds_of_ranks
from training_reading import measure_reading

from knoll.families.base import Batch, Examples, Family, FamilyConfig
from knoll.families.dcgan.family import Dcgan
from knoll.families.dcgan.networks import SIDE
from knoll.families.declaration import Form, less
from knoll.families.image.family import ImageClassifier
from knoll.trainer.checkpoints import UNSAVED, StateKeeper
from knoll.trainer.loop import train_networks

_CPU = torch.device("cpu")
_MINUTE = 60.0
_CHECKPOINTS = 5  # of a training that is measured with some


class Mlp(Family[FamilyConfig]):
    """Three dense layers that learn the sum of 32 numbers."""

    name, task, metrics = "mlp", "tabular-regression", (less("mse", 0),)
    config_type, form = FamilyConfig, Form()

    def examples(self, files: Mapping[str, bytes], config: FamilyConfig) -> Examples:
        """Not used: the rows are drawn."""
        raise NotImplementedError

    def build(self, config: FamilyConfig, about: Mapping[str, Any]) -> nn.ModuleDict:
        """One network, `mlp`."""
        layers = nn.Linear(32, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 1)
        return nn.ModuleDict({"mlp": nn.Sequential(*layers)})

    def losses(
        self, networks: nn.ModuleDict, batch: Batch, config: FamilyConfig
    ) -> Iterator[tuple[str, torch.Tensor]]:
        """The mean squared error."""
        yield "mlp", nn.functional.mse_loss(networks["mlp"](batch[0]), batch[1])

    def score(self, networks: nn.ModuleDict, examples: Examples, config: FamilyConfig) -> Mapping[str, float]:
        """mse."""
        rows, sums = (column[:] for column in examples.held_out)
        return {"mse": nn.functional.mse_loss(networks["mlp"](rows), sums).item()}


@dataclass(frozen=True)
class Case:
    """A family with drawn examples, and its peer, which returns the weights."""

    what: str
    family: Family[Any]
    examples: Examples
    config: Any
    peer: Callable[[Family[Any], Examples, Any], Mapping[str, torch.Tensor]]

    def ours(self, keeper: StateKeeper = UNSAVED) -> Mapping[str, torch.Tensor]:
        """Train by our loop; the weights."""
        quiet: Any = {"report": lambda *_: None, "say": lambda _: None}
        trained = train_networks(self.family, self.examples, self.config, device=_CPU, keeper=keeper, **quiet)
        return trained.networks.state_dict()

    def theirs(self) -> Mapping[str, torch.Tensor]:
        """Train by the peer's loop; the weights."""
        return self.peer(self.family, self.examples, self.config)


def main(given: Sequence[str] | None = None) -> int:
    """Measure all, and print the results; 1 if a goal is missed."""
    options = _options(given)
    torch.set_num_threads(1)
    cnn, mlp, dcgan = cases(options.examples)
    beside = (
        _beside_peer(cnn, 1.02, options.rounds),
        _beside_peer(mlp, 1.05, options.rounds),
        _beside_peer(dcgan, 1 / 1.1, options.rounds),
        _of_ranks(options),
        measure_reading(options.examples // 16, options.rounds),
    )
    measured = [one for some, _ in beside for one in some]
    goals = [*(goal for _, some in beside for goal in some), _of_checkpoints(cnn, options.rounds)]
    show_table(measured, goals)
    return int(not all(goal.is_met for goal in goals))


def _beside_peer(case: Case, most: float, rounds: int) -> tuple[list[Measured], list[Goal]]:
    goals = []
    if case.peer is plain_loop:
        ours, theirs = case.ours(), case.theirs()
        differ = sum(not torch.equal(ours[name], theirs[name]) for name in ours)
        goals.append(Goal(f"{case.what}: tensors that differ from the peer's in any bit", differ, 0))
    found = _in_turns(rounds, ours=lambda: case.ours(Keeper()), peer=case.theirs)
    goals.append(Goal(f"{case.what}: seconds of ours, as a multiple of its peer's", _ratio(found), most))
    return [Measured(f"{case.what}, {who}", tuple(one)) for who, one in found.items()], goals


def _of_checkpoints(case: Case, rounds: int) -> Goal:
    """What a checkpoint adds to a training, as a part of the minute in which there is one."""
    found = _in_turns(rounds, some=lambda: case.ours(Keeper(_CHECKPOINTS)), none=lambda: case.ours(Keeper()))
    more = [some - none for some, none in zip(found["some"], found["none"], strict=True)]
    each = max(median(more) / _CHECKPOINTS, 0)
    return Goal("part of a training that a checkpoint every minute costs", each / _MINUTE, 0.01)


def _of_ranks(options: argparse.Namespace) -> tuple[list[Measured], list[Goal]]:
    found: dict[str, list[float]] = {"1 process of 2 threads": [], "2 processes of 1 thread": []}
    one, two = found.values()
    for _ in range(options.rounds):
        one.append(seconds_of_ranks(1, 2, options.examples))
        two.append(seconds_of_ranks(2, 1, options.examples))
    slower = median(two_took / one_took for one_took, two_took in zip(one, two, strict=True))
    goal = Goal("seconds of 2 processes, as a multiple of those of 1 with 2 threads", slower, 1 / 0.85)
    return [Measured(f"picture CNN, {who}", tuple(taken)) for who, taken in found.items()], [goal]


def cases(examples: int) -> tuple[Case, Case, Case]:
    """The three families with `examples` rows each; the DCGAN has a sixteenth of them."""
    chance = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 256, (examples, 1, 28, 28), generator=chance, dtype=torch.uint8)
    classes = torch.randint(0, 10, (examples,), generator=chance)
    about = {"classes": [*"0123456789"], "mode": "L", "width": 28, "height": 28, "mean": [0.5], "std": [0.3]}
    rows = torch.randn(examples, 32, generator=chance)
    few = max(examples // 16, 8)
    colours = torch.randint(0, 256, (few, 3, SIDE, SIDE), generator=chance, dtype=torch.uint8)
    image, dcgan = ImageClassifier(), Dcgan()
    small = FamilyConfig.model_validate({"epochs": 2, "batchSize": 64})
    drawn = {"epochs": 1, "batchSize": 8, "scored": min(few, 256)}
    return (
        _case("picture CNN", image, image.configure({"epochs": 1, "width": 16}), (pixels, classes), about),
        _case("MLP", Mlp(), small, (rows, rows.sum(1, keepdim=True))),
        _case("DCGAN", dcgan, dcgan.configure(drawn), (colours,)),
    )


def _case(
    what: str, family: Family[Any], config: Any, rows: Batch, about: Mapping[str, Any] | None = None
) -> Case:
    held_out = tuple(column[:16] for column in rows)
    peer = classic_dcgan if what == "DCGAN" else plain_loop
    return Case(what, family, Examples(rows, held_out, about or {}), config, peer)


def _in_turns(rounds: int, **acts: Callable[[], object]) -> dict[str, list[float]]:
    """The seconds of each act, in so many rounds; every second round goes backwards."""
    taken: dict[str, list[float]] = {name: [] for name in acts}
    for number in range(rounds):
        for name in [*acts][:: 1 if number % 2 else -1]:
            began = perf_counter()
            acts[name]()
            taken[name].append(perf_counter() - began)
    return taken


def _ratio(taken: Mapping[str, Sequence[float]]) -> float:
    return median(ours / peer for ours, peer in zip(taken["ours"], taken["peer"], strict=True))


def _options(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--examples", type=int, default=4096, help="rows of the data")
    parser.add_argument("--rounds", type=int, default=7, help="times that each training is measured")
    return parser.parse_args(given)


if __name__ == "__main__":
    sys.exit(main())
