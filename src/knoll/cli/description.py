"""What is known of one model now: its declaration and slot, the revisions behind its URL, their conditions,
and its newest run."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from knoll.cli.model_view import ModelView, data_words, find_model, model_document
from knoll.cli.run_view import RunView, read_runs, run_document, run_line
from knoll.cli.tables import plain_table
from knoll.cli.units import age
from knoll.ports import Document, Platform

__all__ = [
    "Description",
    "RevisionView",
    "description_document",
    "description_picture",
    "read_description",
    "read_revisions",
]

_SERVICE = "serving.kserve.io/inferenceservice"
_GENERATION = "serving.knative.dev/configurationGeneration"
_VERSION = "knoll.dev/version"
_MARKS = {"True": "++", "False": "!!"}


@dataclass(frozen=True)
class RevisionView:
    """One Revision. `ready` is True, False or Unknown, `reason` says why it is not True; `role` is champion,
    candidate, previous or ""."""

    name: str
    generation: str
    version: str
    role: str
    percent: int
    tags: tuple[str, ...]
    ready: str
    reason: str
    created_at: str


@dataclass(frozen=True)
class Description:
    """A model, its newest run, and its revisions, the newest first: that one, and those that are routed
    to."""

    view: ModelView
    run: RunView | None
    revisions: Sequence[RevisionView]


def read_description(platform: Platform, model: str) -> Description:
    """Everything about one model. Raises NotFound."""
    view = find_model(platform, model)
    newest = sorted(read_revisions(platform, view), key=lambda one: int(one.generation or 0), reverse=True)
    shown = [one for number, one in enumerate(newest) if number == 0 or one.percent or one.tags]
    return Description(view, next(iter(read_runs(platform, model, 1)), None), shown)


def read_revisions(platform: Platform, view: ModelView) -> list[RevisionView]:
    """All Revisions of a model that there still are."""
    return [
        _revision_view(one, view)
        for one in platform.cluster.list("Revision", {_SERVICE: view.model["metadata"]["name"]})
    ]


def _revision_view(revision: Document, view: ModelView) -> RevisionView:
    """A Revision, with its part of the model's traffic and its version's role."""
    metadata = revision["metadata"]
    labels = metadata.get("labels") or {}
    version = str(labels.get(_VERSION, ""))
    routes = [one for one in view.traffic if one.get("revisionName") == metadata["name"]]
    ready = next((one for one in _conditions(revision) if one.get("type") == "Ready"), {})
    return RevisionView(
        name=metadata["name"],
        generation=str(labels.get(_GENERATION, "")),
        version=version,
        role=next(
            (
                role
                for role in ("champion", "candidate", "previous")
                if version and view.status.get(role) == version
            ),
            "",
        ),
        percent=sum(one.get("percent") or 0 for one in routes),
        tags=tuple(one["tag"] for one in routes if one.get("tag")),
        ready=str(ready.get("status") or "Unknown"),
        reason="" if ready.get("status") == "True" else _words(ready),
        created_at=str(metadata.get("creationTimestamp", "")),
    )


def description_document(found: Description) -> dict[str, Any]:
    """The model as `-o json` shows it."""
    metadata = found.view.model["metadata"]
    revisions = [asdict(one) for one in found.revisions]
    return {
        **model_document(found.view),
        "namespace": metadata.get("namespace", ""),
        "createdAt": metadata.get("creationTimestamp", ""),
        "run": run_document(found.run) if found.run else None,
        "revisions": [{**one, "createdAt": one.pop("created_at")} for one in revisions],
        "conditions": [
            {key: one.get(key, "") for key in ("type", "status", "reason", "message")}
            for one in _conditions(found.view.service)
        ],
    }


def description_picture(found: Description, now: datetime) -> RenderableType:
    """The model for a terminal, as kn describes things."""
    facts = Table.grid(padding=(0, 2))
    for name, fact in _facts(found, now):
        if fact:
            facts.add_row(f"{name}:", fact)
    revisions = plain_table(
        ("REVISION", "TRAFFIC", "VERSION", "ROLE", "TAGS", "READY"),
        (_revision_row(one, now) for one in found.revisions),
    )
    conditions = plain_table(
        ("OK", "TYPE", "AGE", "REASON"), (_condition_row(one, now) for one in _conditions(found.view.service))
    )
    parts: list[RenderableType] = [facts]
    parts += ["", revisions] if found.revisions else []
    parts += ["", conditions] if found.view.service else []
    return Group(*parts)


def _facts(found: Description, now: datetime) -> list[tuple[str, str]]:
    shown, metadata = model_document(found.view), found.view.model["metadata"]
    return [
        ("Name", shown["name"]),
        ("Namespace", str(metadata.get("namespace", ""))),
        ("Age", age(str(metadata.get("creationTimestamp", "")), now)),
        ("Family", shown["family"]),
        ("URL", shown["url"]),
        *(
            (role.capitalize(), _with_percent(found, shown[role]))
            for role in ("champion", "candidate", "previous")
        ),
        ("Phase", shown["phase"]),
        ("Data", data_words(found.view)),
        ("Run", run_line(found.run) if found.run else ""),
        ("Quarantine", ", ".join(f"{version} ({reason})" for version, reason in shown["quarantine"].items())),
    ]


def _with_percent(found: Description, version: str) -> str:
    percent = sum(one.percent for one in found.revisions if one.version == version)
    return f"{version} {percent} %" if version and percent else version


def _revision_row(one: RevisionView, now: datetime) -> tuple[str, ...]:
    name = f"{one.name} [{one.generation}] ({age(one.created_at, now)})"
    ready = f"{one.ready} ({one.reason})" if one.reason else one.ready
    return (name, f"{one.percent} %", one.version, one.role, ", ".join(f"#{tag}" for tag in one.tags), ready)


def _condition_row(one: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    mark = _MARKS.get(str(one.get("status")), "??")
    return (
        mark,
        str(one.get("type", "")),
        age(str(one.get("lastTransitionTime", "")), now),
        "" if mark == "++" else _words(one),
    )


def _conditions(document: Document | None) -> list[Mapping[str, Any]]:
    """The conditions, but for one that says that nothing is the matter: KServe's Stopped is good when it is
    False."""
    found = ((document or {}).get("status") or {}).get("conditions") or []
    return [one for one in found if (one.get("type"), one.get("status")) != ("Stopped", "False")]


def _words(condition: Mapping[str, Any]) -> str:
    return ": ".join(str(condition[key]) for key in ("reason", "message") if condition.get(key))
