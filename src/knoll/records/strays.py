"""Strays: objects of the model bucket that do not belong where they lie.

Each reader ignores strays. Here they are found and named, for people. Records that only a newer knoll
understands are named, too, although they are in their place and no damage.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby, islice

from knoll.errors import NewerSchema, NotFound, Rejected, Unavailable
from knoll.names import MODEL_NAME, RUN_ID, VERSION_NAME, join, model_of_run, version_name
from knoll.ports import Bucket, ObjectInfo
from knoll.records.claim import in_a_row
from knoll.records.doubts import doubt_folder
from knoll.records.manifest import MANIFEST, extra_files, load_manifest
from knoll.records.places import KNOWN, RecordPlace, place_of
from knoll.records.record import MOST_BYTES, read_some

__all__ = ["Stray", "find_strays", "model_of_key", "stray_place"]

_THREADS = 8
_AT_ONCE = 256  # groups of objects
_VERSION_FOLDER = re.compile(r"models/([^/]+)/([^/]+)/")


@dataclass(frozen=True)
class Stray:
    """An object that fits nowhere: its key, and why.

    If it is a record that only a newer knoll understands, `fix` says which one; else it is "".
    """

    key: str
    why: str
    fix: str = ""


def stray_place(stray: Stray, bucket: Bucket) -> str:
    """Where the stray lies, for people. Its key may be any text."""
    return f"{bucket.root}/{stray.key}"


_OF_RUNS = ("runs", "causes", "inbox", "progress", "outcomes", "superseded", "logs")
_FOLDER = re.compile(rf"({MODEL_NAME.pattern})(?:/|\.json$)", re.ASCII)


def find_strays(bucket: Bucket, is_read: Callable[[ObjectInfo], bool] = lambda _: True) -> Iterator[Stray]:
    """All strays of the bucket, by one listing. If an object is not read, only its name is judged."""
    root, claims, named = join(bucket.root, ""), _Claims(), set[str]()
    groups = _groups(bucket.store.list(root), root)
    with ThreadPoolExecutor(_THREADS) as pool:
        while some := [*islice(groups, _AT_ONCE)]:
            for group in some:
                claims.see(group[0].uri.removeprefix(root))
            are_read = [[is_read(one) for one in group] for group in some]
            for strays in pool.map(lambda group, read: _look(group, read, bucket), some, are_read):
                named.update(one.key for one in strays)
                yield from strays
    yield from (one for one in claims.behind_gaps() if one.key not in named)


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
    whys: dict[str, str] = {}
    newer: list[Stray] = []
    for key, one, is_read in zip(keys, group, are_read, strict=True):
        try:
            whys[key] = _why_stray(one, bucket, is_read=is_read)
        except NewerSchema as error:
            newer.append(Stray(key, str(error), error.fix))
    match = _VERSION_FOLDER.match(keys[0])
    if match and any(are_read) and "" in whys.values():
        whys |= _whys_in_folder(match, whys, bucket)
    return [*newer, *(Stray(key, why) for key, why in whys.items() if why)]


def _whys_in_folder(match: re.Match[str], whys: Mapping[str, str], bucket: Bucket) -> Mapping[str, str]:
    """Why the objects in the folder of a version are strays, for which nothing else says it."""
    fine = [key for key, why in whys.items() if not why]
    if doubt := doubt_folder(match[1], match[2], bucket):
        return dict.fromkeys(fine, doubt)
    if match[0] + MANIFEST not in fine:
        return {}
    extra = set(_extra_files(match[0], [*whys], bucket)).intersection(fine)
    return dict.fromkeys(extra, "the manifest of its version does not name it, and nothing reads it")


def _extra_files(folder: str, keys: Sequence[str], bucket: Bucket) -> Iterator[str]:
    with suppress(NotFound, NewerSchema, Rejected):
        manifest = load_manifest(read_some(join(bucket.root, folder + MANIFEST), bucket))
        for name in extra_files(manifest, (key.removeprefix(folder) for key in keys)):
            yield folder + name


class _Claims:
    """The versions that are claimed, of each model."""

    def __init__(self) -> None:
        self._names: dict[str, set[str]] = {}

    def see(self, key: str) -> None:
        """Take the key, if it is that of a claim."""
        place, _, name = key.partition("/")
        model, _, version = name.partition("/")
        if place == "claims" and VERSION_NAME.fullmatch(version):
            self._names.setdefault(model, set()).add(version)

    def behind_gaps(self) -> Iterator[Stray]:
        """The claims that are not in a row with those before."""
        for model, names in self._names.items():
            row = {*in_a_row(names)}
            why = f"{version_name(1 + len(row))} was never claimed, and numbers are claimed in order"
            yield from (Stray(f"claims/{model}/{name}", why) for name in sorted(names - row))


def model_of_key(key: str, models: Iterable[str] = ()) -> str:
    """The model whose place the key is in; "" for none. In a place of runs, a name may be of no run: then it
    is the model with the longest name that the key's name begins with."""
    place, _, name = key.partition("/")
    match = RUN_ID.match(name) if place in _OF_RUNS else _FOLDER.match(name)
    if match:
        return match[1]
    begins = (one for one in models if place in _OF_RUNS and name.startswith(f"{one}-"))
    return max(begins, key=len, default="")


def _why_stray(one: ObjectInfo, bucket: Bucket, *, is_read: bool) -> str:
    """Why the object is not what its place asks for; "" if it is, or if it is gone. Raises NewerSchema."""
    key = one.uri.removeprefix(join(bucket.root, ""))
    if key.endswith("/"):
        return "it is an empty object for a folder, and knoll writes none"
    place, match = place_of(key)
    if place is None or match is None:
        top = key.partition("/")[0]
        return f"no record in {top}/ has such a name" if top in KNOWN else "knoll writes nothing there"
    if not is_read:
        return ""
    try:
        return _fault(one, place, match.groupdict(), bucket)
    except NotFound:
        return ""
    except NewerSchema:
        raise
    except Unavailable as error:
        return f"it cannot be read: {error}"


def _fault(one: ObjectInfo, place: RecordPlace, named: dict[str, str | None], bucket: Bucket) -> str:
    if place.load is None:
        return ""
    if one.size > MOST_BYTES:
        return f"it has {one.size:,} bytes, and a record has {MOST_BYTES:,} at most"
    wanted = {name: text for name, text in named.items() if text is not None}
    body = read_some(one.uri, bucket)
    try:
        record = place.load(body)
        said = place.says(record)
    except NewerSchema:
        if doubt := place.doubt_newer(body, wanted, bucket):
            return doubt
        raise
    except (Rejected, ValueError) as error:
        return f"it cannot be read: {error}"
    if "run" in wanted:
        wanted["owner"] = model_of_run(wanted["run"])
    wrong = next((name for name, text in said.items() if wanted.get(name) != text), "")
    if wrong:
        return f"it says that its {wrong} is {said[wrong][:80]}"
    with suppress(NewerSchema):  # of another record: then nobody here can doubt this one
        return place.doubt(record, wanted, bucket)
    return ""
