"""The sounds of a model's data, in lines."""

from collections.abc import Mapping

from knoll.quantities import counted
from knoll.views.sounds import SoundsView
from knoll.views.units import duration

__all__ = ["sound_lines"]


def sound_lines(found: SoundsView) -> list[str]:
    """What a version learnt from, and what the files are."""
    return [
        f"{found.version} learnt {duration(found.seconds)} of sound from {counted(found.files, 'file')}, at "
        f"{found.rate:,} Hz",
        f"Rates: {_listed(found.rates, ' Hz')}. Channels: {_listed(found.channels)}",
    ]


def _listed(counts: Mapping[int, int], unit: str = "") -> str:
    return ", ".join(f"{value:,}{unit} in {counted(count, 'file')}" for value, count in counts.items())
