"""The header `server-timing` (W3C Server Timing, 2): parts of a duration, in milliseconds."""

from collections.abc import Mapping

__all__ = ["read_timing", "timing"]

_DURATION = "dur="


def timing(seconds: Mapping[str, float]) -> str:
    """The value of the header."""
    return ", ".join(f"{part};{_DURATION}{one * 1000:.1f}" for part, one in seconds.items())


def read_timing(value: str) -> Mapping[str, float]:
    """The seconds of each part that has a duration; parts without, and broken ones, are passed over."""
    found: dict[str, float] = {}
    for one in value.split(","):
        part, *parameters = (word.strip() for word in one.split(";"))
        text = next((word.removeprefix(_DURATION) for word in parameters if word.startswith(_DURATION)), "")
        if part and text.replace(".", "", 1).isdecimal():
            found[part] = float(text) / 1000
    return found
