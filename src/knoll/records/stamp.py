"""Stamps: signatures in records that the functions write, and that somebody with the keys of the bucket could
forge to change what is trained or served.

The key stands in the settings of functions only. A stamp signs the kind of the record, and all fields that
are not as their default: so a field that is added later spoils no older stamp. Defaults must never change.
"""

import json
from base64 import b64decode, b64encode
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any, TypeVar

from knoll.errors import Unavailable
from knoll.ports import Bucket
from knoll.records.record import Record
from knoll.settings import variable

__all__ = ["Stamped", "is_stamped", "stamped"]

_Kind = TypeVar("_Kind", bound="Stamped")


@dataclass(frozen=True, kw_only=True)
class Stamped(Record):
    """A record with a `stamp`, in base64; "" if nobody has stamped it."""

    stamp: str = ""

    def fields(self) -> dict[str, Any]:
        """See `Record.fields`; an empty stamp is left out."""
        found = super().fields()
        if not self.stamp:
            del found["stamp"]
        return found


def stamped(record: _Kind, bucket: Bucket) -> _Kind:
    """The record with the stamp of this function; the record itself if the platform asks for no stamps. The
    same record gets the same stamp.

    Raises Unavailable if the platform asks for stamps, and this process has no key for them.
    """
    if not bucket.stamp_key:
        if bucket.stamp_verify_key:
            raise Unavailable(
                "this function has no key to stamp its records with (KNOLL_STAMP_KEY), and the platform "
                "believes no others",
                fix="knoll up and make deploy make the keys: docs/operate.md, under Keys",
            )
        return record
    from knoll.keys import read_signer  # only where a key is set: its library takes a while to load

    signer = read_signer(bucket.stamp_key, variable("stamp_key"))
    return replace(record, stamp=b64encode(signer.sign(_said(record))).decode())


def is_stamped(record: Stamped, bucket: Bucket) -> bool:
    """Whether a function of this platform has written the record, as it is. Without keys all are believed."""
    if not bucket.stamp_verify_key:
        return True
    from knoll.keys import read_verify_keys

    try:
        stamp = b64decode(record.stamp, validate=True)
    except ValueError:
        return False
    keys = read_verify_keys(bucket.stamp_verify_key, variable("stamp_verify_key"))
    return bool(stamp) and any(key.has_signed(_said(record), stamp) for key in keys.values())


def _said(record: Stamped) -> bytes:
    said = asdict(record)
    for one in fields(record):
        default = one.default if one.default_factory is MISSING else one.default_factory()
        if one.name == "stamp" or said[one.name] == default:
            del said[one.name]
    return f"knoll {type(record).__name__}\n{json.dumps(said, sort_keys=True)}".encode()
