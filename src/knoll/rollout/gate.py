"""The offline gate: whether a version may get traffic at all. A pure decision over two manifests."""

from knoll.models import GateSpec
from knoll.records.manifest import Manifest

__all__ = ["why_not"]


def why_not(gate: GateSpec | None, candidate: Manifest, champion: Manifest | None) -> str:
    """Why the candidate may not be tried, with its numbers; "" if it may."""
    if gate is None:
        return ""
    value = candidate.metrics.get(gate.metric)
    if value is None:
        known = ", ".join(sorted(candidate.metrics)) or "none"
        return f"the gate asks for the metric {gate.metric}, and the version has {known}"
    if gate.at_least is not None and not value >= gate.at_least:
        return f"{gate.metric} is {value:.4g}, the gate asks for at least {gate.at_least:g}"
    if gate.at_most is not None and not value <= gate.at_most:
        return f"{gate.metric} is {value:.4g}, the gate asks for at most {gate.at_most:g}"
    return _regression(gate, value, champion)


def _regression(gate: GateSpec, value: float, champion: Manifest | None) -> str:
    before = champion.metrics.get(gate.metric) if champion else None
    if gate.max_regression is None or champion is None or before is None:
        return ""
    loss = value - before if gate.at_most is not None else before - value
    if loss <= gate.max_regression:
        return ""
    worse = f"worse by more than {gate.max_regression:g}"
    return f"{gate.metric} is {value:.4g}, that of {champion.version} is {before:.4g}: {worse}"
