"""The rollout of a model: the slot in its status, and the records of its steps with their numbers.

The slot is written first, and the record of a step follows. So the records are read first: otherwise a step
may be shown that the slot knows nothing of.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from knoll.errors import NewerSchema, NotFound, Rejected
from knoll.models import readable_models
from knoll.ports import Platform
from knoll.records.rollout import RolloutStep, last_decision, look_at_steps
from knoll.rollout.base import may_serve_alone
from knoll.rollout.candidates import next_candidate
from knoll.rollout.comparison import Comparison, read_comparison
from knoll.rollout.slot import Slot, slot_from_status
from knoll.views.expected import expected_runs
from knoll.views.facets import FacetsView, facets_documents, read_facets
from knoll.views.labels import LabelsView, labels_documents, read_label_counts
from knoll.views.left_out import left_out_words
from knoll.views.models import ModelView, find_model
from knoll.views.revisions import read_revisions
from knoll.views.run import RunView, read_run
from knoll.views.waits import rollout_wait
from knoll.waits import Wait, wait_document

__all__ = [
    "RolloutView",
    "StepsView",
    "comparison_document",
    "read_rollout",
    "read_steps",
    "rollout_document",
]

_BAD = ("Rollback", "Reject", "Hold", "Fallback", "Damage")
_SHOWN = ("requests", "errors", "replayed", "refused", "recorded")  # of the evidence
_ENDS = ("Promote", "Mend", *_BAD)


@dataclass(frozen=True)
class RolloutView:
    """The newest rollout of a model. `comparison` is that of its version with the champion; None for none.

    `percent` of the traffic goes to `receiver`: the candidate while a rollout goes on, else the champion,
    and "" when nothing serves. `wait` is what the rollout in progress waits for, or else the next one;
    None when none is expected. `labels` are the labelled answers of its version and the champion.
    `left_out` says how many steps only a newer knoll understands; "" for none.
    """

    model: ModelView
    version: str
    receiver: str
    percent: int
    step: int
    evidence: Mapping[str, int]
    steps: Sequence[RolloutStep]
    wait: Wait | None
    comparison: Comparison | None = None
    left_out: str = ""
    labels: Sequence[LabelsView] = ()
    facets: Sequence[FacetsView] = ()

    @property
    def decision(self) -> RolloutStep | None:
        """The last decision; None before the first one."""
        return last_decision(self.steps)

    @property
    def is_over(self) -> bool:
        """Whether the newest rollout has ended, and no other is on its way. A rollout that waits for approval
        has ended."""
        is_judged = self.decision is not None and self.decision.action in _ENDS
        return is_judged and self.model.is_idle and (not self.waiting or bool(self.model.held))

    @property
    def waiting(self) -> str:
        """The wait in words; "" for none."""
        return self.wait.words if self.wait else ""

    @property
    def is_bad(self) -> bool:
        """Whether the version was rolled back, rejected or held."""
        return self.decision is not None and self.decision.action in _BAD


@dataclass(frozen=True)
class StepsView:
    """Steps, in the order of time. `left_out` says how many only a newer knoll understands; "" for none."""

    shown: Sequence[RolloutStep]
    left_out: str = ""


def read_rollout(platform: Platform, model: str) -> RolloutView:
    """The newest rollout of a model; an empty one before the first. Raises NotFound for no such model."""
    steps = read_steps(platform, model)
    view = find_model(platform, model)
    last = last_decision(steps.shown)
    version = view.candidate or (last.version if last else "")
    receiver, percent = _traffic_of(platform, view)
    slot = (view.document.get("status") or {}).get("rollout") or {}
    counts, compared = slot.get("evidence") or {}, read_comparison(slot.get("comparison"))
    return RolloutView(
        view,
        version,
        receiver,
        percent,
        step=slot.get("step", 0),
        evidence={key: counts.get(key, 0) for key in _SHOWN},
        steps=[one for one in steps.shown if one.version == version],
        wait=view.wait or _wait(view) or _known_next_wait(platform, view),
        comparison=compared if compared and compared.version == version else None,
        left_out=steps.left_out,
        labels=read_label_counts(platform, model, (version, view.champion)),
        facets=read_facets(platform, model, (version, view.champion)),
    )


def read_steps(platform: Platform, model: str, version: str = "") -> StepsView:
    """The steps of all rollouts of a model, or of those of one version."""
    found = [*look_at_steps(model, platform.bucket, version)]
    steps = [one for one in found if isinstance(one, RolloutStep)]
    newer = [one for one in found if isinstance(one, NewerSchema)]
    steps.sort(key=lambda one: (one.at, one.number))
    return StepsView(steps, left_out_words("step", newer))


def rollout_document(view: RolloutView) -> dict[str, Any]:
    """The rollout as `-o json` shows it."""
    return {
        "model": view.model.name,
        "version": view.version,
        "phase": view.model.phase or "Idle",
        "champion": view.model.champion,
        "step": view.step,
        "percent": view.percent,
        "percentTo": view.receiver,
        "evidence": dict(view.evidence),
        "comparison": comparison_document(view.comparison),
        "labels": labels_documents(view.labels),
        "facets": facets_documents(view.facets),
        "waiting": view.waiting,
        "wait": wait_document(view.wait),
        "records": [one.fields() for one in view.steps],
    }


def comparison_document(found: Comparison | None) -> dict[str, Any] | None:
    """The comparison as `-o json` shows it; null for none. Agreement and scores are parts of 1, or null."""
    if found is None:
        return None
    ours, theirs = found.scores or (None, None)
    shown = {key: one for key, one in found.fields().items() if key != "missing"}
    again = {"repeated": found.repeated, "repeatAgreed": found.repeat_agreed}
    return {**shown, **again, "agreement": found.agreement, "score": ours, "championScore": theirs}


def _traffic_of(platform: Platform, view: ModelView) -> tuple[str, int]:
    """Which version's part of the traffic tells how far the rollout is, and that part as the cluster has
    it."""
    if view.is_idle:
        return view.champion, 100 if view.champion else 0
    if not view.candidate:
        return "", 0
    revisions = read_revisions(platform, view)
    return view.candidate, sum(one.percent for one in revisions if one.version == view.candidate)


def _wait(view: ModelView) -> Wait | None:
    slot = slot_from_status(view.document.get("status") or {})
    return next((rollout_wait(slot, one.rollout) for one in readable_models([view.document])), None)


def _known_next_wait(platform: Platform, view: ModelView) -> Wait | None:
    """What the next rollout waits for, which may be a newer knoll."""
    try:
        return _next_wait(platform, view)
    except NewerSchema as error:
        return Wait(str(error), ends=error.fix)


def _next_wait(platform: Platform, view: ModelView) -> Wait | None:
    """What the next rollout waits for: a version that was not tried yet, or a run that may make one."""
    slot = slot_from_status(view.document.get("status") or {})
    for model in readable_models([view.document]):
        version = next_candidate(model, slot, view.asked_run, platform)
        if version not in ("", slot.candidate):
            return _trial_wait(view, slot, version)
    for expected in expected_runs(platform, [view.document]):
        told = replace(expected.wait, what=f"{expected.model}: {expected.reason}")
        if not expected.run:
            return None if slot.champion or slot.quarantine else told
        try:
            run = read_run(platform, expected.run)
        except NotFound:
            return told
        except Rejected as error:
            return Wait(f"run {expected.run} has a record that cannot be read: {error}")
        return None if run.is_over else _run_wait(run)
    return None


def _trial_wait(view: ModelView, slot: Slot, version: str) -> Wait:
    """What the trial of the version waits for."""
    if not view.base_url and not may_serve_alone(slot, version):
        ends = f"knoll rollout approve {view.name} {version} does not wait for it"
        return Wait(f"{slot.champion} to serve, before {version} is tried", ends=ends)
    return Wait(f"{version} is next", ends="it is looked at with the next event or tick")


def _run_wait(run: RunView) -> Wait:
    """That a rollout waits for a run, and what the run waits for."""
    what = f"run {run.run.id} is {run.state}"
    if run.wait:
        return replace(run.wait, what=f"{what}: {run.wait.what}")
    have = run.percentage or 0
    return Wait(what, run.run.created_at, "it makes a version if it succeeds", have, 100)
