"""The sweep function: with each tick, every stage does what is due, and what a lost event left undone."""

import logging
from collections.abc import Callable, Iterable

from knoll.errors import NewerSchema, Rejected, act_on_each
from knoll.events import Event
from knoll.ports import Platform
from knoll.quoting import escaped

__all__ = ["sweep_all"]

_LOG = logging.getLogger(__name__)


class _Told:
    """What this process last logged about a sweep."""

    text = ""


def sweep_all(event: Event, platform: Platform, sweeps: Iterable[Callable[[Event, Platform], None]]) -> None:
    """Let every stage sweep; if one fails, the others still do.

    A tick is never refused. If something in the store is wrong, or only a newer knoll reads it, the log says
    so, once as long as it stays so. The next tick tries again, perhaps with a newer function.
    """
    told, fault = platform.caches.of(_Told), ""
    try:
        act_on_each(sweeps, lambda sweep: sweep(event, platform))
    except (Rejected, NewerSchema) as error:
        fault = escaped(f"{error}: {error.fix}" if error.fix else str(error))
        if fault != told.text:
            _LOG.error("the sweep could not do this part: %s", fault)
    told.text = fault
