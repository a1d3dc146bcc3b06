"""How large the simulation is."""

from dataclasses import dataclass

__all__ = ["Size"]


@dataclass(frozen=True)
class Size:
    """Runs of each row, and by what the length of each run is multiplied: below 1 figures mean nothing."""

    runs: int
    length: float = 1.0

    def requests(self, full: float) -> int:
        """The length of a run, in requests or seconds."""
        return max(int(full * self.length), 1)
