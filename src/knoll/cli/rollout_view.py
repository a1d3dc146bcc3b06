"""What is known of a rollout: the slot in the Model's status and the records of its steps, with the numbers
behind each verdict."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from knoll.cli.description import read_revisions
from knoll.cli.gate_view import expected_runs
from knoll.cli.model_view import ModelView, find_model
from knoll.cli.run_view import read_run
from knoll.cli.tables import plain_table
from knoll.errors import NotFound
from knoll.models import readable_models
from knoll.ports import Platform
from knoll.records.rollout import rollouts_uri
from knoll.rollout.candidates import newest_untried
from knoll.rollout.slot import slot_from_status

__all__ = [
    "Record",
    "RolloutView",
    "is_bad",
    "read_records",
    "read_rollout",
    "record_line",
    "rollout_document",
    "rollout_picture",
]

Record = Mapping[str, Any]
_BAD = ("Rollback", "Reject")
_ENDS = ("Promote", *_BAD)


@dataclass(frozen=True)
class RolloutView:
    """The newest rollout of a model. `percent` of the traffic goes to `receiver`: while a rollout goes on the
    candidate, else the champion, and "" when nothing serves. `coming` says what a rollout that is not there
    yet waits for; "" when none is to be expected."""

    model: ModelView
    version: str
    receiver: str
    percent: int
    records: Sequence[Record]
    coming: str

    @property
    def is_over(self) -> bool:
        """Whether the newest rollout has its verdict, and no other is on its way."""
        settled = self.model.status.get("phase", "Idle") == "Idle"
        return bool(self.records) and settled and self.records[-1]["action"] in _ENDS and not self.coming


def read_rollout(platform: Platform, model: str) -> RolloutView:
    """The newest rollout of a model, or of none yet an empty one. Raises NotFound when there is no such
    model."""
    view = find_model(platform, model)
    records = read_records(platform, model)
    version = view.status.get("candidate") or (records[-1]["version"] if records else "")
    receiver, percent = _traffic(platform, view)
    of_version = [one for one in records if one["version"] == version]
    return RolloutView(view, version, receiver, percent, of_version, _coming(platform, view))


def read_records(platform: Platform, model: str, version: str = "") -> list[Record]:
    """The records of all rollouts of a model, or of those of one version, in the order of time."""
    prefix = rollouts_uri(platform.settings.model_root, model) + (f"{version}/" if version else "")
    records = [json.loads(platform.store.get(one.uri)) for one in platform.store.list(prefix)]
    return sorted(records, key=lambda one: (one["at"], one.get("number", one.get("step", 0))))


def is_bad(records: Sequence[Record]) -> bool:
    """Whether the last verdict was to roll back or to reject."""
    return bool(records) and records[-1]["action"] in _BAD


def record_line(record: Record) -> str:
    """One step in words, with its numbers."""
    counts = ", ".join(
        f"{value} {name}"
        for name, value in (record.get("evidence") or {}).items()
        if value and name != "inStep"
    )
    what = f"{record['version']} {record['action']} {record['percent']} %"
    return " — ".join(part for part in (what, record.get("reason", ""), counts) if part)


def rollout_document(view: RolloutView) -> dict[str, Any]:
    """The rollout as `-o json` shows it."""
    status = view.model.status
    slot = status.get("rollout") or {}
    evidence = slot.get("evidence") or {}
    return {
        "model": view.model.model["metadata"]["name"],
        "version": view.version,
        "phase": status.get("phase", "Idle"),
        "champion": status.get("champion", ""),
        "step": slot.get("step", 0),
        "percent": view.percent,
        "percentTo": view.receiver,
        "evidence": {key: evidence.get(key, 0) for key in ("requests", "errors", "replayed")},
        "waiting": view.coming,
        "records": list(view.records),
    }


def rollout_picture(view: RolloutView) -> RenderableType:
    """The rollout for a terminal: who is on trial, how far, on what evidence, and every verdict so far."""
    if not view.records:
        return Text(f"No rollout yet. {view.coming}".strip())
    shown = rollout_document(view)
    counts = shown["evidence"]
    evidence = f"{counts['requests']} requests, {counts['errors']} failed, {counts['replayed']} replayed"
    facts = Table.grid(padding=(0, 2))
    for name, fact in (
        ("Model", shown["model"]),
        (
            "On trial",
            view.version if view.model.status.get("candidate") else f"nothing ({view.version} was the last)",
        ),
        ("Champion", shown["champion"] or "none"),
        ("Phase", shown["phase"]),
        ("Traffic", f"{view.percent} % to {view.receiver}" if view.receiver else "none"),
        ("", ProgressBar(total=100, completed=view.percent, width=40)),
        ("Evidence", evidence),
        ("Next", view.coming),
    ):
        if fact:
            facts.add_row(name, fact)
    rows = (
        (one["at"][11:19], one["action"], f"{one['percent']} %", str(one.get("reason", "")))
        for one in view.records
    )
    return Group(facts, "", plain_table(("TIME", "STEP", "TRAFFIC", "WHY"), rows))


def _traffic(platform: Platform, view: ModelView) -> tuple[str, int]:
    """Whose part of the traffic tells how far the rollout is, and that part as it is observed, whatever the
    slot asks for."""
    champion, candidate = view.status.get("champion") or "", view.status.get("candidate") or ""
    if view.status.get("phase", "Idle") == "Idle":
        return champion, 100 if champion else 0
    return candidate, sum(
        one.percent for one in read_revisions(platform, view) if candidate and one.version == candidate
    )


def _coming(platform: Platform, view: ModelView) -> str:
    """What the next rollout waits for: a version that is not tried yet, or a run that is to make one."""
    slot = slot_from_status(view.status)
    models = readable_models([view.model])
    for model in models:
        version = newest_untried(model, slot, platform)
        if version not in ("", slot.candidate):
            return f"{version} is next"
    for expected in expected_runs(platform, models):
        if not expected.run:
            return "" if slot.champion or slot.quarantine else f"{expected.model}: {expected.reason}"
        try:
            run = read_run(platform, expected.run)
        except NotFound:
            return f"{expected.model}: {expected.reason}"
        return "" if run.is_over else f"run {run.run.id} is {run.state}"
    return ""
