"""The curves of a training as a picture, for its model card."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from knoll.quoting import escaped
from knoll.records.curves import CurvePoint, Curves

__all__ = ["draw_curves"]

_MOST_METRICS = 6  # further ones are in curves.json only
_WIDTH, _HEIGHT = 8.0, 2.4  # inches; the height is that of one chart
_BELOW, _ABOVE = 0.5, 0.4  # inches for the steps and the title

Values = Callable[[CurvePoint], Mapping[str, float]]


def draw_curves(curves: Curves) -> bytes:
    """A PNG with a chart of the losses, one of each metric, and one of the learning rates, over the steps. A
    dotted line marks where the training was resumed."""
    from matplotlib.figure import Figure  # slow to import

    metrics = _names(curves.points, lambda point: point.metrics)[:_MOST_METRICS]
    height = _HEIGHT * (2 + len(metrics))
    figure = Figure(figsize=(_WIDTH, height))
    charts: Any = figure.subplots(2 + len(metrics), sharex=True)
    # a layout that matplotlib finds takes as long as the drawing
    figure.subplots_adjust(left=0.1, right=0.98, bottom=_BELOW / height, top=1 - _ABOVE / height, hspace=0.12)
    losses, *scores, rates = charts
    _plot(losses, curves, lambda point: point.train, "{} in training")
    _plot(losses, curves, lambda point: point.held_out, "{} held out", linestyle="--")
    for axes, name in zip(scores, metrics, strict=True):
        _plot_one(axes, curves, lambda point: point.metrics, name, label=escaped(name))
    _plot(rates, curves, lambda point: point.rates, "{} learning rate")
    rates.set(xlabel="step", xlim=(0, curves.steps))
    for axes in charts:
        if axes.lines:
            axes.legend(loc="best")
        for step in curves.resumed:
            axes.axvline(step, color="grey", linestyle=":")
    losses.set(title=_title(curves))
    body = io.BytesIO()
    figure.savefig(body, format="png", dpi=100, metadata={"Software": ""})
    return body.getvalue()


def _plot(axes: Any, curves: Curves, values: Values, label: str, **style: Any) -> None:
    """One line for each name, in the same order of colours on each side."""
    for number, name in enumerate(_names(curves.points, values)):
        told = label.format(escaped(name))
        _plot_one(axes, curves, values, name, color=f"C{number}", label=told, **style)


def _plot_one(axes: Any, curves: Curves, values: Values, name: str, **style: Any) -> None:
    found = [(point.step, values(point)[name]) for point in curves.points if name in values(point)]
    axes.plot(*zip(*found, strict=True), marker=".", **style)


def _names(points: Sequence[CurvePoint], values: Values) -> list[str]:
    return list(dict.fromkeys(name for point in points for name in values(point)))


def _title(curves: Curves) -> str:
    resumed = f", resumed after {', '.join(map(str, curves.resumed))}" if curves.resumed else ""
    return f"{curves.steps} steps{resumed}"
