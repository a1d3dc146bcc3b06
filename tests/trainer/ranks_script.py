"""One process of a test: it trains small families, and writes the weights, or how it ended, to a folder.

PYTHONPATH=tests python tests/trainer/ranks_script.py FOLDER WHAT, below torchrun; WHAT has line, ill, dcgan,
differing and last deserted in it, with commas. With "shards of" before it, the processes share out; with
"from shards" or "to shards", they do so until a stop after the first step, or from there on.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from knoll.errors import Unavailable
from knoll.families.base import Batch, Examples, FamilyConfig, Sign
from knoll.families.dcgan.family import Dcgan
from knoll.families.dcgan.networks import SIDE
from knoll.settings import read_settings
from knoll.trainer.checkpoints import Saved, Unsaved
from knoll.trainer.divergence import Diverged
from knoll.trainer.loop import train_networks
from knoll.trainer.ranks import Ranks, join_ranks
from knoll.trainer.state_files import Tree, decode_tree, encode_tree
from knoll.trainer.stopping import Terminated
from trainer.cheap import few_pictures


class Line:
    """A straight line through points, with Adam. Without batch norm and random numbers, shares and whole
    batches agree."""

    def build(self, config: FamilyConfig, about: Any) -> nn.ModuleDict:
        return nn.ModuleDict({"line": nn.Linear(3, 1)})

    def optimizers(self, networks: nn.ModuleDict, config: FamilyConfig) -> dict[str, torch.optim.Optimizer]:
        self.optimizer = torch.optim.Adam(networks.parameters(), lr=0.01)
        return {"line": self.optimizer}

    @property
    def kept(self) -> int:
        """How many numbers the optimiser keeps, without its counts of steps."""
        states = self.optimizer.state.values()
        return sum(state[name].numel() for state in states for name in ("exp_avg", "exp_avg_sq"))

    def rate(self, done: float, config: FamilyConfig) -> float:
        return 1.0

    def prepare(self, batch: Batch, config: FamilyConfig) -> Batch:
        return batch

    def augment(self, batch: Batch, config: FamilyConfig) -> Batch:
        return batch

    def losses(
        self, networks: nn.ModuleDict, batch: Batch, config: FamilyConfig
    ) -> Iterator[tuple[str, torch.Tensor]]:
        points, values = batch
        yield "line", nn.functional.mse_loss(networks["line"](points), values)

    def signs(self, *_: object) -> tuple[Sign, ...]:
        return ()

    def milestone_picture(self, *_: object) -> None:
        return None


class Deserted(Line):
    """Its second process leaves in the second step."""

    steps = 0

    def losses(
        self, networks: nn.ModuleDict, batch: Batch, config: FamilyConfig
    ) -> Iterator[tuple[str, torch.Tensor]]:
        self.steps += networks.training
        if self.steps == 2 and torch.distributed.get_rank() == 1:
            raise ZeroDivisionError("a fault of one process")
        yield from super().losses(networks, batch, config)


def points(ill: bool) -> Examples:
    """45 points, so that shares of a batch differ in size; in an ill set, one of them is not a number."""
    chance = torch.Generator().manual_seed(1)
    columns = torch.randn(45, 3, generator=chance)
    values = columns.sum(1, keepdim=True)
    if ill:
        values[7] = float("nan")
    return Examples((columns, values), (columns, values))


def pictures() -> Examples:
    pixels = torch.randint(
        0, 256, (16, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(1), dtype=torch.uint8
    )
    return Examples((pixels,), (pixels,))


def differ(folder: Path, ranks: Ranks) -> None:
    """Compare what is the same in all processes, then what is not."""
    cpu = torch.device("cpu")
    ranks.check_same("have other files", ("a.png", "b.png"), cpu)
    try:
        ranks.check_same("have other files", ("a.png", "b.png")[: 2 - ranks.rank], cpu)
    except Unavailable as error:
        (folder / f"differing-{ranks.rank}-of-{ranks.world}.txt").write_text(str(error))


class Shelf(Unsaved):
    """Keeps the state of a stopped training in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def saved(self) -> Iterator[Saved]:
        for place in self._folder.glob("*.json"):
            yield Saved(
                int(place.stem),
                1,
                decode_tree(place.read_bytes(), place.with_suffix(".tensors").read_bytes()),
            )

    def keep(self, tree: Tree, step: int, of_steps: int) -> None:
        if tree is not None:
            self._folder.mkdir()
            text, tensors = encode_tree(tree)
            (self._folder / f"{step}.tensors").write_bytes(tensors)
            (self._folder / f"{step}.json").write_bytes(text)


def train_in_two_ways(folder: Path, what: str, ranks: Ranks) -> None:
    """Share out before the stop alone, or after it alone."""
    from_shards = what == "from shards"
    shelf = Shelf(folder / what)
    try:
        train(
            *(folder, "line", replace(ranks, shard=from_shards), "stopped"),
            keeper=shelf,
            is_asked_to_stop=lambda: True,
        )
    except Terminated:
        ranks.add_up(0, device=torch.device("cpu"))  # nobody reads a state before it is written
        train(folder, "line", replace(ranks, shard=not from_shards), what, keeper=shelf)


def train(folder: Path, what: str, ranks: Ranks, name: str = "", **more: Any) -> None:
    config = (
        Dcgan().configure({"epochs": 1, "batchSize": 8, "scored": 2})
        if what == "dcgan"
        else FamilyConfig.model_validate({"epochs": 3, "batchSize": 7})
    )
    family: Any = {"dcgan": Dcgan, "deserted": Deserted}.get(what, Line)()
    examples = pictures() if what == "dcgan" else points(what == "ill")
    file = folder / f"{name or what}-{ranks.rank}-of-{ranks.world}"
    quiet: Any = {"report": lambda *_: None, "say": lambda _: None, **more}
    try:
        trained = train_networks(family, examples, config, device=torch.device("cpu"), ranks=ranks, **quiet)
    except Diverged as error:
        file.with_suffix(".txt").write_text(str(error))
        return
    held_out = torch.tensor([list(point.held_out.values()) for point in trained.curves.points])
    losses = {"losses": torch.tensor(list(trained.losses.values())), "held out": held_out}
    if isinstance(family, Line):
        losses["kept"] = torch.tensor(family.kept)
    save_file({**trained.networks.state_dict(), **losses}, file.with_suffix(".safetensors"))


if __name__ == "__main__":
    torch.set_num_threads(1)
    with join_ranks(torch.device("cpu"), read_settings().meeting, 60) as ranks, few_pictures():
        for what in sys.argv[2].split(","):
            if what == "differing":
                differ(Path(sys.argv[1]), ranks)
            elif what in ("from shards", "to shards"):
                train_in_two_ways(Path(sys.argv[1]), what, ranks)
            elif what.startswith("shards of "):
                train(Path(sys.argv[1]), what.removeprefix("shards of "), replace(ranks, shard=True), what)
            else:
                train(Path(sys.argv[1]), what, ranks)
