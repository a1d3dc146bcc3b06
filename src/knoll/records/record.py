"""What all records have in common: JSON with sorted keys, a schema, and one way to read and to write them.

Records outlive the code that wrote them, and during an upgrade old and new functions read the same ones. So a
reader passes over fields that it does not know, and fills in the defaults of those that it lacks. `schema`
rises only when an old reader would misunderstand a record; then that reader refuses it, and says which knoll
reads it. What work can go on without counts as absent instead, so that nobody can stop a model with it:
progress, checkpoints, checksums, the survey, recorded requests, the refusals of dead letters, late causes,
and a snapshot, for whoever has its data. tests/records/test_newer.py tries all of them but checkpoints, which
tests/trainer/test_resuming.py tries.

If nothing is there, `find_…` returns None, or an empty collection where it finds many. `read_…` raises
NotFound.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, GetPydanticSchema, TypeAdapter, ValidationError

from knoll import __version__
from knoll.errors import AlreadyExists, NewerSchema, NotFound, Rejected, newer_fix
from knoll.json_faults import why_not_json
from knoll.media_types import JSON
from knoll.ports import Bucket
from knoll.value_faults import field_fault

__all__ = [
    "LENIENT",
    "MOST_BYTES",
    "Fields",
    "Load",
    "Numbers",
    "Record",
    "Texts",
    "find",
    "find_hint",
    "is_there",
    "newer_at",
    "overwrite",
    "put_once",
    "read_some",
    "reader",
]

MOST_BYTES = 64 * 2**20  # of one record; a snapshot of 300,000 objects has this size
LENIENT = ConfigDict(strict=True, extra="ignore")  # of types, nothing is converted

# A Mapping is read as a dict, for which pydantic takes a tenth of the time.
Fields = Annotated[Mapping[str, Any], GetPydanticSchema(lambda _, handler: handler(dict[str, Any]))]
Texts = Annotated[Mapping[str, str], GetPydanticSchema(lambda _, handler: handler(dict[str, str]))]
Numbers = Annotated[Mapping[str, float], GetPydanticSchema(lambda _, handler: handler(dict[str, float]))]

_ATOMS = (str, int, float)
_Kind = TypeVar("_Kind", bound="Record")
_Read = TypeVar("_Read")
Load = Callable[[bytes], _Read]


@dataclass(frozen=True, kw_only=True)
class Record:
    """`schema` is 1 until an old reader would misunderstand the record. If `schema` is above 1, `needs` names
    the oldest knoll that reads the record."""

    schema: int = 1
    needs: str = ""

    def encode(self) -> bytes:
        """The record as JSON with sorted keys, so that equal records are equal bytes."""
        return json.dumps(self.fields(), sort_keys=True, indent=1).encode()

    def fields(self) -> dict[str, Any]:
        """What the JSON has; `needs` only where it says something."""
        found: dict[str, Any] = _as_json(self)
        if not self.needs:
            del found["needs"]
        return found


def _as_json(value: Any) -> Any:
    """The value with dicts in place of dataclasses. Before Python 3.12, `asdict` copies each text and number,
    and so takes three times as long."""
    if value is None or isinstance(value, _ATOMS):
        return value
    if isinstance(value, dict):
        return {name: _as_json(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_as_json, value))
    if is_dataclass(value):
        return {one.name: _as_json(getattr(value, one.name)) for one in fields(value)}
    return value


def reader(
    kind: type[_Kind], what: str, *, file: str = "this", fault: type[Rejected] = Rejected
) -> Load[_Kind]:
    """A function that reads a record of this kind.

    It raises `fault` if the bytes are no such record, and NewerSchema if only a newer knoll understands them.
    """
    adapter: TypeAdapter[_Kind] = TypeAdapter(kind)

    def load(body: bytes) -> _Kind:
        try:
            record = adapter.validate_json(body)
        except ValidationError as error:
            _check_schema(body, kind.schema, what)
            raise fault(f"{file} is not {_with_article(what)}: {_why(body, error)}") from error
        if record.schema > kind.schema:
            raise _newer(record.schema, record.needs, kind.schema, what)
        return record

    return load


def find(uri: str, load: Load[_Read], bucket: Bucket) -> _Read | None:
    """The record at this place; None when there is none. Raises what `load` raises, and StoreUnavailable.
    NewerSchema names the place."""
    try:
        body = read_some(uri, bucket)
    except NotFound:
        return None
    try:
        return load(body)
    except NewerSchema as error:
        raise newer_at(uri, error) from error


def newer_at(uri: str, error: NewerSchema) -> NewerSchema:
    """The error with the place of the record."""
    return NewerSchema(f"{error} ({uri})", fix=error.fix)


def find_hint(uri: str, load: Load[_Read], bucket: Bucket) -> _Read | None:
    """The hint or cache at this place. None also if it cannot be read, or only by a newer knoll: work goes on
    without it, and writes it anew. Anybody could write one that stays for ever."""
    with suppress(Rejected, NewerSchema):
        return find(uri, load, bucket)
    return None


def read_some(uri: str, bucket: Bucket) -> bytes:
    """The object, cut off behind MOST_BYTES: then it is no JSON. Raises NotFound and StoreUnavailable."""
    return bucket.store.get(uri, part=range(MOST_BYTES + 1))


def is_there(uri: str, bucket: Bucket) -> bool:
    """Whether there is an object at this very place, by a listing alone."""
    return next((one.uri for one in bucket.store.list(uri)), "") == uri


def put_once(uri: str, record: Record | bytes, bucket: Bucket) -> bool:
    """Write the record, or a copy of its bytes, unless there is one already; whether this call wrote it.
    Raises StoreUnavailable."""
    body = record if isinstance(record, bytes) else record.encode()
    try:
        bucket.store.put(uri, body, if_absent=True, content_type=JSON)
    except AlreadyExists:
        return False
    return True


def overwrite(uri: str, record: Record, bucket: Bucket) -> None:
    """Write the record, over an older one if there is one. Raises StoreUnavailable."""
    bucket.store.put(uri, record.encode(), content_type=JSON)


def _why(body: bytes, error: ValidationError) -> str:
    """The first fault, in words."""
    first = error.errors(include_url=False)[0]
    is_json = first["type"] != "json_invalid"
    return field_fault(first) if is_json else f"it is not JSON: {why_not_json(body)}"


def _with_article(what: str) -> str:
    return f"{'an' if what[0] in 'aeiou' else 'a'} {what}"


def _check_schema(body: bytes, newest: int, what: str) -> None:
    """Raise NewerSchema if that is why the record cannot be read."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return
    schema = _number(found.get("schema")) if isinstance(found, dict) else 0
    if schema > newest:
        raise _newer(schema, str(found.get("needs") or ""), newest, what)


def _number(schema: Any) -> float:
    """A schema as a number: another writer may have made 2.0 or "2" of 2. 0 if it is none."""
    if isinstance(schema, str):
        return int(schema) if schema.isdecimal() and len(schema) < 10 else 0
    return schema if isinstance(schema, int | float) else 0


def _newer(schema: float, needs: str, newest: int, what: str) -> NewerSchema:
    told = f"this {what} has schema {schema}, and knoll {__version__} reads {newest} at most"
    return NewerSchema(told, fix=newer_fix(needs))
