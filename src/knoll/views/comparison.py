"""Two versions side by side: config, data, metrics, size, seconds, inputs and outputs."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from knoll.errors import NewerSchema, NotFound, Rejected
from knoll.ports import Platform
from knoll.records.dataset import find_snapshot
from knoll.records.manifest import Manifest, read_file
from knoll.records.outcome import find_outcome
from knoll.records.run import find_run
from knoll.records.signature import SIGNATURE, Tensor, load_signature
from knoll.views.units import seconds_between
from knoll.views.versions import VersionView, read_version

__all__ = ["ComparisonView", "Field", "compare_versions", "comparison_document"]


@dataclass(frozen=True)
class Field:
    """A fact about both versions; None where it is not known, or not there."""

    name: str
    values: tuple[Any, Any]

    @property
    def differs(self) -> bool:
        """Whether the versions differ in it."""
        return bool(self.values[0] != self.values[1])


@dataclass(frozen=True)
class ComparisonView:
    """Two versions of a model, and every fact about them."""

    model: str
    versions: tuple[str, str]
    fields: Sequence[Field]


def compare_versions(platform: Platform, model: str, first: str, second: str) -> ComparisonView:
    """Put two versions side by side. Raises NotFound if one is not there."""
    sides = [dict(_facts(platform, read_version(platform, model, name))) for name in (first, second)]
    names = [*sides[0], *(name for name in sides[1] if name not in sides[0])]
    ordered = sorted(names, key=lambda name: _order(name))
    fields = tuple(Field(name, (sides[0].get(name), sides[1].get(name))) for name in ordered)
    return ComparisonView(model, (first, second), fields)


def comparison_document(found: ComparisonView) -> dict[str, Any]:
    """The comparison as `-o json` shows it."""
    fields = [{"field": one.name, "values": list(one.values), "differs": one.differs} for one in found.fields]
    return {"model": found.model, "versions": list(found.versions), "fields": fields}


_GROUPS = (
    "state",
    "family",
    "run",
    "config",
    "data",
    "metrics",
    "golden",
    "seconds",
    "bytes",
    "inputs",
    "outputs",
)


def _order(name: str) -> int:
    return _GROUPS.index(name.partition(".")[0])


def _facts(platform: Platform, view: VersionView) -> Iterator[tuple[str, Any]]:
    made = view.manifest
    yield from (("state", view.state), ("family", made.family), ("run", made.run))
    yield from _under("config", made.config)
    yield from _under("data", _data(platform, made))
    yield from _under("metrics", made.metrics)
    yield from _under("golden", made.golden.metrics if made.golden else {})
    yield "seconds", _seconds(platform, made)
    yield "bytes", view.size
    yield from _signature(platform, made)


def _under(group: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from ((f"{group}.{name}", value) for name, value in values.items())


def _data(platform: Platform, made: Manifest) -> dict[str, Any]:
    found = find_snapshot(made.model, made.dataset_digest, platform.bucket)
    counts = {"objects": len(found.objects), "bytes": sum(one.size for one in found.objects)} if found else {}
    return {"digest": made.dataset_digest, **counts}


def _seconds(platform: Platform, made: Manifest) -> float | None:
    """How long the run took, from its record to its outcome."""
    with suppress(Rejected, NewerSchema):
        run, outcome = find_run(made.run, platform.bucket), find_outcome(made.run, platform.bucket)
        if run and outcome:
            return seconds_between(run.created_at, outcome.ended_at)
    return None


def _signature(platform: Platform, made: Manifest) -> Iterator[tuple[str, Any]]:
    with suppress(Rejected, NewerSchema, NotFound):
        signature = load_signature(read_file(made.model, made.version, SIGNATURE, platform.bucket))
        yield from _under("inputs", {one.name: _tensor_words(one) for one in signature.inputs})
        yield from _under("outputs", {one.name: _tensor_words(one) for one in signature.outputs})


def _tensor_words(one: Tensor) -> str:
    labels = one.options.get("labels") or ()
    shape = " x ".join(map(str, one.shape))
    return f"{one.datatype} {shape}" + (
        f", {len(labels)} classes: {', '.join(map(str, labels))}" if labels else ""
    )
