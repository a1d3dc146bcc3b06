"""Windows of a panel: the history that a forecast sees, and the steps that it is to tell."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from knoll.families.base import Columns, Streamed
from knoll.families.traffic.panel import Panel

__all__ = ["make_windows", "origins"]

_KEPT = 16 * 2**20  # bytes of windows in memory; others are made when they are asked for
_Rows = NDArray[np.float32]


def origins(rows: _Rows, series: int, history: int, horizon: int, places: range) -> NDArray[np.int64]:
    """The places, the first steps of a forecast, of which something is known before and behind."""
    known = np.cumsum(np.append(0, rows[:series, :, 1].any(0)))
    found = np.array(places, np.int64)
    has_past = known[found] > known[found - history]
    return found[has_past & (known[found + horizon] > known[found])]


def make_windows(panel: Panel, series: int, history: int, horizon: int, places: NDArray[np.int64]) -> Columns:
    """Windows float32 (N, S + 2 + E, H + F, 2) as the codec `series` makes them; what they are to tell,
    (N, S, F, 2): values, and whether they are known; and when that begins, int64 (N,), in seconds since
    1970."""
    rows = panel.rows
    ahead = sliding_window_view(rows[:series], horizon, 1)
    whole = sliding_window_view(rows, history + horizon, 1)

    def windows(numbers: Sequence[int]) -> _Rows:
        found = whole[:, places[numbers] - history].transpose(1, 0, 3, 2).copy()
        found[:, :series, history:] = 0
        return found

    def targets(numbers: Sequence[int]) -> _Rows:
        return ahead[:, places[numbers]].transpose(1, 0, 3, 2).copy()

    size = rows.shape[0] * (history + horizon) * rows.itemsize * 2
    kept = range(min(len(places), max(1, _KEPT // size)))
    begins = torch.from_numpy(panel.first + panel.grid.step * places)
    return (*(Streamed(len(places), make([*kept]), make) for make in (windows, targets)), begins)
