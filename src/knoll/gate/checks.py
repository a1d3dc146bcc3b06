"""Each number that the gate looks at, with its bounds. Pure, over manifests."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic.alias_generators import to_camel

from knoll.models import BoundSpec, GateSpec
from knoll.quoting import escaped
from knoll.records.champion_score import ChampionScore
from knoll.records.golden import fault_of_score
from knoll.records.manifest import Manifest

__all__ = ["Examined", "GateCheck", "check_version", "examined"]

_GOLDEN = " on the golden set"


@dataclass(frozen=True)
class Examined:
    """A version that the gate has looked at: why it may not be tried, "" if it may, and the fields of each
    check by its name."""

    fault: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class GateCheck:
    """One number that the gate looks at. `value` is that of the candidate, and `champion` that of the
    champion on the same examples; None if it was not measured. The others are the bounds, and `fault` says
    why the candidate does not pass."""

    name: str
    value: float | None = None
    champion: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    max_regression: float | None = None
    fault: str = ""


def check_version(
    gate: GateSpec | None, candidate: Manifest, champion: Manifest | None, pinned: str = ""
) -> list[GateCheck]:
    """Every number that the gate looks at, of the held-out examples, beside the naive baseline, of parts of
    the examples, and of the golden set if the gate has one. The champion is compared by its scores on the
    candidate's held-out examples, if the trainer has scored it; else by those on its own. `pinned` is the
    digest of the golden set that counts, "" for none."""
    if gate is None:
        return []
    beside = _beside(candidate, champion)
    before = beside.metrics if beside else champion.metrics if champion else {}
    served = champion.version if champion else ""
    whole = [_check_metric(one, "", candidate.metrics, before, served) for one in gate.bounds]
    return [
        *whole,
        *_check_baseline(gate, candidate),
        *_check_parts(gate, candidate, beside),
        *_check_golden(gate, candidate, champion, pinned),
    ]


def examined(checks: Sequence[GateCheck]) -> Examined:
    """The result of the checks: all that does not pass, in words, and the numbers. What is not given, or is
    not finite, is left out."""
    faults = "; ".join(one.fault for one in checks if one.fault)
    return Examined(faults, {one.name: _fields(one) for one in checks})


def _fields(check: GateCheck) -> Mapping[str, Any]:
    found = {
        to_camel(name): value
        for name, value in vars(check).items()
        if name != "name" and value not in (None, "")
    }
    return {name: value for name, value in found.items() if isinstance(value, str) or math.isfinite(value)}


def _beside(candidate: Manifest, champion: Manifest | None) -> ChampionScore | None:
    """The champion's scores on the candidate's held-out examples; None if the trainer has scored another
    version, or none."""
    beside = candidate.champion
    return beside if champion and beside and beside.version == champion.version else None


def _check_baseline(gate: GateSpec, candidate: Manifest) -> Iterator[GateCheck]:
    """The metric that counts most beside that of a naive answer; nothing if either is not known. As good is
    good enough: a strong baseline may be perfect."""
    value, naive = candidate.metrics.get(gate.metric), candidate.baseline.get(gate.metric)
    if not gate.beat_baseline or value is None or naive is None:
        return
    name = f"{gate.metric} beside the naive baseline"
    is_worse = not (value <= naive if gate.at_most is not None else value >= naive)
    told = f"{gate.metric} is {value:.4g}, that of the naive baseline is {naive:.4g}"
    fault = f"{told}: worse, and gate.beatBaseline does not allow it" if is_worse else ""
    least, most = (None, naive) if gate.at_most is not None else (naive, None)
    yield GateCheck(name, value, at_least=least, at_most=most, fault=fault)


def _check_parts(gate: GateSpec, candidate: Manifest, beside: ChampionScore | None) -> Iterator[GateCheck]:
    """Of each metric the part on which the candidate is worst, and that on which it has lost most beside the
    champion. A part that only the champion has counts as 0."""
    if gate.slice_at_least is not None:
        yield from _check_worst_parts(gate.slice_at_least, candidate)
    if gate.max_slice_regression is None or beside is None:
        return
    for metric, old in beside.slices.items():
        ours = candidate.slices.get(metric, {})
        lost = {part: value - ours.get(part, 0.0) for part, value in old.items()}
        if lost:
            part = max(lost, key=lambda one: lost[one])
            values = ours.get(part, 0.0), old[part]
            yield _check_part(
                f"{metric} of {escaped(part)}", *values, beside.version, gate.max_slice_regression
            )


def _check_worst_parts(least: float, candidate: Manifest) -> Iterator[GateCheck]:
    if not candidate.slices:
        yield GateCheck(
            "parts", at_least=least, fault="the gate asks for metrics of parts, and the version has none"
        )
    for metric, parts in candidate.slices.items():
        part = min(parts, key=lambda one: parts[one], default="")
        name, value = f"{metric} of {escaped(part)}", parts.get(part, 0.0)
        fault = "" if value >= least else f"{name} is {value:.4g}, {_asked_least(least)}"
        yield GateCheck(name, value, at_least=least, fault=fault)


def _check_part(name: str, value: float, old: float, champion: str, most: float) -> GateCheck:
    told = f"{name} is {value:.4g}, that of {champion} is {old:.4g} on the same examples"
    fault = "" if old - value <= most else f"{told}: worse by more than {most:g}"
    return GateCheck(f"{name} beside {champion}", value, old, max_regression=most, fault=fault)


def _check_golden(
    gate: GateSpec, candidate: Manifest, champion: Manifest | None, pinned: str
) -> Iterator[GateCheck]:
    if not gate.golden_set:
        return
    score = candidate.golden
    if score is None or score.uri != gate.golden_set:
        missing = f"the gate asks for a score on the golden set {gate.golden_set}, and the version has none"
        yield GateCheck(f"{gate.metric}{_GOLDEN}", fault=missing)
    elif fault := fault_of_score(score, pinned):
        yield GateCheck(f"{gate.metric}{_GOLDEN}", fault=fault)
    else:
        old = champion.golden if champion else None
        before = old.metrics if old and old.digest == score.digest else {}
        served = champion.version if champion else ""
        yield from (_check_metric(one, _GOLDEN, score.metrics, before, served) for one in gate.bounds)


def _check_metric(
    bound: BoundSpec, where: str, metrics: Mapping[str, float], before: Mapping[str, float], champion: str
) -> GateCheck:
    """One metric against its bounds, and beside that of the champion."""
    name, value, old = f"{bound.metric}{where}", metrics.get(bound.metric), before.get(bound.metric)
    if value is None:
        known = ", ".join(sorted(metrics)) or "none"
        fault = f"the gate asks for the metric {name}, and the version has {known}"
    else:
        fault = _why_below(bound, name, value, old, champion)
    return GateCheck(name, value, old, bound.at_least, bound.at_most, bound.max_regression, fault)


def _why_below(bound: BoundSpec, name: str, value: float, old: float | None, champion: str) -> str:
    if bound.at_least is not None and not value >= bound.at_least:
        return f"{name} is {value:.4g}, {_asked_least(bound.at_least)}"
    if bound.at_most is not None and not value <= bound.at_most:
        return f"{name} is {value:.4g}, the gate asks for at most {bound.at_most:g}"
    if bound.max_regression is None or old is None:
        return ""
    if (value - old if bound.at_most is not None else old - value) <= bound.max_regression:
        return ""
    return (
        f"{name} is {value:.4g}, that of {champion} is {old:.4g}: worse by more than {bound.max_regression:g}"
    )


def _asked_least(bound: float) -> str:
    return f"the gate asks for at least {bound:g}"
