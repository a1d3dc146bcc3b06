"""Fields of a status that only a newer knoll knows: they stay while their object is about the same. Pure."""

from collections.abc import Mapping
from typing import Any

from knoll import __version__
from knoll.errors import NewerSchema
from knoll.quoting import escaped

__all__ = ["newer_phase", "with_longer", "with_parts", "with_unknown"]


def newer_phase(phase: Any, needs: Any) -> NewerSchema:
    """The error for a phase that only a newer knoll knows. `needs` is the version of knoll that reads it, if
    the status says so."""
    reader = f"knoll {escaped(str(needs))} or a newer one" if needs else "the newer version that began it"
    told = f"the rollout is in phase {escaped(str(phase))}, which knoll {__version__} does not know"
    return NewerSchema(told, fix=f"use {reader}")


def with_unknown(known: Mapping[str, Any] | None, before: Any, *about: str) -> dict[str, Any] | None:
    """The object to write: with the fields that only the one `before` has, but without them if a field of
    `about` has changed. None if there is no object any more."""
    if known is None:
        return None
    is_same = isinstance(before, Mapping) and all(before.get(name) == known.get(name) for name in about)
    return {**before, **known} if is_same else dict(known)


def with_parts(known: Mapping[str, Any], before: Any) -> dict[str, Any]:
    """The object with the fields that only the one `before` has, and so the objects in it, to the leaves."""
    old = before if isinstance(before, Mapping) else {}
    parts = {name: with_parts(one, old.get(name)) for name, one in known.items() if isinstance(one, Mapping)}
    return {**old, **known, **parts}


def with_longer(known: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """The object to write. What a list `before` has behind the end of the known one stays."""
    longer = {
        name: [*one, *before[name][len(one) :]]
        for name, one in known.items()
        if isinstance(one, list) and isinstance(before.get(name), list)
    }
    return {**known, **longer}
