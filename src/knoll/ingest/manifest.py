"""The rule `manifest`: one object, written last, lists every object of the dataset with its sha256.

It is a JSON list right under the prefix, `[{"path": "1/a.png", "sha256": "…", "size": 123}, …]`; `path` is
relative to the prefix, and `size`, in bytes, may be left out. The dataset waits until all objects are there
as they are listed. No fault is final, because the next upload may mend it. Objects that are not listed are
not part of the dataset. Files that are not data are ignored, even if they are listed.
"""

from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from knoll.data_files import Skipped, tally, why_skipped
from knoll.errors import InvalidData
from knoll.ingest.verdict import Landed, Waiting, last_write, pinned, there
from knoll.json_faults import why_not_json
from knoll.models import Model
from knoll.ports import ObjectInfo
from knoll.value_faults import value_fault

__all__ = ["MOST_BYTES", "ManifestEntry", "by_manifest", "dump_manifest", "read_manifest"]

MOST_BYTES = 16 * 2**20  # of a manifest: a hundred thousand files, which ingest can keep in memory


def _right_path(path: str) -> str:
    if not all(part not in ("", ".", "..") for part in path.split("/")):
        raise ValueError(
            "write a path under the prefix, such as 1/a.png, without . or .. and without a slash at its ends"
        )
    return path


class ManifestEntry(BaseModel):
    """One object of the dataset: its path under the prefix, its sha256 in lower-case hex, and its size in
    bytes, if it is known."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    path: Annotated[str, AfterValidator(_right_path)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)] | None = None


_ENTRIES = TypeAdapter(list[ManifestEntry])


@dataclass(frozen=True)
class _Listed:
    """An entry, and the object in its place, if there is one."""

    entry: ManifestEntry
    uri: str
    info: ObjectInfo | None


def read_manifest(body: bytes) -> Sequence[ManifestEntry]:
    """The entries of a manifest. Raises InvalidData, which says what is wrong."""
    try:
        entries = _ENTRIES.validate_json(body.removeprefix(BOM_UTF8))
    except ValidationError as error:
        raise InvalidData(_fault(error, body)) from error
    twice = [path for path, count in Counter(one.path for one in entries).items() if count > 1]
    if twice or not entries:
        raise InvalidData(f"it lists {twice[0]!r} twice" if twice else "it lists nothing")
    return entries


def dump_manifest(entries: Sequence[ManifestEntry]) -> bytes:
    """The manifest of these entries, as JSON."""
    return _ENTRIES.dump_json(list(entries), indent=1, exclude_none=True)


def by_manifest(
    model: Model,
    listing: Sequence[ObjectInfo],
    body: bytes,
    sha256: Mapping[tuple[str, str], str],
    now: datetime,
) -> Landed | Waiting:
    """Decide by the manifest's bytes; `sha256` is by URI and etag, of the objects that were read."""
    uri = model.dataset.uri + model.dataset.landed.manifest
    if not listing:
        ends = f"knoll upload {model.name} PATH ends the wait"
        return Waiting(f"no data under {model.dataset.uri}", ends=ends)
    by_uri = {one.uri: one for one in listing}
    if uri not in by_uri:
        reason = f"{there(listing)}, the manifest {uri} is not: write it last"
        return Waiting(reason, since=last_write(listing), have=len(listing))
    if by_uri[uri].size > MOST_BYTES:
        return Waiting(f"the manifest {uri} is larger than {MOST_BYTES} bytes: list fewer, larger files")
    try:
        entries = read_manifest(body)
    except InvalidData as error:
        return Waiting(f"the manifest {uri} is wrong: {error}; mend it and write it again")
    listed = _listed(model, entries, by_uri)
    if not listed:
        return Waiting(f"the manifest {uri} lists no data; mend it and write it again")
    return _by_listed(model, listed, by_uri, sha256, now)


def _by_listed(
    model: Model,
    listed: Sequence[_Listed],
    by_uri: Mapping[str, ObjectInfo],
    sha256: Mapping[tuple[str, str], str],
    now: datetime,
) -> Landed | Waiting:
    """Decide by what the manifest lists, and by what is there."""
    uri = model.dataset.uri + model.dataset.landed.manifest
    faults = [fault for one in listed if (fault := _difference(one, uri, sha256))]
    since = by_uri[uri].modified.isoformat()
    if faults:
        more = f" (the first of {len(faults)} faults)" if len(faults) > 1 else ""
        reason = f"{faults[0]}{more}: upload what the manifest lists, or write the manifest again"
        return Waiting(reason, since=since, have=len(listed) - len(faults), need=len(listed))
    objects = [one.info for one in listed if one.info]
    unread = tuple(one for one in objects if (one.uri, one.etag) not in sha256)
    if unread:
        return Waiting(
            f"each object of the manifest is there; the sha256 of {len(unread)} of {len(objects)} is still "
            "to be read",
            unread=unread,
            since=since,
            ends="ingest reads some with each tick",
            have=len(objects) - len(unread),
            need=len(objects),
        )
    dataset = pinned(model, objects, by_uri[uri].modified, now, {one.uri: one.entry.sha256 for one in listed})
    return Landed((replace(dataset, skipped=_skipped(model, by_uri, {uri, *(one.uri for one in listed)})),))


def _listed(
    model: Model, entries: Iterable[ManifestEntry], by_uri: Mapping[str, ObjectInfo]
) -> list[_Listed]:
    places = ((one, model.dataset.uri + one.path) for one in entries if why_skipped(one.path) is None)
    return [_Listed(one, uri, by_uri.get(uri)) for one, uri in places]


def _skipped(model: Model, uris: Iterable[str], known: Set[str]) -> tuple[Skipped, ...]:
    keys = (uri.removeprefix(model.dataset.uri) for uri in uris if uri not in known)
    return tally((why_skipped(key) or "not in the manifest", key) for key in keys)


def _difference(one: _Listed, manifest: str, sha256: Mapping[tuple[str, str], str]) -> str:
    """How the object differs from its entry; "" if no difference is known."""
    if one.uri == manifest:
        return "the manifest lists itself"
    if one.info is None:
        return f"{one.uri} is in the manifest and not in the bucket"
    if one.entry.size not in (None, one.info.size):
        return f"{one.uri} has {one.info.size} bytes, and {one.entry.size} in the manifest"
    found = sha256.get((one.uri, one.info.etag), one.entry.sha256)
    return (
        ""
        if found == one.entry.sha256
        else f"{one.uri} has sha256 {found}, and {one.entry.sha256} in the manifest"
    )


def _fault(error: ValidationError, body: bytes) -> str:
    """The first fault and its place, in words."""
    first = error.errors()[0]
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
    words = {
        "json_invalid": f"it is not JSON: {why_not_json(body)}",
        "string_pattern_mismatch": "write 64 lower-case hex digits, as sha256sum prints them",
        "extra_forbidden": "there is no such field: write path, sha256 and size",
        "list_type": 'write a list: [{"path": "1/a.png", "sha256": "…"}]',
    }.get(first["type"], value_fault(first))
    return f"{place}: {words}" if place else words
