"""Stamps: key signatures in records that somebody with the keys of the bucket could forge to change what is
trained or served.

The key stands in the settings of functions only; trainers sign their records with the key of versions. A
stamp signs the kind of the record and all fields that its JSON has, also those that its reader does not know:
so a stamp counts in older and in newer functions.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar

from knoll.errors import NewerSchema, Rejected, Unavailable
from knoll.json_faults import why_not_json
from knoll.ports import Bucket
from knoll.records.record import Load, Record, find, reader
from knoll.settings import variable

__all__ = [
    "UNSIGNED",
    "UNSTAMPED",
    "Stamped",
    "are_all_stamped",
    "find_known",
    "find_stamped",
    "has_keys",
    "is_body_stamped",
    "is_stamped",
    "known_reader",
    "stamped",
    "stamped_reader",
    "why_unstamped",
]

UNSTAMPED = "no function of this platform has stamped it"
UNSIGNED = "neither a trainer nor a function of this platform has signed it"
_Kind = TypeVar("_Kind", bound="Stamped")


@dataclass(frozen=True, kw_only=True)
class Stamped(Record):
    """A record with a `stamp`, in base64; "" if nobody has stamped it. If trainers write such records,
    `by_trainers` is true: then the keys of versions count, too."""

    by_trainers: ClassVar[bool] = False
    stamp: str = ""
    _read: ClassVar[Mapping[str, Any]] = {}  # each record that was read has its own: all fields but the stamp

    def fields(self) -> dict[str, Any]:
        """See `Record.fields`; an empty stamp is left out."""
        found = super().fields()
        if not self.stamp:
            del found["stamp"]
        return found

    def encode(self) -> bytes:
        """See `Record.encode`. A record that was read has the fields that it had there, and no others; a copy
        made by `replace` has those that this knoll knows."""
        said = {**_signed_fields(self), **({"stamp": self.stamp} if self.stamp else {})}
        return json.dumps(said, sort_keys=True, indent=1).encode()


def stamped_reader(kind: type[_Kind], what: str) -> Load[_Kind]:
    """As `reader`, for records that have stamps."""
    load = reader(kind, what)

    def load_all(body: bytes) -> _Kind:
        record = load(body)
        try:
            read = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise Rejected(f"this {what} has a field that cannot be read: {why_not_json(body)}") from error
        return _with_read(record, {name: value for name, value in read.items() if name != "stamp"})

    return load_all


def stamped(record: _Kind, bucket: Bucket) -> _Kind:
    """The record with the stamp of this process; the record itself if the platform asks for no stamps. The
    same record gets the same stamp. Trainers, which have no key for stamps, sign with the key of versions.

    Raises Unavailable if the platform asks for stamps, and this process has no key for them.
    """
    signs = record.by_trainers and not bucket.stamp_key
    key, name = (bucket.sign_key, "sign_key") if signs else (bucket.stamp_key, "stamp_key")
    if not key:
        if are_all_stamped(type(record), bucket):
            trainer = f"; {variable('sign_key')} in a trainer" if record.by_trainers else ""
            raise Unavailable(
                f"this process has no key to stamp its records with ({variable('stamp_key')}{trainer}), and "
                "the platform ignores records without a stamp",
                fix="knoll up and make deploy make the keys: docs/operate.md, under Keys",
            )
        return record
    from knoll.keys import read_signer  # only where a key is set: its library takes a while to load

    signer = read_signer(key, variable(name))
    stamp = b64encode(signer.sign(_said(record))).decode()
    return _with_read(replace(record, stamp=stamp), record._read)


def is_stamped(record: Stamped, bucket: Bucket) -> bool:
    """Whether this platform has written the record, as it is. Without keys all are believed."""
    kind = type(record)
    return not has_keys(kind, bucket) or _has_signed(kind, _said(record), record.stamp, bucket)


def has_keys(kind: type[Stamped], bucket: Bucket) -> bool:
    """Whether the platform has public keys for stamps of that kind of record."""
    return bool(bucket.verify_key if kind.by_trainers else bucket.stamp_verify_key)


def are_all_stamped(kind: type[Stamped], bucket: Bucket) -> bool:
    """Whether everybody who writes such records has a key: functions, and also trainers, if they write
    some."""
    return bool(bucket.stamp_verify_key and (bucket.verify_key or not kind.by_trainers))


def why_unstamped(kind: type[Stamped]) -> str:
    """The words for a record of that kind whose stamp does not count."""
    return UNSIGNED if kind.by_trainers else UNSTAMPED


def is_body_stamped(kind: type[Stamped], body: bytes, bucket: Bucket) -> bool:
    """See `is_stamped`: whether the bytes are such a record, of any schema."""
    if not has_keys(kind, bucket):
        return True
    try:
        read = json.loads(body)
        stamp = read.pop("stamp", "") if isinstance(read, dict) else ""
        return isinstance(stamp, str) and _has_signed(kind, _as_said(kind, read), stamp, bucket)
    except (ValueError, RecursionError):
        return False


def known_reader(load: Load[_Kind], kind: type[_Kind], bucket: Bucket) -> Load[_Kind]:
    """As `load`, but it raises Rejected for what claims to be of a newer knoll, and has no stamp."""

    def load_known(body: bytes) -> _Kind:
        try:
            return load(body)
        except NewerSchema as error:
            if is_body_stamped(kind, body, bucket):
                raise
            raise Rejected(why_unstamped(kind)) from error

    return load_known


def find_known(uri: str, load: Load[_Kind], kind: type[_Kind], bucket: Bucket) -> _Kind | None:
    """The record at this place, stamped or not; None when there is none. Raises what `known_reader` does."""
    return find(uri, known_reader(load, kind, bucket), bucket)


def find_stamped(uri: str, load: Load[_Kind], kind: type[_Kind], bucket: Bucket) -> _Kind | None:
    """See `find_known`. Raises Rejected also for any other record that this platform has not stamped."""
    record = find_known(uri, load, kind, bucket)
    if record and not is_stamped(record, bucket):
        raise Rejected(why_unstamped(kind))
    return record


def _has_signed(kind: type[Stamped], said: bytes, stamp: str, bucket: Bucket) -> bool:
    from knoll.keys import read_verify_keys

    try:
        signature = b64decode(stamp, validate=True)
    except ValueError:
        return False
    given = {"stamp_verify_key": bucket.stamp_verify_key}
    if kind.by_trainers:
        given["verify_key"] = bucket.verify_key
    keys = [
        key for name, pems in given.items() if pems for key in read_verify_keys(pems, variable(name)).values()
    ]
    return bool(signature) and any(key.has_signed(said, signature) for key in keys)


def _with_read(record: _Kind, read: Mapping[str, Any]) -> _Kind:
    """The new record, which remembers what was read."""
    object.__setattr__(record, "_read", read)
    return record


def _said(record: Stamped) -> bytes:
    return _as_said(type(record), _signed_fields(record))


def _as_said(kind: type[Stamped], signed: Mapping[str, Any]) -> bytes:
    return f"knoll {kind.__name__}\n{json.dumps(signed, sort_keys=True)}".encode()


def _signed_fields(record: Stamped) -> dict[str, Any]:
    own = {name: value for name, value in record.fields().items() if name != "stamp"}
    return {name: own.get(name, value) for name, value in record._read.items()} or own
