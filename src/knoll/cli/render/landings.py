"""The landings of a model's data in a table."""

from collections.abc import Sequence
from datetime import datetime

from knoll.cli.tables import Cell, state_cell
from knoll.data_files import left_out_words
from knoll.views.landings import Change, Landing
from knoll.views.units import age, short_digest, size

__all__ = ["LANDING_HEADINGS", "landing_row", "left_out_lines"]

_DATA, _LED_TO = ("LANDED", "NOW", "OBJECTS", "SIZE", "CLASSES"), ("RUN", "VERSION", "STATE", "AGE", "WHY")
LANDING_HEADINGS = (*_DATA, "CHANGE", *_LED_TO)


def landing_row(one: Landing, now: datetime) -> tuple[Cell, ...]:
    """The cells under LANDING_HEADINGS."""
    counts = (str(one.objects), size(one.bytes), "" if one.classes is None else str(len(one.classes)))
    led_to = (one.run, one.version, state_cell(one.state), age(one.landed_at, now), one.reason)
    return (short_digest(one.digest), "yes" if one.is_now else "", *counts, _words(one.change), *led_to)


def left_out_lines(landings: Sequence[Landing]) -> list[str]:
    """What the runs of these landings did without."""
    return [f"{one.run} {words}" for one in landings for words in left_out_words(one.left_out)]


def _words(change: Change | None) -> str:
    if change is None:
        return ""
    counts = ((change.added, "added"), (change.removed, "removed"), (change.changed, "changed"))
    return ", ".join(f"{count} {what}" for count, what in counts if count)
