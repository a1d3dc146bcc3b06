"""Strays: what lies in the model bucket, and is not what its place asks for.

Readers pass strays over, each in its module. Here they are found and named, for people.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

from knoll.errors import NewerSchema, NotFound, Rejected, Unavailable
from knoll.names import MODEL_NAME, RUN_ID, VERSION_NAME, join, model_of_run, version_name
from knoll.ports import Bucket, ObjectInfo
from knoll.records.attestation import load_attestation
from knoll.records.checksums import load_checksums
from knoll.records.claim import in_a_row, load_claim
from knoll.records.dataset import load_dataset
from knoll.records.dead_letter import load_death, load_replay
from knoll.records.evidence import load_report
from knoll.records.golden import load_golden
from knoll.records.manifest import ATTESTATION, MANIFEST, extra_files, load_manifest
from knoll.records.outcome import load_outcome
from knoll.records.probe import load_probe
from knoll.records.progress import load_progress
from knoll.records.record import MOST_BYTES, read_some
from knoll.records.rollout import load_step
from knoll.records.run import load_run
from knoll.records.survey import load_survey

__all__ = ["Stray", "find_strays", "model_of_key"]

_THREADS = 8
_AT_ONCE = 256  # groups of objects
_VERSION_FOLDER = re.compile(r"models/[^/]+/[^/]+/")
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
    _place(
        r"golden/<model>/<digest>\.json",
        load_golden,
        says=lambda pin: {"model": pin.model, "digest": pin.place},
    ),
    _place(rf"models/<model>/<version>/{re.escape(MANIFEST)}", load_manifest, "model", "version"),
    _place(rf"models/<model>/<version>/{re.escape(ATTESTATION)}", load_attestation),
    _place(rf"models/<model>/<version>/(?P<file>{_FILE})"),
    _place(r"removing/<model>/<version>\.json", load_manifest, "model", "version"),
    _place(r"rollouts/<model>/<version>/(?P<number>\d{6,9})\.json", load_step, says=_says_step),
    _place(
        r"evidence/<model>/<version>/(?P<name>[-.\w]{1,63}\.\d{16})\.json", load_report, says=_says_report
    ),
    _place(r"probe\.json", load_probe),
    _place(r"survey\.json", load_survey),
    _place(r"uploads/[^/\x00-\x1f\x7f]+/[^/\x00-\x1f\x7f]+"),
    _place(r"probes/[^/]+/.+"),
    _place(r"dead-letters/<letter>/death-[0-9a-f]{20}\.json", load_death),
    _place(r"dead-letters/<letter>/replay-\d{6,}\.json", load_replay),
    _place(r"replays/<letter>\.\d{6,}\.json", load_replay),
)
_KNOWN = {one.key.pattern.partition("/")[0] for one in _PLACES}
_OF_RUNS = ("runs", "inbox", "progress", "outcomes", "superseded")
_FOLDER = re.compile(rf"({MODEL_NAME.pattern})(?:/|\.json$)", re.ASCII)


def find_strays(bucket: Bucket, is_read: Callable[[ObjectInfo], bool] = lambda _: True) -> Iterator[Stray]:
    """All strays of the bucket, by one listing. Of objects that are not read only the names are judged."""
    root, claims = join(bucket.root, ""), _Claims()
    groups = _groups(bucket.store.list(root), root)
    with ThreadPoolExecutor(_THREADS) as pool:
        while some := [*islice(groups, _AT_ONCE)]:
            unclaimed = [claims.look(group, root) for group in some]
            are_read = [[is_read(one) for one in group] for group in some]
            looked = pool.map(lambda group, read: _look(group, read, bucket), some, are_read)
            for strays, others in zip(looked, unclaimed, strict=True):
                yield from [*strays, *others]
    yield from claims.behind_gaps()


def _groups(listing: Iterable[ObjectInfo], root: str) -> Iterator[list[ObjectInfo]]:
    """The objects one by one; those in the folder of a version together."""

    def folder(one: ObjectInfo) -> str:
        key = one.uri.removeprefix(root)
        match = _VERSION_FOLDER.match(key)
        return match[0] if match else key

    yield from ([*group] for _, group in groupby(listing, folder))


def _look(group: Sequence[ObjectInfo], are_read: Sequence[bool], bucket: Bucket) -> list[Stray]:
    """The strays of a group."""
    root = join(bucket.root, "")
    keys = [one.uri.removeprefix(root) for one in group]
    whys = {
        key: _why_stray(one, bucket, is_read=is_read)
        for key, one, is_read in zip(keys, group, are_read, strict=True)
    }
    match = _VERSION_FOLDER.match(keys[0])
    if match and any(are_read) and whys.get(match[0] + MANIFEST) == "":
        for name in _extra_files(match[0], keys, bucket):
            whys[name] = whys[name] or "the manifest of its version does not name it, and nothing reads it"
    return [Stray(key, why) for key, why in whys.items() if why]


def _extra_files(folder: str, keys: Sequence[str], bucket: Bucket) -> Iterator[str]:
    with suppress(NotFound, NewerSchema, Rejected):
        manifest = load_manifest(read_some(join(bucket.root, folder + MANIFEST), bucket))
        for name in extra_files(manifest, (key.removeprefix(folder) for key in keys)):
            yield folder + name


class _Claims:
    """The versions that are claimed, of each model. Claims are listed before rollouts."""

    def __init__(self) -> None:
        self._names: dict[str, set[str]] = {}

    def look(self, group: Sequence[ObjectInfo], root: str) -> list[Stray]:
        """Take a claim; the strays of the group, if it is a step of a version that nobody has claimed."""
        key = group[0].uri.removeprefix(root)
        place, model, version = (*key.split("/", 3), "", "")[:3]
        if not MODEL_NAME.fullmatch(model) or not VERSION_NAME.fullmatch(version):
            return []
        if place == "claims" and key.count("/") == 2:
            self._names.setdefault(model, set()).add(version)
        elif place == "rollouts" and version not in self._names.get(model, ()):
            return [Stray(key, f"no run has claimed {version}")]
        return []

    def behind_gaps(self) -> Iterator[Stray]:
        """The claims that are not in a row with those before."""
        for model, names in self._names.items():
            row = {*in_a_row(names)}
            why = f"{version_name(1 + len(row))} was never claimed, and numbers are claimed in a row"
            yield from (Stray(f"claims/{model}/{name}", why) for name in sorted(names - row))


def model_of_key(key: str, models: Iterable[str] = ()) -> str:
    """The model whose place the key is in; "" for none. In a place of runs, what is named after no run is
    told of the one of the `models` whose name it begins with."""
    place, _, name = key.partition("/")
    match = RUN_ID.match(name) if place in _OF_RUNS else _FOLDER.match(name)
    if match:
        return match[1]
    begins = (one for one in models if place in _OF_RUNS and name.startswith(f"{one}-"))
    return max(begins, key=len, default="")


def _why_stray(one: ObjectInfo, bucket: Bucket, *, is_read: bool) -> str:
    """Why the object is not what its place asks for; "" if it is, or if it is gone."""
    key = one.uri.removeprefix(join(bucket.root, ""))
    if key.endswith("/"):
        return "it stands for a folder, and knoll writes none"
    place, match = _place_of(key)
    if place is None or match is None:
        top = key.partition("/")[0]
        return f"no record in {top}/ has such a name" if top in _KNOWN else "knoll writes nothing there"
    if not is_read:
        return ""
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
