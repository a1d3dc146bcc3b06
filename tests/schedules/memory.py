"""Store and documents that can return to an earlier state, and time and names that repeat.

A schedule must be the same each time it is played. So nothing in it may depend on the machine: not the time,
not a random name, not the order of threads.
"""

import marshal
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, BinaryIO
from unittest.mock import patch

from knoll import keys
from knoll.adapters import document_table
from knoll.adapters.cluster_local import LocalCluster
from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.cluster import MemoryCluster
from knoll.adapters.memory.store import MemoryStore
from knoll.families.base import readahead
from knoll.ingest import checksums
from knoll.models import document as declaration
from knoll.ports import Document
from knoll.records import rollout, run, strays
from knoll.rollout import revision_keys, slot
from knoll.train import handler

__all__ = ["Documents", "Names", "Objects", "Time", "repeatable"]


class Time(MemoryClock):
    """The clock of a schedule. It also passes while something is written."""

    def after_a_moment(self) -> datetime:
        """The present, a moment later: writing takes time."""
        self.move(0.001)
        return self.present

    def whole_second(self) -> datetime:
        """The same, as a store that shows whole seconds has it."""
        return self.after_a_moment().replace(microsecond=0)


class Objects(MemoryStore):
    """The object store. It counts writes, and calls `note` with the bytes before and after each of them."""

    def __init__(
        self,
        time: Time,
        note: Callable[[str, bytes | None, bytes | None], None],
        *,
        keeps_versions: bool,
        whole_seconds: bool,
    ) -> None:
        super().__init__(
            time.whole_second if whole_seconds else time.after_a_moment, keeps_versions=keeps_versions
        )
        self._note = note
        self.writes = 0

    def put(
        self, uri: str, body: bytes | BinaryIO, *, if_absent: bool = False, content_type: str = ""
    ) -> str:
        """See `ports.ObjectStore.put`."""
        before, content = self._body(uri), body if isinstance(body, bytes) else body.read()
        etag = super().put(uri, content, if_absent=if_absent, content_type=content_type)
        self.writes += 1
        self._note(uri, before, content)
        return etag

    def delete(self, uri: str) -> None:
        """See `ports.ObjectStore.delete`."""
        self._note(uri, self._body(uri), None)
        super().delete(uri)
        self.writes += 1

    def _body(self, uri: str) -> bytes | None:
        stored = self._objects.get(uri)
        return stored.body if stored else None

    def save(self) -> tuple[Any, ...]:
        """The whole state, for `load`."""
        return (
            dict(self._objects),
            list(self._order),
            {uri: list(past) for uri, past in self._past.items()},
            self.writes,
        )

    def load(self, saved: tuple[Any, ...]) -> None:
        """Return to that state."""
        objects, order, past, self.writes = saved
        self._objects, self._order, self._past = (
            dict(objects),
            list(order),
            {uri: list(each) for uri, each in past.items()},
        )

    def key(self) -> object:
        """Equal for stores that hold the same."""
        return tuple((uri, stored.info.etag, stored.info.modified) for uri, stored in self._objects.items())


class Documents(MemoryCluster):
    """The document store. It calls `note` with each document that is written, and `note_status` with each
    whose status is."""

    def __init__(
        self, time: Time, note: Callable[[Document], None], note_status: Callable[[Document], None]
    ) -> None:
        super().__init__("default", time)
        self._note, self._note_status, self._created = note, note_status, 0
        self._revision = super().revision()

    def create(self, document: Document) -> Document:
        """See `ports.Cluster.create`."""
        created = super().create(document)
        self._revision = super().revision()
        self._note(created)
        return created

    def update(self, document: Document, *, status: bool = False) -> Document:
        """See `ports.Cluster.update`."""
        written = super().update(document, status=status)
        self._revision = super().revision()
        (self._note_status if status else self._note)(written)
        return written

    def delete(self, kind: str, name: str, *, version: str = "") -> None:
        """See `ports.Cluster.delete`."""
        super().delete(kind, name, version=version)
        self._revision = super().revision()

    def revision(self) -> int:
        """See `LocalCluster.revision`. It is asked for at each call of a schedule, so it is remembered."""
        return self._revision

    def save(self) -> tuple[bytes, int, int]:
        """The whole state, for `load`."""
        return self._one.serialize(), self._created, self._revision

    def load(self, saved: tuple[bytes, int, int]) -> None:
        """Return to that state."""
        documents, self._created, self._revision = saved
        self._one.deserialize(documents)

    def key(self) -> object:
        """Equal for stores that hold the same."""
        return tuple(self._one.execute("SELECT kind, name, body FROM documents ORDER BY kind, name"))

    def _new_uid(self) -> str:
        self._created += 1
        return f"00000000-0000-0000-0000-{self._created:012d}"


class _Inline:
    """A pool that makes its calls in the caller's thread, in order."""

    def __init__(self, *_: object, **__: object) -> None:
        return

    def __enter__(self) -> "_Inline":
        return self

    def __exit__(self, *_: object) -> None:
        return

    def shutdown(self, **_: object) -> None:
        return

    def submit(self, act: Callable[..., Any], *given: Any, **options: Any) -> "Future[Any]":
        """Do it now."""
        done: Future[Any] = Future()
        try:
            done.set_result(act(*given, **options))
        except Exception as error:
            done.set_exception(error)
        return done

    def map(self, act: Callable[..., Any], *given: Iterable[Any]) -> Iterator[Any]:
        """Do it for each, in turn."""
        return map(act, *given)


class Names:
    """The source of names that are random elsewhere."""

    given = 0

    @classmethod
    def next(cls) -> uuid.UUID:
        """Another one."""
        cls.given += 1
        return uuid.UUID(int=cls.given)


_MOST = 4096  # results that are kept of one function


def _spec_once(read: Callable[[Mapping[Any, Any], str], Any]) -> Callable[[Mapping[Any, Any], str], Any]:
    """The reader of specs, which reads equal ones once."""

    @lru_cache(_MOST)
    def read_bytes(spec: bytes, name: str) -> Any:
        return read({"spec": marshal.loads(spec)}, name)

    def read_once(document: Mapping[Any, Any], name: str) -> Any:
        return (
            read_bytes(marshal.dumps(document["spec"], 2), name)
            if "spec" in document
            else read(document, name)
        )

    return read_once


def _verified_once(verify: Callable[..., bool]) -> Callable[..., bool]:
    """The check of a key signature, which checks each one once."""
    known: dict[tuple[str, bytes, bytes], bool] = {}

    def verify_once(key: keys.VerifyKey, body: bytes, signature: bytes) -> bool:
        if len(known) > _MOST:
            known.clear()
        asked = (key.id, body, signature)
        if asked not in known:
            known[asked] = verify(key, body, signature)
        return known[asked]

    return verify_once


def _checked_once(check: Callable[..., Any]) -> Callable[..., Any]:
    """The check of a document that is written, which checks equal ones once."""
    known: dict[bytes, Any] = {}

    def check_once(cluster: LocalCluster, document: Document) -> Any:
        try:
            asked = marshal.dumps(document, 2)
        except ValueError:  # it is not JSON
            return check(cluster, document)
        if len(known) > _MOST:
            known.clear()
        if asked not in known:
            known[asked] = check(cluster, document)
        return known[asked]

    return check_once


def _by_content(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The reader of JSON objects, which reads equal ones once."""

    @lru_cache(_MOST)
    def read_bytes(found: bytes) -> Any:
        return read(marshal.loads(found))

    return lambda found: read_bytes(marshal.dumps(found, 2))


def _holders(work: Any) -> list[Any]:
    """The modules that have this function by its name."""
    return [one for one in [*sys.modules.values()] if getattr(one, "__dict__", {}).get(work.__name__) is work]


@contextmanager
def repeatable() -> Iterator[None]:
    """Play schedules inside this: pools work in one thread, and names are numbered from the first on. What
    follows from its arguments alone is worked out once: keys, key signatures, and what documents say. No
    reader may change a document, which others have, too."""
    Names.given = 0
    with ExitStack() as patches:
        for module in (checksums, handler, readahead, strays):
            patches.enter_context(patch.object(module, "ThreadPoolExecutor", _Inline))
        once: tuple[tuple[Any, str, Callable[[Any], Any]], ...] = (
            (keys, "read_signer", cache),
            (keys, "read_verify_keys", cache),
            (keys.VerifyKey, "has_signed", _verified_once),
            (revision_keys, "derived_key", lru_cache(_MOST)),
            (declaration, "_read_spec", _spec_once),
            (document_table, "_decoded", lru_cache(_MOST)),
            (LocalCluster, "_checked", _checked_once),
            (rollout, "load_step", lru_cache(_MOST)),
            (run, "load_run", lru_cache(_MOST)),
        )
        read_slot = _by_content(slot.slot_from_status)
        for holder in _holders(slot.slot_from_status):
            patches.enter_context(patch.object(holder, "slot_from_status", read_slot))
        for place, name, memory in once:
            patches.enter_context(patch.object(place, name, memory(getattr(place, name))))
        patches.enter_context(patch("uuid.uuid4", Names.next))
        yield
