"""The trail of a version: event, data, run, gate, version, comparison, rollout steps, verdict, each with its
numbers.

It is read from records alone, so it can be told long after the Jobs and the processes are gone.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from knoll.errors import NewerSchema, NotFound, Rejected
from knoll.ports import Platform
from knoll.records.dataset import Dataset, find_dataset
from knoll.records.late_cause import find_late_cause
from knoll.records.rollout import RolloutStep, last_decision
from knoll.rollout.comparison import Comparison, read_comparison
from knoll.views.ids import find_run_id
from knoll.views.models import find_model
from knoll.views.rollouts import StepsView, comparison_document, read_steps
from knoll.views.run import RunView, read_run, run_document
from knoll.views.verdicts import LastDecision, verdict_document, verdict_of
from knoll.views.versions import VersionView, find_readable, read_version, version_document, version_names

__all__ = ["Trail", "read_trail", "trail_document"]


@dataclass(frozen=True)
class Trail:
    """How a version came to be, or why a run led to none. `comparison` is that of the version with the
    champion; None for none. `left_out` says how many steps only a newer knoll understands; "" for none.
    `late_cause` is the event that told of the data, if a tick opened the run before it; else it is empty."""

    model: str
    run: RunView
    dataset: Dataset | None
    gate: Mapping[str, Any]
    version: VersionView | None
    steps: Sequence[RolloutStep]
    comparison: Comparison | None = None
    left_out: str = ""
    late_cause: Mapping[str, str] = field(default_factory=dict)

    @property
    def event(self) -> Mapping[str, str]:
        """The event that told of the data; the tick that found it, if no event did."""
        return self.late_cause or self.run.run.cause

    @property
    def bytes(self) -> int:
        """Size of the data."""
        return sum(one.size for one in self.dataset.objects) if self.dataset else 0

    @property
    def gate_value(self) -> float | None:
        """The metric that the gate asks for; None when it was not measured."""
        metrics = self.version.manifest.metrics if self.version else self.run.metrics
        return metrics.get(str(self.gate.get("metric", "")))

    @property
    def checks(self) -> Mapping[str, Any]:
        """Each number that the gate has looked at last, by its name, with its bounds and its fault."""
        return next((one.gate for one in reversed(self.steps) if one.gate), {})

    @property
    def verdict(self) -> LastDecision:
        """What its rollout has decided about the version; without a name if no rollout has looked at it."""
        last = last_decision(self.steps)
        return verdict_of(last.action, last.reason, last.version) if last else LastDecision()

    @property
    def golden_value(self) -> float | None:
        """The same metric on the golden set; None when it was not measured."""
        score = self.version.manifest.golden if self.version else None
        metrics = score.metrics if score else self.run.golden
        return metrics.get(str(self.gate.get("metric", "")))


def read_trail(platform: Platform, model: str, version: str = "") -> Trail:
    """The trail of a version. Without one: of the champion, else of the newest version, else of the newest
    run. Raises NotFound."""
    declared = find_model(platform, model)
    wanted = version or declared.champion or _newest_readable(platform, model)
    shown = read_version(platform, model, wanted) if wanted else None
    run = read_run(platform, shown.manifest.run if shown else _newest_run_id(platform, model))
    steps = read_steps(platform, model, wanted) if wanted else StepsView([])
    gate = (declared.document.get("spec") or {}).get("gate") or {}
    compared, late = _comparison(steps.shown), find_late_cause(run.run.id, platform.bucket)
    return Trail(
        model,
        run,
        _find_data(platform, run),
        gate,
        shown,
        steps.shown,
        compared,
        steps.left_out,
        late.cause if late else {},
    )


def trail_document(trail: Trail) -> dict[str, Any]:
    """The trail as `-o json` shows it."""
    return {
        "model": trail.model,
        "event": dict(trail.event),
        "openedBy": dict(trail.run.run.cause),
        "data": {
            "digest": trail.run.run.dataset_digest,
            "uri": trail.dataset.prefix if trail.dataset else "",
            "objects": len(trail.dataset.objects) if trail.dataset else 0,
            "bytes": trail.bytes,
            "landedAt": trail.dataset.landed_at if trail.dataset else "",
        },
        "run": {**run_document(trail.run), "config": dict(trail.run.run.config)},
        "gate": dict(trail.gate),
        "checks": dict(trail.checks),
        "version": version_document(trail.version) if trail.version else None,
        "comparison": comparison_document(trail.comparison),
        "rollout": [one.fields() for one in trail.steps],
        "verdict": verdict_document(trail.verdict),
    }


def _comparison(steps: Sequence[RolloutStep]) -> Comparison | None:
    """The last comparison that was recorded; None for none."""
    return read_comparison(next((one.comparison for one in reversed(steps) if one.comparison), None))


def _newest_readable(platform: Platform, model: str) -> str:
    names = version_names(platform, model)
    return next((name for name in names if find_readable(platform, model, name)), "")


def _find_data(platform: Platform, run: RunView) -> Dataset | None:
    """The data of the run; None if its snapshot is gone, or cannot be read by this knoll."""
    with suppress(Rejected, NewerSchema):
        return find_dataset(run.run.dataset_uri, platform.bucket)
    return None


def _newest_run_id(platform: Platform, model: str) -> str:
    try:
        return find_run_id(platform, model)
    except NotFound as error:
        raise NotFound(
            f"model {model}: it has neither a version nor a run yet",
            fix=f"knoll describe {model} says what its data waits for",
        ) from error
