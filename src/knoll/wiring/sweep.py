"""The sweep function: with each tick, every stage does what is due, and what a lost event left undone."""

import logging
from collections.abc import Mapping

from knoll.errors import NewerSchema, Rejected, act_on_each
from knoll.events import Event
from knoll.events.http import event_from_http
from knoll.ports import Platform
from knoll.quoting import escaped
from knoll.wiring.stages import WORKING_STAGES
from knoll.wiring.survey import survey

__all__ = ["handle", "receive"]

_LOG = logging.getLogger(__name__)


class _Told:
    """What the log of this process said last of a sweep."""

    text = ""


def handle(event: Event, platform: Platform) -> None:
    """Let every stage sweep; if one fails, the others still do.

    A tick is never wrong. If something in the store is, or is a newer knoll's, the log says so, once as long
    as it stays so: the next tick tries again, and perhaps with a newer function.
    """
    sweeps = [stage.sweep for stage in WORKING_STAGES.values() if stage.sweep]
    told, fault = platform.caches.of(_Told), ""
    try:
        act_on_each([*sweeps, survey], lambda sweep: sweep(event, platform))
    except (Rejected, NewerSchema) as error:
        fault = escaped(f"{error}: {error.fix}" if error.fix else str(error))
        if fault != told.text:
            _LOG.error("the sweep did all but this: %s", fault)
    told.text = fault


def receive(headers: Mapping[str, str], body: bytes, platform: Platform) -> None:
    """Handle the tick in one POST. Raises InvalidEvent when the body is no event."""
    handle(event_from_http(headers, body), platform)
