"""A bar on a log scale: how near evidence is to its bound."""

from math import log

__all__ = ["log_bar"]

_DONE, _LEFT = "█", "─"
_EXACT = 1e-9  # what the logarithms of powers may lack


def log_bar(value: float, bound: float, width: int) -> str:
    """So many characters. None are full at 1, where evidence starts, and all from the bound on. Evidence
    multiplies, so each factor moves the bar by the same length."""
    part = log(value) / log(bound) if value > 1 else 0.0
    full = min(int(part * width + _EXACT), width)
    return _DONE * full + _LEFT * (width - full)
