"""Signs of a training: numbers that show, beside its losses, whether it still learns."""

import math
from dataclasses import dataclass

__all__ = ["Sign"]


@dataclass(frozen=True)
class Sign:
    """A number with its bounds. `ill` says in words what it means if it is outside of them. If it
    `is_served`, it is of what would be served now, and is forgiven at no look."""

    name: str
    value: float
    ill: str
    least: float = -math.inf
    most: float = math.inf
    is_served: bool = False

    @property
    def is_ill(self) -> bool:
        """Whether the number is outside of its bounds, or is none."""
        return not self.least <= self.value <= self.most

    def __str__(self) -> str:
        """In words, as in "all pictures are alike: diversity is 0.001, and should be at least 0.02"."""
        above = f"at most {self.most:g}" if self.value > self.most else "a number"
        bound = f"at least {self.least:g}" if self.value < self.least else above
        return f"{self.ill}: {self.name} is {self.value:.3g}, and should be {bound}"
