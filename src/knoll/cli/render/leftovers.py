"""What `knoll gc` removes, as a table and in words."""

from collections import Counter
from datetime import datetime

from knoll.cli.tables import PlainTable, plain_table
from knoll.quantities import counted
from knoll.views.leftovers import LeftoversView
from knoll.views.units import age, size

__all__ = ["leftovers_table", "leftovers_words"]

_HEADINGS = ("KIND", "MODEL", "NAME", "SIZE", "AGE", "WHY")
_REASONS = 8  # that are told apart in words


def leftovers_table(view: LeftoversView, now: datetime) -> PlainTable:
    """What goes, as a table."""
    rows = (
        (one.kind, one.model, one.name, size(one.size), age(one.newest.isoformat(), now), one.reason)
        for one in view.removed
    )
    return plain_table(_HEADINGS, rows)


def leftovers_words(view: LeftoversView, *, dry_run: bool, is_any: bool) -> str:
    """How much went, and why the rest stays; `is_any` says whether there was anything to remove."""
    did = "Would remove" if dry_run else "Removed"
    amount = f"{did} {counted(view.objects, 'object')}, {size(view.size)}."
    first = amount if is_any else "Nothing is superfluous."
    reasons = Counter(one.reason for one in view.kept)
    told = ", ".join(f"{count} × {why}" for why, count in reasons.most_common(_REASONS))
    more = ", …" if len(reasons) > _REASONS else ""
    return f"{first}\nKept {told}{more}." if reasons else first
