"""What an API server asks of the metadata of any object, beside its name."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from knoll.errors import Fault
from knoll.quoting import shown

__all__ = ["faults_of_metadata"]

_NAME = r"[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?"
_KEY = re.compile(rf"(?:[a-z0-9](?:[-.a-z0-9]{{0,251}}[a-z0-9])?/)?{_NAME}", re.ASCII)
_VALUE = re.compile(rf"(?:{_NAME})?", re.ASCII)  # of a label
_MOST = 256 * 2**10  # bytes of all annotations
_FORM = "1-63 letters, digits, dashes, dots and underscores, with a letter or digit at both ends"


def faults_of_metadata(metadata: Mapping[Any, Any], namespace: str) -> Iterator[Fault]:
    """Why an object with this metadata cannot lie in that namespace."""
    place = metadata.get("namespace", namespace)
    if place != namespace:
        yield Fault(
            ("metadata", "namespace"),
            f"must be {namespace}, the namespace of this platform, not {shown(place)} (leave it out)",
        )
    for field in ("labels", "annotations"):
        entries = metadata.get(field) or {}
        if not isinstance(entries, Mapping):
            yield Fault(("metadata", field), f"must map texts to texts, not be {shown(entries)}")
            continue
        for key, value in entries.items():
            if fault := _fault_of_entry(key, value, is_label=field == "labels"):
                yield Fault(("metadata", field, str(key)), fault)
        if field == "annotations" and sum(len(f"{one}".encode()) for one in entries.values()) > _MOST:
            yield Fault(("metadata", field), f"has more than {_MOST:,} bytes; remove large texts")


def _fault_of_entry(key: Any, value: Any, *, is_label: bool) -> str:
    if not isinstance(key, str) or not isinstance(value, str):
        return f"{shown(key)}: {shown(value)} must be two texts (write quotes)"
    if not _KEY.fullmatch(key if is_label else key.lower()):
        return f"a key is {_FORM}, or a domain, a slash and such a name: example.com/team"
    if is_label and not _VALUE.fullmatch(value):
        return f"the value of a label is empty, or {_FORM}; {shown(value)} is not, but an annotation can be"
    return ""
