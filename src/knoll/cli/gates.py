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
from knoll.models import GateSpec, Model
from knoll.models.wording import did_you_mean
from knoll.quoting import shown

__all__ = ["doubts_of_gate", "faults_of_gate"]

_PERCENT = 10  # more than this of a share is meant in percent: 95 for 0.95


def faults_of_gate(gate: Mapping[str, Any], name: str, declared: Declaration[Any]) -> Iterator[Fault]:
    """What no version of the family could reach, and what is asked in the wrong direction."""
    known = {one.name: one for one in declared.metrics}
    if name not in known:
        what = f"the family {declared.name} has no metric {shown(name)}{did_you_mean(name, known)}"
        yield Fault(("spec", "gate", "metric"), f"{what} (one of: {', '.join(known)})")
        return
    metric = known[name]
    yield from _direction_faults(metric, gate)
    yield from _regression_faults(metric, gate.get("maxRegression"))
    if gate.get("maxSliceRegression") is not None and not declared.has_slices:
        what = f"the family {declared.name} has no metrics of parts of the examples: leave it out"
        yield Fault(("spec", "gate", "maxSliceRegression"), what)
    right = _bound(metric)
    if _is_number(bound := gate.get(right)):
        yield from _reach_faults(metric, right, bound)


def doubts_of_gate(model: Model) -> Iterator[str]:
    """Which parts of the gate no version can fail."""
    gate, declared = model.gate, find_declaration(model.family)
    metrics = declared.metrics if gate and declared else ()
    for metric in metrics:
        if gate and metric.name == gate.metric:
            yield from _doubts(gate, metric)


def _direction_faults(metric: Metric, gate: Mapping[str, Any]) -> Iterator[Fault]:
    right = _bound(metric)
    wrong = "atMost" if right == "atLeast" else "atLeast"
    if gate.get(wrong) is not None:
        yield Fault(("spec", "gate", wrong), f"{metric.better} {metric.name} is better, so give {right}")
    elif metric.better == "less" and gate.get("maxRegression") is not None and gate.get(right) is None:
        what = f"less {metric.name} is better, and only atMost tells the gate so: give atMost, too"
        yield Fault(("spec", "gate", "maxRegression"), what)


def _regression_faults(metric: Metric, loss: Any) -> Iterator[Fault]:
    if _is_number(loss) and loss > metric.width:
        hint = _percent_hint(metric, loss, 1)
        what = f"{metric.name} lies in {metric.range}, so it must be at most {metric.width:g}, not {loss:g}"
        yield Fault(("spec", "gate", "maxRegression"), f"{what}{hint}")


def _reach_faults(metric: Metric, right: str, bound: float) -> Iterator[Fault]:
    name, path = metric.name, ("spec", "gate", right)
    if not metric.least <= bound <= metric.most:
        hint = _percent_hint(metric, bound, _PERCENT)
        yield Fault(path, f"{name} lies in {metric.range}, never at {bound:g}{hint}")
    elif bound == metric.best and not metric.reaches_best:
        words = "more" if right == "atMost" else "less"
        yield Fault(path, f"no version has a {name} of {bound:g}, so none could pass (write {words})")


def _percent_hint(metric: Metric, number: float, least: float) -> str:
    is_percent = metric.most == 1 and least < number <= 100
    return f"; did you mean {number / 100:g}?" if is_percent else ""


def _doubts(gate: GateSpec, metric: Metric) -> Iterator[str]:
    right, name = _bound(metric), metric.name
    bound = gate.at_least if right == "atLeast" else gate.at_most
    worst = metric.least if right == "atLeast" else metric.most
    asks_agreement = "min_agreement" in gate.model_fields_set and not gate.golden_set
    asks_champion = (gate.max_regression, gate.max_slice_regression) != (None, None)
    if bound is None and not asks_champion and not asks_agreement:
        yield f"spec.gate asks nothing of {name}, so no version can fail it; give {right}"
    if bound == worst:
        yield f"spec.gate.{right} is {bound:g}, which every {name} reaches: no version can fail it"
    if gate.max_regression == metric.width:
        yield (
            f"spec.gate.maxRegression is {metric.width:g}, and {name} lies in {metric.range}: no version can "
            "fail it"
        )


def _bound(metric: Metric) -> str:
    """The field of the gate that is for the metric."""
    return "atLeast" if metric.better == "more" else "atMost"


def _is_number(value: Any) -> TypeGuard[float]:
    """Whether it is finite, too: the form of a Model has no other number, and says so itself."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -inf < value < inf
