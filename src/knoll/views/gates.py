"""What a gate asks of its metric, against the range of that metric.

A gate that no version can pass wastes each training, so it is a fault. A gate that no version can fail does
no harm, but hides that nothing is asked: it is a warning.
"""

from collections.abc import Iterator, Mapping
from math import inf
from typing import Any, TypeGuard

from knoll.errors import Fault
from knoll.families import find_declaration
from knoll.families.declaration import Declaration, Metric
from knoll.models import BoundSpec, GateSpec, Model

__all__ = ["doubts_of_gate", "faults_of_gate"]

_Path = tuple[str | int, ...]
_GATE: _Path = ("spec", "gate")
_PERCENT = 10  # more than this of a share is meant in percent: 95 for 0.95


def faults_of_gate(gate: Mapping[str, Any], declared: Declaration[Any]) -> Iterator[Fault]:
    """What no version of the family could reach, and what is asked in the wrong direction."""
    yield from _faults_of_bounds(gate, _GATE, declared)
    also = gate.get("also")
    for at, bounds in enumerate(also if isinstance(also, list) else ()):
        if isinstance(bounds, Mapping):
            yield from _faults_of_bounds(bounds, (*_GATE, "also", at), declared)


def _faults_of_bounds(gate: Mapping[str, Any], path: _Path, declared: Declaration[Any]) -> Iterator[Fault]:
    """The faults of the bounds of one metric. Its form is checked elsewhere, and whether there is one."""
    metric = next((one for one in declared.metrics if one.name == gate.get("metric")), None)
    if metric is None:
        return
    right = _bound(metric)
    yield from _direction_faults(metric, gate, path)
    yield from _regression_faults(metric, gate.get("maxRegression"), path)
    if _is_number(bound := gate.get(right)):
        yield from _reach_faults(metric, right, bound, path)


def doubts_of_gate(model: Model) -> Iterator[str]:
    """Which parts of the gate no version can fail."""
    gate, declared = model.gate, find_declaration(model.family)
    if gate is None or declared is None:
        return
    metrics = {one.name: one for one in declared.metrics}
    for at, bounds in enumerate(gate.bounds):
        if bounds.metric in metrics:
            path = f"spec.gate.also.{at - 1}" if at else "spec.gate"
            asks_more = not at and _asks_more(gate)
            yield from _doubts(bounds, metrics[bounds.metric], path, asks_more=asks_more)
    if gate.slice_at_least == 0:
        yield "spec.gate.sliceAtLeast is 0, which every part reaches: no version can fail it"


def _direction_faults(metric: Metric, gate: Mapping[str, Any], path: _Path) -> Iterator[Fault]:
    right = _bound(metric)
    wrong = "atMost" if right == "atLeast" else "atLeast"
    if gate.get(wrong) is not None:
        yield Fault((*path, wrong), f"{metric.better} {metric.name} is better, so give {right}")
    elif metric.better == "less" and gate.get("maxRegression") is not None and gate.get(right) is None:
        what = f"less {metric.name} is better, and only atMost tells the gate so: give atMost, too"
        yield Fault((*path, "maxRegression"), what)


def _regression_faults(metric: Metric, loss: Any, path: _Path) -> Iterator[Fault]:
    if _is_number(loss) and loss > metric.width:
        hint = _percent_hint(metric, loss, 1)
        what = f"{metric.name} lies in {metric.range}, so it must be at most {metric.width:g}, not {loss:g}"
        yield Fault((*path, "maxRegression"), f"{what}{hint}")


def _reach_faults(metric: Metric, right: str, bound: float, path: _Path) -> Iterator[Fault]:
    name, path = metric.name, (*path, right)
    if not metric.least <= bound <= metric.most:
        hint = _percent_hint(metric, bound, _PERCENT)
        yield Fault(path, f"{name} lies in {metric.range}, never at {bound:g}{hint}")
    elif bound == metric.best and not metric.reaches_best:
        words = "more" if right == "atMost" else "less"
        yield Fault(path, f"no version has a {name} of {bound:g}, so none could pass (write {words})")


def _percent_hint(metric: Metric, number: float, least: float) -> str:
    is_percent = metric.most == 1 and least < number <= 100
    return f"; did you mean {number / 100:g}?" if is_percent else ""


def _asks_more(gate: GateSpec) -> bool:
    """Whether the gate asks something beyond the bounds of metrics."""
    asks_agreement = "min_agreement" in gate.model_fields_set and not gate.golden_set
    asks_parts = (gate.slice_at_least, gate.max_slice_regression) != (None, None)
    return asks_agreement or asks_parts or gate.approval == "manual"


def _doubts(gate: BoundSpec, metric: Metric, path: str, *, asks_more: bool) -> Iterator[str]:
    right, name = _bound(metric), metric.name
    bound = gate.at_least if right == "atLeast" else gate.at_most
    worst = metric.least if right == "atLeast" else metric.most
    if bound is None and gate.max_regression is None and not asks_more:
        yield f"{path} asks nothing of {name}, so no version can fail it; give {right}"
    if bound == worst:
        yield f"{path}.{right} is {bound:g}, which every {name} reaches: no version can fail it"
    if gate.max_regression == metric.width:
        yield (
            f"{path}.maxRegression is {metric.width:g}, and {name} lies in {metric.range}: no version can "
            "fail it"
        )


def _bound(metric: Metric) -> str:
    """The field of the gate that is for the metric."""
    return "atLeast" if metric.better == "more" else "atMost"


def _is_number(value: Any) -> TypeGuard[float]:
    """Whether it is finite, too: the form of a Model has no other number, and says so itself."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -inf < value < inf
