"""Wishes: what humans ask of a rollout. Pure.

A wish is an annotation of the Model. Rollout grants or refuses it in one write of the slot, which keeps the
wish's id. So each wish is carried out once, even if several functions see it. A wish grows as records do: an
unknown field is passed over, and one of a newer schema is left to the newer function.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import KW_ONLY, asdict, dataclass, replace
from hashlib import sha256
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config

from knoll import __version__
from knoll.errors import NewerSchema, newer_fix
from knoll.kube.annotations import ROLLOUT_WISH
from knoll.quoting import escaped
from knoll.rollout.slot import Slot, slot_from_status

__all__ = [
    "LONGEST_TEXT",
    "Verb",
    "Wish",
    "check_wish",
    "known_wish",
    "new_wish",
    "open_wish",
]

Verb = Literal["pause", "resume", "promote", "abort", "undo", "retry", "approve", "reject"]
_LENIENT = ConfigDict(strict=True, extra="ignore")
LONGEST_TEXT = 200  # characters
_Text = Annotated[str, Field(max_length=LONGEST_TEXT)]


@with_config(_LENIENT)
@dataclass(frozen=True)
class _Named:
    """What every knoll reads of a wish. `schema` rises with a verb, or anything else, that an old function
    would refuse or misunderstand; `needs` then names the oldest knoll that carries it out."""

    id: Annotated[str, Field(min_length=1, max_length=200)]
    _: KW_ONLY
    schema: Annotated[int, Field(ge=1)] = 1
    needs: _Text = ""


@with_config(_LENIENT)
@dataclass(frozen=True)
class Wish(_Named):
    """What is asked for. `version` is the one that is meant: for the verbs of a trial the candidate that was
    seen, "" for none. `is_full` promotes through all steps, and `because` says why a version is rejected. A
    wish that cannot be read has no verb."""

    verb: _Text
    version: _Text = ""
    is_full: bool = False
    at: _Text = ""
    by: _Text = ""
    because: _Text = ""

    @property
    def words(self) -> str:
        """Verb and version."""
        return " ".join(filter(None, (self.verb, self.version)))

    def encode(self) -> str:
        """The value of the annotation."""
        return json.dumps(asdict(self))


_NAMED, _WISH = TypeAdapter(_Named), TypeAdapter(Wish)


def new_wish(verb: Verb, version: str, by: str, at: str, *, is_full: bool = False, because: str = "") -> Wish:
    """A wish of its own id."""
    return Wish(uuid.uuid4().hex, verb, version, is_full, at, by, because)


def open_wish(document: Mapping[str, Any], slot: Slot) -> Wish | None:
    """The wish of the Model that was not handled yet; None if there is none."""
    text = (document["metadata"].get("annotations") or {}).get(ROLLOUT_WISH)
    if not text:
        return None
    wish = _read(str(text))
    return None if wish.id == slot.steering.handled.id else wish


def known_wish(document: Mapping[str, Any], slot: Slot) -> Wish | None:
    """The same; None also if only a newer knoll understands it."""
    wish = open_wish(document, slot)
    return wish if wish and wish.schema <= Wish.schema else None


def check_wish(document: Mapping[str, Any]) -> None:
    """Raise NewerSchema if only a newer knoll understands the open wish of the Model."""
    wish = open_wish(document, slot_from_status(document.get("status") or {}))
    if wish and wish.schema > Wish.schema:
        name, read = document["metadata"]["name"], f"knoll {__version__} reads {Wish.schema} at most"
        raise NewerSchema(
            f"the wish for model {name} has schema {wish.schema}, and {read}",
            fix=newer_fix(wish.needs),
        )


def _read(text: str) -> Wish:
    """The wish in the annotation. One that cannot be read is named after its text. One of a newer schema has
    no verb."""
    try:
        named = _NAMED.validate_json(text)
        if named.schema > Wish.schema:
            return Wish(named.id, "", schema=named.schema, needs=escaped(named.needs))
        wish = _WISH.validate_json(text)
    except ValidationError:
        return Wish(sha256(text.encode(errors="replace")).hexdigest()[:32], "")
    return replace(wish, by=escaped(wish.by) or "somebody", because=escaped(wish.because))
