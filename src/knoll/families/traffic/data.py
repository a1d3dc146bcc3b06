"""Tables become windows of many series. The end of the time is held out, never a random part of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knoll.errors import BadFiles, InvalidData
from knoll.families.base import DataPart, Examples, Files
from knoll.families.table_files import count_tables, table_keys
from knoll.families.traffic.declaration import TrafficConfig
from knoll.families.traffic.panel import Grid, Panel, make_panel
from knoll.families.traffic.plan import SeriesPlan, make_plan
from knoll.families.traffic.rows import read_rows
from knoll.families.traffic.windows import make_windows, origins
from knoll.quoting import escaped, some_of
from knoll.tables import infer_schema

__all__ = ["TrafficData"]

_DAY = 86_400
_NAMED = 30  # series in a note


class TrafficData(DataPart[TrafficConfig]):
    """An example is (window float32 (S + 2 + E, H + F, 2), targets float32 (S, F, 2), seconds since 1970 of
    the first target): see `knoll.codecs.series`, and `make_windows`."""

    streams = True

    def examples(self, files: Files, config: TrafficConfig) -> Examples:
        """Read all tables twice: for the columns, and for the rows. Raises InvalidData that names the files,
        or the columns."""
        keys = table_keys(files)
        plan = make_plan(infer_schema(count_tables(files, keys, config.missing)), config)
        panel = make_panel([*zip(keys, read_rows(files, keys, plan), strict=True)], plan, files.room)
        cut = _cut(panel, config)
        plan, panel, unlearnt = _learnable(plan, panel, cut)
        sides = _split(panel, len(plan.names), cut, config)
        train, kept = (
            make_windows(panel, len(plan.names), config.history, config.horizon, side) for side in sides
        )
        about = _describe(panel, plan, cut)
        return Examples(train, kept, about, _notes(about, unlearnt), panel.bad)

    def golden(self, files: Files, about: Mapping[str, Any], config: TrafficConfig) -> Examples:
        """All forecasts that have a whole history before them, one behind the other. Raises InvalidData that
        names bad files and rows, and series that the data lacks."""
        keys, names = table_keys(files), tuple(one["name"] for one in about["series"])
        found = make_plan(infer_schema(count_tables(files, keys, config.missing)), config)
        if strange := sorted({*found.names} - {*names}):
            raise InvalidData(f"it has the series {some_of(strange)}, which the data lacks")
        plan = replace(found, names=names)
        grid = Grid(about["step"], about["offset"], about["is_zoned"])
        panel = make_panel([*zip(keys, read_rows(files, keys, plan), strict=True)], plan, files.room, grid)
        if panel.bad.bad:
            raise BadFiles(panel.bad.named)
        history, horizon = config.history, config.horizon
        last = range(history, panel.steps - horizon + 1, horizon)
        places = origins(panel.rows, len(names), history, horizon, last)
        if not len(places):
            raise InvalidData(f"it has {panel.steps:,} steps, and a forecast needs {history + horizon:,}")
        made = make_windows(panel, len(names), history, horizon, places)
        return Examples(made, made, about)


def _cut(panel: Panel, config: TrafficConfig) -> int:
    """The first step that is held out: the begin of a day, if one is left then."""
    cut = panel.steps - max(config.horizon, round(panel.steps * config.held_out))
    times = panel.first + panel.grid.step * np.arange(cut, min(cut + _DAY // panel.grid.step, panel.steps))
    begins = np.flatnonzero(times % _DAY < panel.grid.step)
    later = cut + int(begins[0]) if len(begins) else cut
    return later if later + config.horizon <= panel.steps else cut


def _learnable(plan: SeriesPlan, panel: Panel, cut: int) -> tuple[SeriesPlan, Panel, Sequence[str]]:
    """Without the series that have no value to learn from, and the names of these."""
    has_values: NDArray[np.bool_] = np.asarray(panel.rows[: len(plan.names), :cut, 1].any(axis=1))
    if not has_values.any():
        raise InvalidData("no series has a value before its end, which is held out", fix="add data")
    names = tuple(name for name, has in zip(plan.names, has_values, strict=True) if has)
    is_kept = np.append(has_values, np.ones(len(panel.rows) - len(has_values), bool))
    rows = panel.rows if is_kept.all() else panel.rows[is_kept]
    return replace(plan, names=names), replace(panel, rows=rows), sorted({*plan.names} - {*names})


def _split(panel: Panel, series: int, cut: int, config: TrafficConfig) -> Sequence[Any]:
    """Where the forecasts begin that are learnt from, and those that are scored: these tell each held-out
    step once. Nothing that is held out is learnt."""
    history, horizon = config.history, config.horizon
    sides = [
        origins(panel.rows, series, history, horizon, places)
        for places in (
            range(history, cut - horizon + 1, config.stride),
            range(max(cut, history), panel.steps - horizon + 1, horizon),
        )
    ]
    if not all(map(len, sides)):
        needed = history + 2 * horizon
        raise InvalidData(
            f"its {panel.steps:,} steps, of which {panel.steps - cut:,} are held out, have no forecast to "
            f"learn and to score: with history and horizon that takes {needed:,} steps without long gaps",
            fix="add data, or lower history in spec.training.config",
        )
    return sides


def _describe(panel: Panel, plan: SeriesPlan, cut: int) -> dict[str, Any]:
    """`center` and `scale` are the median of a series, and how far its values are from it on average, where
    they are learnt from."""
    grid, step = panel.grid, panel.grid.step
    values, known = panel.rows[: len(plan.names), :, 0], panel.rows[: len(plan.names), :, 1] > 0
    series = []
    for name, row, has in zip(plan.names, values, known, strict=True):
        learnt = row[:cut][has[:cut]].astype(np.float64)
        center = float(np.median(learnt))
        scale = float(np.abs(learnt - center).mean()) or 1.0
        gaps = round(1 - float(has.mean()), 4)
        series.append({"name": name, "center": center, "scale": scale, "gaps": gaps})
    learnt = values[:, :cut][known[:, :cut]]
    return {
        "series": series,
        "events": [*plan.events],
        "step": step,
        "offset": grid.offset,
        "is_zoned": grid.is_zoned,
        "week": 7 * _DAY // step,
        "is_positive": bool((learnt >= 0).all()),
        "from": grid.text(panel.first),
        "held out from": grid.text(panel.first + step * cut),
        "to": grid.text(panel.first + step * (panel.steps - 1)),
        "gaps": round(1 - float(known.mean()), 4),
    }


def _notes(about: Mapping[str, Any], unlearnt: Sequence[str]) -> tuple[str, ...]:
    series = about["series"]
    told = [f"{escaped(one['name'])} ({one['gaps']:.1%} gaps)" for one in series[:_NAMED]]
    more = ", …" if series[_NAMED:] else ""
    return (
        f"{len(series):,} series in steps of {about['step']:,} seconds from {about['from']} to "
        f"{about['to']}; held out from {about['held out from']} on: {', '.join(told)}{more}.",
        *([f"Not learnt, because it has no value before the end: {some_of(unlearnt)}."] if unlearnt else []),
    )
