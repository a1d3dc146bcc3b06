"""What an API server asks of the metadata of any object, beside its name."""

from collections.abc import Iterator, Mapping
from typing import Any

from knoll.errors import Fault

__all__ = ["faults_of_metadata"]


def faults_of_metadata(metadata: Mapping[Any, Any], namespace: str) -> Iterator[Fault]:
    """Why an object with this metadata cannot lie in that namespace."""
    place = metadata.get("namespace", namespace)
    if place != namespace:
        yield Fault(
            ("metadata", "namespace"),
            f"must be {namespace}, the namespace of this platform, not {place!r} (leave it out)",
        )
    for field in ("labels", "annotations"):
        entries = metadata.get(field) or {}
        if not isinstance(entries, Mapping):
            yield Fault(("metadata", field), f"must map texts to texts, not be {entries!r}")
            continue
        for key, value in entries.items():
            if not isinstance(key, str) or not isinstance(value, str):
                yield Fault(("metadata", field), f"{key!r}: {value!r} must be two texts (write quotes)")
