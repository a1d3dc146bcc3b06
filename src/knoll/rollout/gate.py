"""The offline gate: whether a version may get traffic at all. Pure, over manifests and signatures."""

from knoll.models import GateSpec
from knoll.quoting import escaped
from knoll.records.manifest import Manifest
from knoll.records.signature import Signature

__all__ = ["why_not", "why_other"]

_SHOWN = 5  # names of each kind in a reason


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


def why_other(old: Signature, new: Signature, champion: str) -> str:
    """Why clients of the champion may not know the answers of the candidate, or it their requests; "" if its
    classes and inputs are the same."""
    for what, before, after in (
        ("classes", _classes(old), _classes(new)),
        ("inputs", [one.name for one in old.inputs], [one.name for one in new.inputs]),
    ):
        gone, come = sorted(set(before) - set(after)), sorted(set(after) - set(before))
        if gone or come:
            changes = [
                f"{word}: {_names(names)}" for word, names in (("without", gone), ("new", come)) if names
            ]
            told = "; ".join(changes)
            return (
                f"its {what} are not those of {champion}: {told}. If that is meant, set "
                "rollout.allowSignatureChange: true, and apply the Model"
            )
    return ""


def _classes(signature: Signature) -> list[str]:
    return [str(label) for one in signature.outputs for label in one.options.get("labels") or ()]


def _names(names: list[str]) -> str:
    return escaped(", ".join(names[:_SHOWN])) + (
        f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    )


def _regression(gate: GateSpec, value: float, champion: Manifest | None) -> str:
    before = champion.metrics.get(gate.metric) if champion else None
    if gate.max_regression is None or champion is None or before is None:
        return ""
    loss = value - before if gate.at_most is not None else before - value
    if loss <= gate.max_regression:
        return ""
    worse = f"worse by more than {gate.max_regression:g}"
    return f"{gate.metric} is {value:.4g}, that of {champion.version} is {before:.4g}: {worse}"
