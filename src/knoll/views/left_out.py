"""What a list leaves out, because only a newer knoll understands its record."""

from collections.abc import Sequence

from knoll.errors import NewerSchema
from knoll.quantities import counted
from knoll.quoting import escaped

__all__ = ["left_out_words"]


def left_out_words(thing: str, faults: Sequence[NewerSchema]) -> str:
    """How many things are left out, and why; "" for none."""
    if not faults:
        return ""
    return escaped(f"Left out: {counted(len(faults), thing)}, because {faults[0]}: {faults[0].fix}")
