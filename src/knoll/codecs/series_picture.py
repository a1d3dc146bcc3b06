"""A picture of a forecast: for each series a field with the middle quantile as a line, within the outer
ones."""

import numpy as np
from PIL import Image, ImageDraw

from knoll.codecs.arrays import Array
from knoll.quoting import escaped
from knoll.records.signature import Tensor

__all__ = ["draw_forecast"]

_MOST = 24  # series
_WIDTH, _HEIGHT = 640, 120  # pixels of a field
_LEFT, _TOP, _RIGHT, _BOTTOM = 56, 20, 12, 18
_LONGEST = 60  # characters of a name
_INK, _PALE, _LINE, _BAND = "black", "#bbbbbb", "#1f5fa8", "#c6daf0"
_TICKS = 6


def draw_forecast(row: Array, tensor: Tensor, truth: Array | None = None) -> Image.Image:
    """Quantiles (S, F, Q) -> a picture in colours. With many series it has the first ones. `truth` (S, F) is
    drawn as points, NaN is none."""
    shown = min(len(row), _MOST)
    rest = len(row) - shown
    picture = Image.new("RGB", (_WIDTH, _HEIGHT * shown + 16 * bool(rest)), "white")
    pen, middle = ImageDraw.Draw(picture), tensor.options["quantiles"].index(0.5)
    for place in range(shown):
        points = row[place, :, :0] if truth is None else truth[place][:, None]
        _draw_field(pen, place * _HEIGHT, row[place], points, middle, tensor.series[place])
        _draw_steps(pen, place * _HEIGHT, len(row[place]), tensor.options["step"])
    if rest:
        pen.text((_LEFT, _HEIGHT * shown), f"and {rest:,} more", _INK)
    return picture


def _draw_field(
    pen: ImageDraw.ImageDraw, top: int, numbers: Array, points: Array, middle: int, name: str
) -> None:
    """The quantiles (F, Q) of one series, from its least to its greatest number, and the points (F, 0 or
    1)."""
    all_numbers = np.concatenate([numbers, points], 1)
    low, high = float(np.nanmin(all_numbers)), float(np.nanmax(all_numbers))
    span = (high - low) or 1.0

    def at(step: int, number: float) -> tuple[float, float]:
        part = (number - low) / span
        return _x(step, len(numbers)), top + _HEIGHT - _BOTTOM - part * (_HEIGHT - _TOP - _BOTTOM)

    upper = [at(step, one) for step, one in enumerate(numbers[:, -1].tolist())]
    lower = [at(step, one) for step, one in enumerate(numbers[:, 0].tolist())]
    if len(numbers) > 1:
        pen.polygon([*upper, *reversed(lower)], _BAND)
    line = [at(step, one) for step, one in enumerate(numbers[:, middle].tolist())]
    pen.line(line, _LINE, 2)
    dots = [at(step, one) for step, one in enumerate(points[:, :1].flatten().tolist()) if one == one]
    for x, y in [*dots, *(line if len(line) == 1 else ())]:
        pen.ellipse((x - 2, y - 2, x + 2, y + 2), _INK if dots else _LINE)
    frame = (_LEFT, top + _TOP, _WIDTH - _RIGHT, top + _HEIGHT - _BOTTOM)
    pen.rectangle(frame, outline=_PALE)
    told = escaped(name)
    pen.text((_LEFT, top + 4), told if len(told) <= _LONGEST else f"{told[:_LONGEST]}…", _INK)
    pen.text((4, top + _TOP - 4), f"{high:.4g}", _INK)
    pen.text((4, top + _HEIGHT - _BOTTOM - 8), f"{low:.4g}", _INK)


def _draw_steps(pen: ImageDraw.ImageDraw, top: int, count: int, step: int) -> None:
    """How far ahead some of the steps are, in hours or minutes."""
    size, unit = (3600, "h") if step % 3600 == 0 else (60, "min")
    for place in range(0, count, max(1, count // _TICKS)):
        told = f"+{(place + 1) * step / size:g} {unit}"
        pen.text((_x(place, count), top + _HEIGHT - _BOTTOM + 3), told, _INK)


def _x(step: int, count: int) -> float:
    return _LEFT + step / max(1, count - 1) * (_WIDTH - _LEFT - _RIGHT)
