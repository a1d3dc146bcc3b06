"""The trial of all graphs that a Model asks for: each is made, scored, timed, and judged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from platform import machine
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from knoll.errors import Rejected
from knoll.families.base import Metric, Scores
from knoll.models.compression import GraphName
from knoll.quoting import escaped
from knoll.records.compression import EXPORTED, Compression, TriedGraph
from knoll.records.samples import Samples
from knoll.trainer.compression.distillation import distil
from knoll.trainer.compression.graphs import fp16, int8, int8_weights
from knoll.trainer.compression.pruning import prune
from knoll.trainer.compression.subject import Subject
from knoll.trainer.compression.verdict import choose, quality_lost, why_not
from knoll.trainer.graph import open_graph, serve_graph
from knoll.trainer.race import Race, race

__all__ = ["MAKERS", "Compressed", "compress"]

MAKERS: Mapping[GraphName, Callable[[Subject], bytes]] = {
    "fp16": fp16,
    "int8": int8,
    "int8-weights": int8_weights,
    "pruned": prune,
    "distilled": distil,
}

_LONGEST_FAULT = 200  # characters of the message of a library
_EXACT = (EXPORTED, "pruned", "distilled")  # graphs that compute with 32 bits
_TOLERANCE = 0.02  # of numbers: another CPU may round to the next of 256 steps, in several layers


@dataclass(frozen=True)
class Weighed:
    """A graph, its scores on the held-out examples, and its metrics on the golden set, if there is one."""

    graph: bytes
    scores: Scores
    golden: Mapping[str, float]


@dataclass(frozen=True)
class Compressed:
    """What became of a compression: its record, and the graph that is served in place of the exported one;
    None if that one is served."""

    record: Compression
    served: Weighed | None = None

    @property
    def tolerance(self) -> float:
        """By how much its numbers may differ on another CPU."""
        return Samples.tolerance if self.record.served in _EXACT else _TOLERANCE


def compress(subject: Subject, tell: Callable[[str], None]) -> Compressed:
    """Try all graphs; `tell` is called with the name of each before. Raises Rejected if the exported graph
    cannot be scored."""
    plain = _weigh(subject, subject.graph)
    metric = _metric(subject, plain.scores.metrics)
    quality = plain.scores.metrics[metric.name]
    tried, weighed, times = list[TriedGraph](), dict[str, Weighed](), list[float]()
    for name in sorted({*subject.plan.candidates}):
        tell(name)
        try:
            weighed[name] = _weigh(subject, MAKERS[name](subject))
            ran = _race(subject, weighed[name].graph)
        except Exception as error:
            tried.append(TriedGraph(name, f"left out: {_words(error)}"))
            continue
        times += ran.plain
        tried.append(_judged(name, plain, weighed[name], ran, metric, subject.plan.max_loss))
    chosen = choose(tried)
    latency = float(np.median(times)) * 1e3 if times else None
    first = TriedGraph(EXPORTED, "", len(subject.graph), latency, quality)
    record = Compression(
        metric.name,
        subject.plan.max_loss,
        chosen,
        tuple(_explained(one, chosen) for one in (first, *tried)),
        _machine(),
        subject.calibrated_on,
    )
    return Compressed(record, weighed.get(chosen))


def _metric(subject: Subject, scores: Mapping[str, float]) -> Metric:
    """The one that counts: without a choice the first of the family's that this training has."""
    known = {one.name: one for one in subject.family.metrics if one.name in scores}
    name = subject.plan.metric or next(iter(known), "")
    if name not in known:
        raise Rejected(f"the version has no metric {escaped(name)}, but {', '.join(known)}")
    return known[name]


@torch.no_grad()
def _weigh(subject: Subject, graph: bytes) -> Weighed:
    """Score a graph. Raises Rejected if a metric is no number."""
    served = serve_graph(subject.export.signature, graph, threads=subject.threads)
    scores = subject.family.score_served(served, subject.examples, subject.config)
    golden = Scores({})
    if subject.exam:
        golden = subject.family.score_served(served, subject.exam, subject.config)
    for name, value in (*scores.metrics.items(), *golden.metrics.items()):
        if not np.isfinite(value):
            raise Rejected(f"its {name} is {value}")
    return Weighed(graph, scores, golden.metrics)


def _race(subject: Subject, graph: bytes) -> Race:
    """Race it against the exported graph, with one example and one thread."""
    example = [column[:1].numpy() for column in subject.export.sample_inputs]
    return race(_runner(subject.graph, example), _runner(graph, example))


def _runner(graph: bytes, example: list[NDArray[Any]]) -> Callable[[], Sequence[NDArray[Any]]]:
    run = open_graph(graph, threads=1)
    return lambda: run(example)


def _judged(name: str, plain: Weighed, made: Weighed, ran: Race, metric: Metric, most: float) -> TriedGraph:
    """The graph with its numbers; `why` says why it may not be served, "" if it may."""
    before, after = ([one.scores.metrics, one.golden] for one in (plain, made))
    lost = max(
        quality_lost(metric, old[metric.name], new[metric.name])
        for old, new in zip(before, after, strict=True)
        if old
    )
    return TriedGraph(
        name,
        why_not(lost, most, ran.bound),
        len(made.graph),
        float(np.median(ran.other)) * 1e3,
        made.scores.metrics[metric.name],
        ran.ratio,
        ran.bound,
    )


def _explained(one: TriedGraph, chosen: str) -> TriedGraph:
    if one.name == chosen:
        told = "it is the exported graph, and no other one may be served" if chosen == EXPORTED else ""
        return replace(one, why=f"served: {told or 'it is the fastest that keeps the quality'}")
    return replace(one, why=one.why or f"{chosen} is faster")


def _words(error: Exception) -> str:
    told = escaped(str(error))[:_LONGEST_FAULT]
    return told if isinstance(error, Rejected) else f"{type(error).__name__}: {told}"


def _machine() -> str:
    """The name of the CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, machine())
