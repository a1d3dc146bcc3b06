"""Versions in a table."""

from datetime import datetime

from knoll.views.units import age, numbers, short_digest
from knoll.views.versions import VersionView

__all__ = ["VERSION_HEADINGS", "version_row"]

VERSION_HEADINGS = ("VERSION", "STATE", "METRICS", "DATA", "RUN", "AGE", "WHY")


def version_row(view: VersionView, now: datetime) -> tuple[str, ...]:
    """The cells under VERSION_HEADINGS."""
    one = view.manifest
    origin = (short_digest(one.dataset_digest), one.run, age(one.created_at, now))
    return (one.version, view.state, numbers(one.metrics), *origin, view.reason)
