"""Two releases of knoll side by side, as during an upgrade: some calls are carried out by another one.

All run our code, so what is tried are readers and writers, and no decisions but ours. "ours" is the old
reader of "newer", which is the upgrade: it adds fields that ours does not know to every record, to each
object that lies in a dataset, to each file of a manifest, to every event, and to each object of a status, all
the way down. It makes lists longer, and its predictors take one more argument. What it added to a status must
still be there after ours has written it, and ours must not rewrite an InferenceService only because of that
argument. In half of all mixtures it writes its hints and caches in a schema that only "newer" reads; ours
must do without them.

"older" reads of a record the fields that knoll 0.2 knew, and of a status all. It writes the forms of knoll
0.1. The strict reader of 0.1 is not tried: it cannot read records that have a `schema`, so it never runs
beside another release (docs/operate.md). "older" stamps nothing, so with keys there are only "ours" and
"newer".
"""

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from typing import Any, BinaryIO, Literal

from knoll.errors import NotFound
from knoll.events import Event
from knoll.kube.annotations import RELEASE
from knoll.ports import Bucket, Cluster, Document, Events, ObjectStore, Platform
from knoll.records.evidence import load_report
from knoll.records.labels import load_labels
from knoll.records.record import Load
from knoll.records.recorded import load_recorded
from knoll.records.rollout import load_step
from knoll.records.run import load_run
from knoll.records.stamp import Stamped, stamped
from knoll.rollout.inference_service import asked
from records.kinds import GOLDEN
from support.statuses import objects_of

__all__ = ["ADDED", "Release", "platform_of", "release_of", "told"]

Release = Literal["ours", "newer", "older"]

ADDED = "addedLater"
_NEWER_RELEASE = "99.0.0"
_NEW: Mapping[str, Any] = {ADDED: {"by": "a newer knoll", "list": [1, None]}}
_NEWER_SCHEMA: Mapping[str, Any] = {"schema": 2, "needs": _NEWER_RELEASE}
# what a newer knoll may write in a schema of its own; tests/records/test_newer.py tries all such records
_HINTS = ("survey.json", "checksums", "progress")
_STAMPED: Mapping[str, Load[Stamped]] = {
    "runs": load_run,
    "inbox": load_run,
    "rollouts": load_step,
    "evidence": load_report,
    "labels": load_labels,
    "recorded": load_recorded,
}
_SINCE_0_2 = ("schema", "needs")
_OF_MODEL = ("model_uid", "model_generation", "prefix")
# without the first three each pass of an older one would begin them anew, and no rollout would end
_ROLLOUT_0_1 = (
    *("judgement", "comparison", "hooks"),
    *("step", "percent", "since", "seen", "attempt", "evidence", "transition"),
)


_ROLLOUT = ("status.rollout.transition.version",)
# what must be the same so that what a newer knoll added to such an object stays, and to those in it
_ABOUT: Mapping[str, Sequence[str]] = {
    "status": (),
    "status.dataset": ("status.dataset.digest",),
    "status.held": ("status.held.version",),
    "status.noRoom": ("status.noRoom.version",),
    "status.steering.wish": ("status.steering.wish.id",),
    "status.steering.edit": ("status.steering.edit.generation",),
    "status.rollout.evidence": _ROLLOUT,
    "status.rollout.judgement": ("status.rollout.judgement.began",),
    "status.rollout.transition": (*_ROLLOUT, "status.rollout.transition.number"),
    "status.rollout.decided": ("status.rollout.decided.version", "status.rollout.decided.number"),
    "status.rollout.comparison": ("status.rollout.comparison.version", "status.rollout.comparison.since"),
}
_LISTS = ("earlier", "replays", "championReplays")  # which it may make longer


def release_of(seed: int, call: int, *, has_keys: bool = False) -> Release:
    """Which release carries out a call: ours in one half, and always if the seed is 0."""
    if not seed:
        return "ours"
    drawn = sha256(f"{seed}.{call}".encode()).digest()[0]
    return "ours" if drawn < 128 else "newer" if drawn < 192 or has_keys else "older"


def platform_of(release: Release, world: Platform, wrong: list[str], seed: int) -> Platform:
    """The platform as a process of that release writes to it; `wrong` gets what ours has lost."""
    if release == "ours":
        return replace(world, cluster=_OurCluster(world.cluster, wrong))
    store = _OtherStore(world.store, world.bucket, release, seed % 2 == 1)
    events = _OtherEvents(world.events, release)
    return replace(world, store=store, cluster=_OtherCluster(world.cluster, release), events=events)


def told(event: Event, release: Release) -> Event:
    """The event as that release says it."""
    if release != "newer" or not isinstance(event.data, dict) or "kind" in event.extensions:
        return event
    return replace(event, data={**event.data, **_NEW})


def _is_newer_hint(body: bytes | None) -> bool:
    """Whether only a newer knoll understands what was read."""
    return body is not None and body.startswith(b"{") and json.loads(body).get("schema") == 2


@dataclass(frozen=True)
class _Passing:
    """A port that hands on all calls but those that a class below it has."""

    port: Any

    def __getattr__(self, method: str) -> Callable[..., Any]:
        found: Callable[..., Any] = getattr(self.port, method)
        return found


@dataclass(frozen=True)
class _OtherStore(_Passing):
    port: ObjectStore
    bucket: Bucket
    release: Release
    has_own_hints: bool

    def get(self, uri: str, **options: Any) -> bytes:
        """See `ports.ObjectStore.get`; a newer knoll reads what it has written, and an older one no more than
        it knew."""
        body = self.port.get(uri, **options)
        if self.release == "older":
            return _as_read_by_0_2(uri.removeprefix(f"{self.bucket.root}/"), body)
        if not _is_newer_hint(body):
            return body
        return json.dumps({**json.loads(body), "schema": 1}).encode()

    def put(
        self, uri: str, body: bytes | BinaryIO, *, if_absent: bool = False, content_type: str = ""
    ) -> str:
        """See `ports.ObjectStore.put`."""
        key = uri.removeprefix(f"{self.bucket.root}/")
        if isinstance(body, bytes) and key != uri and _is_record(key):
            body = _stamped(key, _record(key, body, self.release), self.bucket)
            if self.release == "newer" and self.has_own_hints and key.partition("/")[0] in _HINTS:
                body = json.dumps({**json.loads(body), **_NEWER_SCHEMA}).encode()
        return self.port.put(uri, body, if_absent=if_absent, content_type=content_type)


@dataclass(frozen=True)
class _OtherEvents(_Passing):
    port: Events
    release: Release

    def publish(self, event: Event) -> None:
        """See `ports.Events.publish`."""
        self.port.publish(told(event, self.release))


@dataclass(frozen=True)
class _OtherCluster(_Passing):
    port: Cluster
    release: Release

    def create(self, document: Document) -> Document:
        """See `ports.Cluster.create`."""
        return self.port.create(_with_its_argument(document, self.release))

    def update(self, document: Document, *, status: bool = False) -> Document:
        """See `ports.Cluster.update`."""
        if status and document["kind"] == "Model":
            document = {**document, "status": _status(document["status"], self.release)}
        return self.port.update(
            document if status else _with_its_argument(document, self.release), status=status
        )


@dataclass(frozen=True)
class _OurCluster(_Passing):
    port: Cluster
    wrong: list[str]

    def update(self, document: Document, *, status: bool = False) -> Document:
        """See `ports.Cluster.update`; what it loses, or rewrites in turn with a newer knoll, is wrong."""
        if not status and document["kind"] == "InferenceService" and self._is_only_restyled(document):
            self.wrong.append(
                f"doubled: {document['metadata']['name']} is rewritten in turn with a newer knoll"
            )
        before = self._status(document) if status and document["kind"] == "Model" else {}
        written = self.port.update(document, status=status)
        after = written.get("status") or {}
        name = document["metadata"]["name"]
        self.wrong.extend(
            f"lost: what a newer knoll added to the {place} of {name}" for place in _lost(before, after)
        )
        return written

    def _is_only_restyled(self, document: Document) -> bool:
        try:
            live = self.port.get("InferenceService", document["metadata"]["name"])
        except NotFound:
            return False
        is_newer = live["metadata"]["annotations"].get(RELEASE) == _NEWER_RELEASE
        return is_newer and asked(live) == asked(document)

    def _status(self, document: Document) -> Document:
        try:
            status: Document = self.port.get("Model", document["metadata"]["name"]).get("status") or {}
        except NotFound:
            return {}
        return status


def _with_its_argument(document: Document, release: Release) -> Document:
    if release != "newer" or document["kind"] != "InferenceService":
        return document
    grown = copy.deepcopy(document)
    grown["metadata"]["annotations"][RELEASE] = _NEWER_RELEASE
    (container,) = grown["spec"]["predictor"]["containers"]
    container["args"] = ["--added-later", "1", *container["args"]]
    return grown


def _lost(before: Document, after: Document) -> Iterator[str]:
    """The places at which something new was before and is not after, though all is about the same."""
    written = dict(objects_of(after))
    for place, was in objects_of(before):
        now = written.get(place)
        if not now or any(_fact(one, before) != _fact(one, after) for one in _about(place)):
            continue
        if ADDED in was and ADDED not in now:
            yield place
        yield from (f"{place}.{name}" for name in _LISTS if len(was.get(name, ())) > len(now.get(name, ())))


def _about(place: str) -> Sequence[str]:
    """What the object at that place is about: the rule of the place, or of the nearest one around it."""
    return _ABOUT[place] if place in _ABOUT else _about(place.rpartition(".")[0])


def _fact(place: str, status: Document) -> Any:
    """What is at that place, without what a newer knoll added."""
    found: Any = status
    for name in place.split(".")[1:]:
        found = (found or {}).get(name)
    return _without_new(found)


def _without_new(found: Any) -> Any:
    if not isinstance(found, dict):
        return found
    return {name: _without_new(one) for name, one in found.items() if name != ADDED}


def _is_record(key: str) -> bool:
    """Whether what lies there is a record, and no file of a version but its manifest."""
    return not key.startswith("models/") or key.endswith("/manifest.json")


def _record(key: str, body: bytes, release: Release) -> bytes:
    if not body.startswith(b"{"):
        return body
    fields = json.loads(body)
    fields.pop("manifest_sha256", "")  # of bytes that the other release writes in its own form
    if release == "older":
        return _as_0_1(key, {name: value for name, value in fields.items() if name not in _SINCE_0_2})
    return json.dumps({**_with_new(fields), **_NEW}).encode()


def _stamped(key: str, body: bytes, bucket: Bucket) -> bytes:
    """The record with the stamp of the release that writes it so, if it had one."""
    load = _STAMPED.get(key.partition("/")[0])
    record = load(body) if load else None
    return stamped(record, bucket).encode() if record and record.stamp else body


def _with_new(fields: Document) -> Document:
    """The same with a new field in each object of a list or table of objects that have a form."""
    grown = dict(fields)
    if "objects" in fields:
        grown["objects"] = [{**one, **_NEW} for one in fields["objects"]]
    if "files" in fields:
        grown["files"] = {name: {**one, **_NEW} for name, one in fields["files"].items()}
    return grown


def _as_read_by_0_2(key: str, body: bytes) -> bytes:
    """The record with the fields that knoll 0.2 knew."""
    known = _fields_of_0_2().get(key.partition("/")[0])
    if known is None or not body.startswith(b"{"):
        return body
    return json.dumps({name: one for name, one in json.loads(body).items() if name in known}).encode()


@cache
def _fields_of_0_2() -> Mapping[str, Set[str]]:
    """The fields of its records by folder, as its golden files have them. Those of a version are left out:
    their bytes are compared."""
    found: dict[str, set[str]] = {}
    bucket = GOLDEN / "knoll-0.2" / "bucket"
    for file in bucket.rglob("*"):
        folder = file.relative_to(bucket).parts[0]
        if file.is_file() and folder not in ("models", "removing") and file.read_bytes().startswith(b"{"):
            found.setdefault(folder, set()).update(json.loads(file.read_text()))
    return found


def _as_0_1(key: str, fields: Document) -> bytes:
    """The record in the form that it had in knoll 0.1."""
    kind = key.partition("/")[0]
    if kind == "claims":
        return str(fields["run"]).encode()
    if kind == "checksums":
        return json.dumps(fields["sha256"]).encode()
    if kind in ("runs", "inbox"):
        return json.dumps({name: one for name, one in fields.items() if name not in _OF_MODEL}).encode()
    if kind == "progress" and (reason := fields.pop("reason", "")):
        fields["state"] = f"{fields['state']}: {reason}"
    return json.dumps(fields, sort_keys=True, indent=1).encode()


def _status(status: Document, release: Release) -> Document:
    rollout = status.get("rollout")
    if release == "older":
        kept = rollout and {name: rollout[name] for name in _ROLLOUT_0_1 if name in rollout}
        return {**status, "rollout": kept} if rollout else status
    grown = copy.deepcopy(status)
    for _, found in list(objects_of(grown)):
        are_counts = all(type(one) is int for one in found.values())
        found.update({ADDED: 7} if found and are_counts else _NEW)
        found.update({name: [*found[name][:2], 7] for name in _LISTS if name in found})
    return grown
