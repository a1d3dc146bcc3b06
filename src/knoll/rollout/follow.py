"""Rollouts between two ticks of a cluster: what is due meanwhile is done when it is due.

The ticks of a laptop are close enough. If no version is on trial, this ends with one listing.
"""

import logging
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta

from knoll.errors import KnollError, NotFound
from knoll.ports import Document, Platform
from knoll.rollout.due import due_of
from knoll.rollout.handler import advance

__all__ = ["FOLLOWED", "follow"]

_LOG = logging.getLogger(__name__)
FOLLOWED = timedelta(seconds=55)  # since the tick, in which it may ask; less than to the next tick
_PAUSE = timedelta(seconds=5)


def follow(since: datetime, platform: Platform) -> None:
    """Go on with each rollout when it is due, for most of the minute after the tick at `since`. What falls
    due while another one is advanced, or was swept, is next."""
    if platform.settings.cluster == "local":
        return
    until, done = since + FOLLOWED, since  # what was due by `done` was done
    while dues := _dues(platform.cluster.list("Model"), done):
        now = platform.clock.now()
        later = [due for due in dues.values() if due and due > done]
        following = max(now, min([*later, now + _PAUSE]))
        if following > until:
            return
        platform.clock.wait((following - now).total_seconds())
        _advance_all((name for name, due in dues.items() if due and done < due <= following), until, platform)
        done = following


def _dues(documents: Iterable[Document], done: datetime) -> dict[str, datetime | None]:
    """The Models with a version on trial, and when each is due after `done`."""
    found = {}
    for one in documents:
        if (one.get("status") or {}).get("phase") not in (None, "", "Idle"):
            with suppress(KnollError):  # a phase of a newer knoll
                found[one["metadata"]["name"]] = due_of(one, done)
    return found


def _advance_all(names: Iterable[str], until: datetime, platform: Platform) -> None:
    for name in names:
        try:
            with suppress(NotFound):
                advance(name, until, platform)
        except KnollError as error:
            _LOG.warning("model %s: %s; the next tick tries again", name, error)
