"""A bar on a log scale: how near evidence is to its bound."""

from math import log

__all__ = ["log_bar"]

_DONE, _LEFT = "█", "─"
_EXACT = 1e-9  # by so much logarithms may be too small


def log_bar(value: float, bound: float, width: int) -> str:
    """A bar of `width` characters: empty at 1, where evidence starts, and full at the bound. Evidence
    multiplies, so each factor moves the bar by the same length."""
    part = log(value) / log(bound) if value > 1 else 0.0
    full = min(int(part * width + _EXACT), width)
    return _DONE * full + _LEFT * (width - full)
