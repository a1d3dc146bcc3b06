"""What a predictor has counted of its answers."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from pydantic import with_config

from knoll.records.record import LENIENT

__all__ = ["Outputs", "classes_name"]


@with_config(LENIENT)
@dataclass(frozen=True)
class Outputs:
    """Answers by bin. `bins` is the name of the bins: only counts with the same name may be compared.
    Besides, requests that failed because a number was not finite, and answers that were the same as the one
    before, though another thing was asked. See `knoll.predict.bins`."""

    bins: str = ""
    counts: tuple[int, ...] = ()
    not_finite: int = 0
    constant: int = 0

    @property
    def numbers(self) -> tuple[int, ...]:
        """All counts in one row."""
        return (self.not_finite, self.constant, *self.counts)


def classes_name(labels: Iterable[str]) -> str:
    """The name of the bins of classes with these labels, in the order of their names."""
    known = "\n".join(sorted(set(labels)))
    return f"classes-{sha256(known.encode()).hexdigest()[:16]}"
