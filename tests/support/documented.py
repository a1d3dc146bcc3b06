"""What docs/events.md says of events."""

import re
from collections.abc import Iterable
from pathlib import Path

from knoll.events import Event

__all__ = ["undocumented"]

_PAGE = Path(__file__).parents[2] / "docs" / "events.md"


def undocumented(events: Iterable[Event]) -> set[str]:
    """The fields of the data of these events that the table does not name, as TYPE FIELD."""
    named = _named()
    return {f"{one.type} {field}" for one in events for field in one.data if field not in named[one.type]}


def _named() -> dict[str, set[str]]:
    """The fields of each type: what stands in backticks, but not in parentheses, in its last cell."""
    rows = re.findall(r"^\| `([\w.]+)` \|.*\| (.*) \|$", _PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {type: set(re.findall(r"`(\w+)", re.sub(r"\([^()]*\)", "", cell))) for type, cell in rows}
