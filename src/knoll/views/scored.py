"""Whether one training scores all that a Model asks of the scores of its versions.

A gate on a metric that the config never scores refuses each version, after a whole training.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from knoll.errors import Fault
from knoll.families.declaration import Declaration, FamilyConfig, Scoring
from knoll.quoting import did_you_mean, shown

__all__ = ["faults_of_scores"]

_CONFIG = "spec.training.config"


@dataclass(frozen=True)
class _Ask:
    """One thing that is asked of scores: where, and why one scoring cannot give it; "" if it can."""

    path: tuple[str | int, ...]
    why_not: Callable[[Scoring], str]
    metric: str = ""

    @property
    def place(self) -> str:
        return ".".join(map(str, self.path))


def faults_of_scores(
    spec: Mapping[str, Any], declared: Declaration[Any], config: FamilyConfig | None
) -> Iterator[Fault]:
    """What no training scores, and what none scores beside the rest. `config` is None if it has faults."""
    left, by = declared.scorings(config), _CONFIG
    for ask in _asks(spec):
        if fit := [one for one in left if not ask.why_not(one)]:
            by = ask.place if len(fit) < len(left) else by
            left = (*fit,)
        else:
            yield Fault(ask.path, _words(ask, left, declared, by))


def _words(ask: _Ask, left: Sequence[Scoring], declared: Declaration[Any], by: str) -> str:
    if not ask.metric:
        return f"{ask.why_not(left[0])} (leave it out)"
    owner = next((one for one in declared.scorings(None) if not ask.why_not(one)), None)
    known = [one.name for scoring in left for one in scoring.metrics]
    of = f"one of: {', '.join(known)}"
    if owner:
        asked = ", ".join(one.name for one in left)
        return f"{shown(ask.metric)} is a metric of {owner.name}, and {by} asks for {asked} ({of})"
    like = did_you_mean(ask.metric, known)
    return f"the family {declared.name} has no metric {shown(ask.metric)}{like} ({of})"


def _asks(spec: Mapping[str, Any]) -> Iterator[_Ask]:
    """All that the spec asks, the gate first. The form of its fields is checked elsewhere."""
    gate, also = _part(spec, "gate"), _part(spec, "gate").get("also")
    yield from _metric(gate, "spec", "gate")
    for at, bounds in enumerate(also if isinstance(also, list) else ()):
        yield from _metric(bounds if isinstance(bounds, Mapping) else {}, "spec", "gate", "also", at)
    for name in ("sliceAtLeast", "maxSliceRegression"):
        if gate.get(name) is not None:
            yield _Ask(("spec", "gate", name), lambda one: one.no_slices)
    yield from _metric(_part(spec, "compression"), "spec", "compression")
    if _part(spec, "rollout").get("labels") is True:
        yield _Ask(("spec", "rollout", "labels"), lambda one: one.no_labels)


def _metric(part: Mapping[str, Any], *path: str | int) -> Iterator[_Ask]:
    name = part.get("metric")
    if isinstance(name, str):
        yield _Ask((*path, "metric"), lambda one: "" if _has(one, name) else "it has none", name)


def _has(scoring: Scoring, name: str) -> bool:
    return any(one.name == name for one in scoring.metrics)


def _part(spec: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = spec.get(name)
    return found if isinstance(found, Mapping) else {}
