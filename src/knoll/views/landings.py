"""The states in which a model's data has landed, newest first, and what each of them led to."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from knoll.data_files import Skipped
from knoll.data_kinds import is_archive
from knoll.data_layout import Form, find_layout, foldered
from knoll.errors import InvalidData, NewerSchema, NotFound, Rejected
from knoll.ports import Platform
from knoll.records.dataset import Dataset, list_datasets
from knoll.records.run import find_run
from knoll.views.ids import list_run_ids
from knoll.views.models import ModelView
from knoll.views.run import RunView, read_run
from knoll.views.versions import read_version

__all__ = ["Change", "Landing", "change_between", "landing_document", "read_landings"]


@dataclass(frozen=True)
class Change:
    """How many objects were added, removed and changed since the landing before."""

    added: int
    removed: int
    changed: int


@dataclass(frozen=True)
class Landing:
    """One state of the data. `landed_at` is when it landed for the first time, `classes` are None if they are
    not known, and `change` is None if the landing before is not known. `is_now` says that the data in the
    bucket is in this state, as the Model's status has it. `run` is the newest run on it, "" for none, and
    `version` what that run made. `state` and `reason` are those of the version, else of the run. `left_out`
    are the bad files that the run did without.
    """

    digest: str
    landed_at: str
    is_now: bool
    objects: int
    bytes: int
    classes: tuple[str, ...] | None
    change: Change | None
    run: str
    version: str
    state: str
    reason: str
    left_out: tuple[Skipped, ...] = ()


def read_landings(platform: Platform, model: ModelView, form: Form, limit: int) -> Sequence[Landing]:
    """The newest landings of a model whose family takes files of that form. Spoilt snapshots are passed
    over."""
    found = sorted(
        islice(list_datasets(model.name, platform.bucket), limit + 1),
        key=lambda one: (one[1], one[0].landed_at),  # a store may tell times in whole seconds
        reverse=True,
    )
    shown = found[:limit]
    runs = _runs_of(platform, model, {one.digest: at for one, at in shown})
    before = [one for one, _ in found[1:]]
    return [
        _landing(platform, model, dataset, at, old, form, runs.get(dataset.digest))
        for (dataset, at), old in zip(shown, [*before, None], strict=False)
    ]


def change_between(old: Dataset, new: Dataset) -> Change:
    """What was added, removed and overwritten, by URIs and etags."""
    before, after = ({one.uri: one.etag for one in data.objects} for data in (old, new))
    both = before.keys() & after.keys()
    changed = sum(before[uri] != after[uri] for uri in both)
    return Change(len(after) - len(both), len(before) - len(both), changed)


def landing_document(one: Landing) -> dict[str, Any]:
    """The landing as `-o json` shows it; unknown values are null or empty."""
    change = one.change and {
        "added": one.change.added,
        "removed": one.change.removed,
        "changed": one.change.changed,
    }
    return {
        "digest": one.digest,
        "landedAt": one.landed_at,
        "now": one.is_now,
        "objects": one.objects,
        "bytes": one.bytes,
        "classes": None if one.classes is None else list(one.classes),
        "change": change,
        "run": one.run,
        "version": one.version,
        "state": one.state,
        "reason": one.reason,
        "leftOut": [asdict(some) for some in one.left_out],
    }


def _landing(
    platform: Platform,
    model: ModelView,
    dataset: Dataset,
    written: datetime,
    old: Dataset | None,
    form: Form,
    run: RunView | None,
) -> Landing:
    state, reason = _outcome_of(platform, model.name, run)
    return Landing(
        digest=dataset.digest,
        landed_at=dataset.landed_at or written.isoformat(),
        is_now=model.data_state == "Landed" and dataset.digest == model.landed_digest,
        objects=len(dataset.objects),
        bytes=sum(one.size for one in dataset.objects),
        classes=_classes(dataset, form),
        change=change_between(old, dataset) if old else None,
        run=run.run.id if run else "",
        version=run.version if run else "",
        state=state,
        reason=reason,
        left_out=run.left_out if run else (),
    )


def _classes(dataset: Dataset, form: Form) -> tuple[str, ...] | None:
    """The classes by the names of the files; None if there are none, or if archives hold them."""
    keys = foldered((one.uri.removeprefix(dataset.prefix) for one in dataset.objects), form)
    if keys and not any(map(is_archive, keys)):
        with suppress(InvalidData):
            return tuple(sorted(set(find_layout(keys).classes.values())))
    return None


def _runs_of(platform: Platform, model: ModelView, written: Mapping[str, datetime]) -> dict[str, RunView]:
    """For each digest the run that the Model asks for, else the newest one. It reads records of runs until
    each digest has one, and none that is older than all snapshots: a snapshot is written before its run."""
    found: dict[str, RunView] = {}
    digests = written.keys()
    ids = list_run_ids(platform, model.name, min(written.values(), default=None))
    for id in sorted(ids, key=lambda one: one != model.asked_run):
        if len(found) == len(digests):
            break
        with suppress(Rejected, NewerSchema, NotFound):
            run = find_run(id, platform.bucket)
            if run and run.dataset_digest in digests - found.keys():
                found[run.dataset_digest] = read_run(platform, id)
    return found


def _outcome_of(platform: Platform, model: str, run: RunView | None) -> tuple[str, str]:
    """State and reason of the version that the run has made, else of the run."""
    if run is None:
        return "", ""
    if not run.version:
        return run.state, run.trouble
    try:
        version = read_version(platform, model, run.version)
    except NotFound:
        return "removed", ""
    except (Rejected, NewerSchema) as error:
        return "unreadable", str(error)
    return version.state, version.reason
