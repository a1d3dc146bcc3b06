"""The offline gate: whether a version may get traffic at all. Pure, over manifests."""

from collections.abc import Mapping

from knoll.models import GateSpec
from knoll.quoting import escaped
from knoll.records.champion_score import ChampionScore, Slices
from knoll.records.golden import GoldenScore, fault_of_score
from knoll.records.manifest import Manifest

__all__ = ["why_not"]


def why_not(gate: GateSpec | None, candidate: Manifest, champion: Manifest | None, pinned: str = "") -> str:
    """Why the candidate may not be tried, with its numbers; "" if it may. The bounds hold on the held-out
    examples and on the golden set, if the gate has one. The champion is compared by its scores on the
    candidate's held-out examples, if the trainer has scored it; else by those on its own. `pinned` is the
    digest of the golden set that counts, "" for none."""
    if gate is None:
        return ""
    beside = _beside(candidate, champion)
    before = beside.metrics if beside else champion.metrics if champion else {}
    served = champion.version if champion else ""
    return (
        _why_below(gate, "", candidate.metrics, before, served)
        or _why_below_in_part(gate, candidate.slices, beside)
        or _why_not_golden(gate, candidate.golden, champion, pinned)
    )


def _beside(candidate: Manifest, champion: Manifest | None) -> ChampionScore | None:
    """The champion's scores on the candidate's held-out examples; None if the trainer has scored another
    version, or none."""
    beside = candidate.champion
    return beside if champion and beside and beside.version == champion.version else None


def _why_below_in_part(gate: GateSpec, slices: Slices, beside: ChampionScore | None) -> str:
    """Why the candidate is too bad on one part of the examples, beside the champion: the worst one."""
    if gate.max_slice_regression is None or beside is None:
        return ""
    worse = [
        (old - slices.get(metric, {}).get(part, 0.0), metric, part)
        for metric, parts in beside.slices.items()
        for part, old in parts.items()
    ]
    lost, metric, part = max(worse, default=(0.0, "", ""))
    if lost <= gate.max_slice_regression:
        return ""
    old = beside.slices[metric][part]
    return (
        f"{metric} of {escaped(part)} is {old - lost:.4g}, that of {beside.version} is {old:.4g} on the same "
        f"examples: worse by more than {gate.max_slice_regression:g}"
    )


def _why_not_golden(gate: GateSpec, score: GoldenScore | None, champion: Manifest | None, pinned: str) -> str:
    if not gate.golden_set:
        return ""
    if score is None or score.uri != gate.golden_set:
        return f"the gate asks for a score on the golden set {gate.golden_set}, and the version has none"
    if fault := fault_of_score(score, pinned):
        return fault
    old = champion.golden if champion else None
    before = old.metrics if old and old.digest == score.digest else {}
    return _why_below(gate, " on the golden set", score.metrics, before, champion.version if champion else "")


def _why_below(
    gate: GateSpec, where: str, metrics: Mapping[str, float], before: Mapping[str, float], champion: str
) -> str:
    """Why these metrics are not good enough, alone and beside those of the champion."""
    value, name = metrics.get(gate.metric), f"{gate.metric}{where}"
    if value is None:
        known = ", ".join(sorted(metrics)) or "none"
        return f"the gate asks for the metric {name}, and the version has {known}"
    if gate.at_least is not None and not value >= gate.at_least:
        return f"{name} is {value:.4g}, the gate asks for at least {gate.at_least:g}"
    if gate.at_most is not None and not value <= gate.at_most:
        return f"{name} is {value:.4g}, the gate asks for at most {gate.at_most:g}"
    old = before.get(gate.metric)
    if gate.max_regression is None or old is None:
        return ""
    if (value - old if gate.at_most is not None else old - value) <= gate.max_regression:
        return ""
    worse = f"worse by more than {gate.max_regression:g}"
    return f"{name} is {value:.4g}, that of {champion} is {old:.4g}: {worse}"
