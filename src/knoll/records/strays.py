"""Strays: what lies in the model bucket, and is not what its place asks for.

Readers pass strays over, each in its module. Here they are found and named, for people.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from knoll.errors import NewerSchema, NotFound, Rejected, Unavailable
from knoll.names import MODEL_NAME, RUN_ID, VERSION_NAME, join, model_of_run
from knoll.ports import Bucket, ObjectInfo
from knoll.records.attestation import load_attestation
from knoll.records.checksums import load_checksums
from knoll.records.claim import load_claim
from knoll.records.dataset import load_dataset
from knoll.records.dead_letter import load_death, load_replay
from knoll.records.evidence import load_report
from knoll.records.manifest import ATTESTATION, MANIFEST, load_manifest
from knoll.records.outcome import load_outcome
from knoll.records.probe import load_probe
from knoll.records.progress import load_progress
from knoll.records.record import MOST_BYTES, read_some
from knoll.records.rollout import load_step
from knoll.records.run import load_run

__all__ = ["Stray", "find_strays", "model_of_key", "why_stray"]

_THREADS = 8
_Facts = dict[str, str]
_FILE = r"[^/\x00-\x1f\x7f]+(/[^/\x00-\x1f\x7f]+)*"


@dataclass(frozen=True)
class Stray:
    """An object that fits nowhere: its key, and why."""

    key: str
    why: str


@dataclass(frozen=True)
class _Place:
    """Keys of one kind of record. `load` reads it; None takes any bytes. `says` is what the record says of
    the parts of its key that have the same names."""

    key: re.Pattern[str]
    load: Callable[[bytes], Any] | None = None
    says: Callable[[Any], _Facts] = lambda _: {}


def _place(key: str, load: Callable[[bytes], Any] | None = None, *names: str, **more: Any) -> _Place:
    """The place for that key, in which <name> stands for the pattern of a name."""
    patterns = {
        "model": MODEL_NAME.pattern,
        "run": RUN_ID.pattern,
        "version": VERSION_NAME.pattern,
        "letter": "[0-9a-f]{20}",
        "digest": "[0-9a-f]{64}",
    }
    for name, pattern in patterns.items():
        key = key.replace(f"<{name}>", f"(?P<{name}>{pattern})")

    def says(record: Any) -> _Facts:
        return {name: str(getattr(record, name)) for name in names}

    return _Place(re.compile(key, re.ASCII), load, more.get("says", says))


def _says_step(step: Any) -> _Facts:
    return {"model": step.model, "version": step.rollout, "number": f"{step.number:06d}"}


def _says_report(one: Any) -> _Facts:
    name = f"{one.instance}.{one.requests:016d}"
    return {"model": one.model, "version": one.version, "name": name}


_PLACES = (
    _place(r"datasets/<model>/<digest>\.json", load_dataset, "model", "digest"),
    _place(r"checksums/<model>\.json", load_checksums),
    _place(
        r"inbox/<run>\.\d{8}T\d{12}Z\.json",
        load_run,
        says=lambda run: {"run": run.id, "owner": run.model},
    ),
    _place(r"runs/<run>\.json", load_run, says=lambda run: {"run": run.id, "owner": run.model}),
    _place(r"progress/<run>\.json", load_progress),
    _place(r"outcomes/<run>\.json", load_outcome, says=lambda one: {"run": one.run} if one.run else {}),
    _place(r"superseded/<run>\.json"),
    _place(r"claims/<model>/<version>", load_claim),
    _place(rf"models/<model>/<version>/{re.escape(MANIFEST)}", load_manifest, "model", "version"),
    _place(rf"models/<model>/<version>/{re.escape(ATTESTATION)}", load_attestation),
    _place(rf"models/<model>/<version>/(?P<file>{_FILE})"),
    _place(r"removing/<model>/<version>\.json", load_manifest, "model", "version"),
    _place(r"rollouts/<model>/<version>/(?P<number>\d{6,9})\.json", load_step, says=_says_step),
    _place(
        r"evidence/<model>/<version>/(?P<name>[-.\w]{1,63}\.\d{16})\.json", load_report, says=_says_report
    ),
    _place(r"probe\.json", load_probe),
    _place(r"uploads/[^/]+/[^/]+"),
    _place(r"probes/[^/]+/.+"),
    _place(r"dead-letters/<letter>/death-[0-9a-f]{20}\.json", load_death),
    _place(r"dead-letters/<letter>/replay-\d{6,}\.json", load_replay),
    _place(r"replays/<letter>\.\d{6,}\.json", load_replay),
)
_KNOWN = {one.key.pattern.partition("/")[0] for one in _PLACES}
_OF_A_MODEL = re.compile(
    rf"(?:[a-z-]+/(?P<folder>{MODEL_NAME.pattern})(?:/|\.json$)|[a-z-]+/(?P<run>{RUN_ID.pattern})\b)",
    re.ASCII,
)


def find_strays(bucket: Bucket, listing: Iterable[ObjectInfo] | None = None) -> Iterator[Stray]:
    """All strays of the bucket, or those in a listing of it, in the order of the keys."""
    root = join(bucket.root, "")
    found = bucket.store.list(root) if listing is None else listing
    with ThreadPoolExecutor(_THREADS) as pool:
        whys = pool.map(lambda one: (one.uri.removeprefix(root), why_stray(one, bucket)), found)
        yield from (Stray(key, why) for key, why in whys if why)


def model_of_key(key: str) -> str:
    """The model whose place the key is in; "" for none."""
    match = _OF_A_MODEL.match(key)
    if not match:
        return ""
    return match["folder"] or model_of_run(match["run"])


def why_stray(one: ObjectInfo, bucket: Bucket) -> str:
    """Why the object is not what its place asks for; "" if it is, or if it is gone."""
    key = one.uri.removeprefix(join(bucket.root, ""))
    if key.endswith("/"):
        return "it stands for a folder, and knoll writes none"
    place, match = _place_of(key)
    if place is None or match is None:
        top = key.partition("/")[0]
        return f"no record in {top}/ has such a name" if top in _KNOWN else "knoll writes nothing there"
    try:
        return _fault(one, place, match.groupdict(), bucket)
    except (NotFound, NewerSchema):
        return ""
    except Unavailable as error:
        return f"it cannot be read: {error}"


def _fault(one: ObjectInfo, place: _Place, named: dict[str, str | None], bucket: Bucket) -> str:
    if place.load is None:
        return ""
    if one.size > MOST_BYTES:
        return f"it has {one.size:,} bytes, and a record has {MOST_BYTES:,} at most"
    try:
        said = place.says(place.load(read_some(one.uri, bucket)))
    except (Rejected, ValueError) as error:
        return f"it cannot be read: {error}"
    wanted = {name: text for name, text in named.items() if text is not None}
    if "run" in wanted:
        wanted["owner"] = model_of_run(wanted["run"])
    wrong = next((name for name, text in said.items() if wanted.get(name) != text), "")
    return f"it says that its {wrong} is {said[wrong][:80]}" if wrong else ""


def _place_of(key: str) -> tuple[_Place | None, re.Match[str] | None]:
    for place in _PLACES:
        if match := place.key.fullmatch(key):
            return place, match
    return None, None
