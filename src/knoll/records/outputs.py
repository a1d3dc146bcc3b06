"""What a predictor has counted of its answers."""

from dataclasses import dataclass

from pydantic import with_config

from knoll.records.record import LENIENT

__all__ = ["Outputs"]


@with_config(LENIENT)
@dataclass(frozen=True)
class Outputs:
    """Answers by bin, of which `bins` is the name: counts of the same name may be compared. Besides, requests
    that failed because a number was not finite, and answers that were the same as the one before, though
    another thing was asked. See `knoll.predict.bins`."""

    bins: str = ""
    counts: tuple[int, ...] = ()
    not_finite: int = 0
    constant: int = 0

    @property
    def numbers(self) -> tuple[int, ...]:
        """All counts in one row."""
        return (self.not_finite, self.constant, *self.counts)
