"""The graphs that were tried in place of the exported one, compression.json: what each would give, and why it
is served or not."""

from dataclasses import dataclass

from pydantic import with_config

from knoll.errors import InvalidVersion
from knoll.records.record import LENIENT, Record, reader

__all__ = ["COMPRESSION", "EXPORTED", "Compression", "TriedGraph", "load_compression"]

COMPRESSION = "compression.json"
EXPORTED = "fp32"  # the name of the exported graph


@with_config(LENIENT)
@dataclass(frozen=True)
class TriedGraph:
    """A graph, and `why` it is served, or not.

    `size` is in bytes. `latency_ms` is the median time of one example. `quality` is the metric on the
    held-out examples. `ratio` is the median of its time divided by that of the exported graph, round by
    round, and `ratio_bound` is the upper bound of that median. What was not measured is None.
    """

    name: str
    why: str
    size: int | None = None
    latency_ms: float | None = None
    quality: float | None = None
    ratio: float | None = None
    ratio_bound: float | None = None


@with_config(LENIENT)
@dataclass(frozen=True)
class Compression(Record):
    """The graphs that were tried, with the exported one, and which of them is served. They were compared by
    `metric`, of which a share of `max_loss` may be lost, and timed on this `machine`. `calibrated_on` is the
    number of training examples that set the ranges of integers."""

    metric: str
    max_loss: float
    served: str
    graphs: tuple[TriedGraph, ...]
    machine: str = ""
    calibrated_on: int = 0


load_compression = reader(Compression, "list of tried graphs", file=COMPRESSION, fault=InvalidVersion)
