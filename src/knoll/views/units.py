"""Quantities as people read them: durations, sizes, metrics and ages."""

from collections.abc import Mapping
from datetime import datetime

__all__ = ["age", "duration", "numbers", "seconds_between", "short_digest", "size"]


def duration(seconds: float) -> str:
    """7.2 -> "7s", 95 -> "1m35s", 7500 -> "2h5m", 200000 -> "2d7h"."""
    whole = max(0, round(seconds))
    for unit, length, small, part in (("d", 86400, "h", 3600), ("h", 3600, "m", 60), ("m", 60, "s", 1)):
        if whole >= length:
            rest = whole % length // part
            return f"{whole // length}{unit}{rest}{small}" if rest else f"{whole // length}{unit}"
    return f"{whole}s"


def seconds_between(start: str, end: str | datetime) -> float | None:
    """Seconds from one ISO 8601 time to another; None if a time is missing or unreadable."""
    try:
        later = end if isinstance(end, datetime) else datetime.fromisoformat(end)
        return (later - datetime.fromisoformat(start)).total_seconds()
    except (ValueError, TypeError):
        return None


def age(since: str, now: datetime) -> str:
    """How long ago, as in kubectl; "" if the time is unknown."""
    seconds = seconds_between(since, now)
    return "" if seconds is None else duration(seconds)


def size(count: float) -> str:
    """Bytes in powers of 1024: 1536 -> "1.5 KiB"."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def scores(metrics: Mapping[str, float], golden: Mapping[str, float]) -> str:
    """The first metrics on held-out examples, and those on the golden set, if there are any."""
    return numbers(metrics) + (f"; golden set: {numbers(golden)}" if golden else "")


def numbers(metrics: Mapping[str, float], limit: int = 3) -> str:
    """Metrics as "accuracy 0.981, loss 0.0652"; the first `limit` of them."""
    return ", ".join(f"{name} {value:.4g}" for name, value in list(metrics.items())[:limit])


def short_digest(digest: str) -> str:
    """The first twelve characters, enough to tell digests apart."""
    return digest[:12]
