"""Where requests without a visitor fall among the shares: of any 100 in a row, one on each percent.

So the shares are exact, and not only on average. The order is by chance, because clients with a rhythm of
their own must not meet one version with all their large requests. While one Revision is the newest, it is
repeated: any 100 in a row then have all percents, wherever they begin.
"""

from random import Random

__all__ = ["Points"]

_MIDDLE = 0.5  # of a percent: no share ends there


class Points:
    """The points of all Models, from 0 up to 100. Each process has its own."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._orders: dict[str, tuple[str, list[int]]] = {}

    def next(self, model: str, newest: str) -> float:
        """The point of the next request to the model, whose newest Revision that is."""
        known, order = self._orders.get(model, ("", []))
        if known != newest or not order:
            order = self._random.sample(range(100), 100)
            self._orders[model] = newest, order
        order.append(percent := order.pop(0))
        return percent + _MIDDLE
