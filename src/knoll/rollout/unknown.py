"""Fields of a status that only a newer knoll knows: they stay while their object is about the same. Pure."""

from collections.abc import Mapping
from typing import Any

__all__ = ["with_longer", "with_parts", "with_unknown"]


def with_unknown(known: Mapping[str, Any] | None, before: Any, *about: str) -> dict[str, Any] | None:
    """The object as it is to be written, with the fields that only the one `before` has; without them if a
    field of `about` has changed. None if there is no object any more."""
    if known is None:
        return None
    return {**before, **known} if _is_same(known, before, about) else dict(known)


def with_parts(known: Mapping[str, Any] | None, before: Any, *about: str) -> dict[str, Any] | None:
    """The same, for the objects in it, too."""
    if known is None or not _is_same(known, before, about):
        return None if known is None else dict(known)
    parts = {
        name: with_unknown(one, before.get(name)) for name, one in known.items() if isinstance(one, Mapping)
    }
    return {**before, **known, **parts}


def with_longer(known: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """The object as it is to be written: what a list `before` has behind the end of the known one stays."""
    longer = {
        name: [*one, *before[name][len(one) :]]
        for name, one in known.items()
        if isinstance(one, list) and isinstance(before.get(name), list)
    }
    return {**known, **longer}


def _is_same(known: Mapping[str, Any], before: Any, about: tuple[str, ...]) -> bool:
    return isinstance(before, Mapping) and all(before.get(name) == known.get(name) for name in about)
