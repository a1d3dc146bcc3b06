"""What every process of a run does alike: read the data, make it examples, and train on its share of them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from knoll.families import find_family
from knoll.families.base import Examples, Family, FamilyConfig
from knoll.ports import Platform
from knoll.quantities import parse_quantity
from knoll.records.run import Run
from knoll.trainer.archives import unpack_archives
from knoll.trainer.loop import Trained, choose_device, train_networks
from knoll.trainer.ranks import Ranks
from knoll.trainer.reading import read_data

__all__ = ["Learnt", "Quiet", "Telling", "learn", "threads_for"]

_TRAINING_PERCENT = (5, 95)  # what comes before is reading, what comes after exporting and publishing


class Telling(Protocol):
    """Who hears of a run: its log, line by line, and its progress."""

    def say(self, line: str) -> None:
        """Add a line to the log."""

    def report(
        self,
        state: str,
        percent: int,
        seconds_left: int | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Make this the progress of the run."""


class Quiet:
    """Tells nobody: of several processes only the first tells."""

    def say(self, line: str) -> None:
        """See `Telling.say`."""

    def report(
        self,
        state: str,
        percent: int,
        seconds_left: int | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """See `Telling.report`."""


@dataclass(frozen=True)
class Learnt:
    """A training that is done, but not scored; `threads` is the number of CPU threads that it used."""

    family: Family[Any]
    config: FamilyConfig
    examples: Examples
    trained: Trained
    threads: int


def learn(run: Run, platform: Platform, ranks: Ranks, telling: Telling) -> Learnt:
    """Train the run's networks, together with the other processes. Raises Rejected for data or a config that
    is wrong, DataChanged."""
    family = find_family(run.family)
    config = family.configure(run.config)
    threads = max(1, (platform.settings.threads or threads_for(run.resources)) // run.processes_per_node)
    torch.set_num_threads(threads)
    telling.report("reading", 0)
    files = unpack_archives(read_data(run, platform))
    telling.say(f"read {len(files)} files, {sum(map(len, files.values())):,} bytes")
    examples = family.examples(files, config)
    telling.say(f"{len(examples.train[0])} examples to learn from, {len(examples.held_out[0])} held out")
    trained = _fit(family, examples, config, platform.settings.device, ranks, telling)
    return Learnt(family, config, examples, trained, threads)


def threads_for(resources: Mapping[str, Any]) -> int:
    """As many threads as the run has cores: more would wait for each other. The number is a Kubernetes
    quantity, such as 2 or 500m."""
    return max(1, math.floor(parse_quantity(resources.get("cpu", 1))))


def _fit(
    family: Family[Any], examples: Examples, config: FamilyConfig, wanted: str, ranks: Ranks, telling: Telling
) -> Trained:
    device = ranks.own(choose_device(wanted))
    among = f", {ranks.world} processes" if ranks.world > 1 else ""
    telling.say(f"training on {device} with {torch.get_num_threads()} threads{among}")
    first, last = _TRAINING_PERCENT

    def report(fraction: float, seconds_left: int | None, losses: Mapping[str, float]) -> None:
        metrics = {f"{name}_loss": loss for name, loss in losses.items()}
        telling.report("training", first + round((last - first) * fraction), seconds_left, metrics)

    return train_networks(
        family, examples, config, device=device, report=report, say=telling.say, ranks=ranks
    )
