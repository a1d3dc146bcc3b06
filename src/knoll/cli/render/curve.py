"""Curves as lines of text. A terminal without these characters gets ASCII: `*` and `|`, and `_.-=+*%#`."""

from collections.abc import Iterator, Sequence

from knoll.quoting import escaped
from knoll.views.curve import Curve

__all__ = ["chart", "curve_lines", "sparkline"]

_HEIGHT = 10
_LABEL = 10  # columns of a number
_LEAST = 10  # columns of a chart
_SPARKS = "▁▂▃▄▅▆▇█"


def curve_lines(curve: Curve, width: int) -> Iterator[str]:
    """A chart for each loss, with its first and its last value."""
    for name, points in curve.by_loss.items():
        if points:
            values = [value for _, value in points]
            ends = ", ".join(f"{value:.4g} at {percent} %" for percent, value in (points[0], points[-1]))
            yield f"{escaped(name)}  {ends}"
            yield from chart(values, max(_LEAST, width - _LABEL - 3))
            yield ""


def chart(values: Sequence[float], width: int, height: int = _HEIGHT) -> list[str]:
    """The values as dots, the largest on top, each column with the value of its moment."""
    low, high = min(values), max(values)
    columns = [values[at * (len(values) - 1) // max(1, width - 1)] for at in range(width)]
    rows = [round((high - one) / ((high - low) or 1) * (height - 1)) for one in columns]
    labels = {0: f"{high:.4g}", height - 1: f"{low:.4g}"}
    return [
        f"{labels.get(row, ''):>{_LABEL}} │" + "".join("•" if at == row else " " for at in rows).rstrip()
        for row in range(height)
    ]


def sparkline(values: Sequence[float], width: int = 40) -> str:
    """The values as blocks in one line, a block for each, or for some of them if they are many."""
    low, high, count = min(values), max(values), min(width, len(values))
    chosen = [values[at * (len(values) - 1) // max(1, count - 1)] for at in range(count)]
    return "".join(_SPARKS[round((one - low) / ((high - low) or 1) * 7)] for one in chosen)
