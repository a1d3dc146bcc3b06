"""Two versions side by side in a table."""

import json
from typing import Any

from knoll.cli.tables import PlainTable, plain_table
from knoll.views.comparison import ComparisonView

__all__ = ["comparison_table"]

_LONGEST = 60  # characters of a value


def comparison_table(found: ComparisonView) -> PlainTable:
    """A row for each fact; `!=` marks what differs."""
    rows = (
        (one.name, "!=" if one.differs else "", *(_words(one.name, value) for value in one.values))
        for one in found.fields
    )
    return plain_table(("NAME", "DIFF", *(name.upper() for name in found.versions)), rows)


def _words(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    short = text[:12] if name == "data.digest" else text
    return short if len(short) <= _LONGEST else f"{short[:_LONGEST]}…"
