"""Versions in a table."""

from datetime import datetime

from knoll.cli.tables import Cell, state_cell
from knoll.views.units import age, scores, short_digest
from knoll.views.versions import VersionView

__all__ = ["VERSION_HEADINGS", "version_row"]

VERSION_HEADINGS = ("VERSION", "STATE", "METRICS", "DATA", "RUN", "AGE", "WHY")


def version_row(view: VersionView, now: datetime) -> tuple[Cell, ...]:
    """The cells under VERSION_HEADINGS."""
    one = view.manifest
    origin = (short_digest(one.dataset_digest), one.run, age(one.created_at, now))
    told = scores(one.metrics, one.golden.metrics if one.golden else {})
    return (one.version, state_cell(view.state), told, *origin, view.reason)
