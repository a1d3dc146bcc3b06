"""Two answers that need no network: last week again, and a ridge regression for each series.

Both have quantiles by how far they were from the training data. A ridge sees the same step of earlier weeks
and of the last two days, the newest values, the calendar and the events; a gap is filled by the level of the
history.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from knoll.families.base import Columns, Examples
from knoll.families.traffic.metrics import Sums, sums_of
from knoll.families.traffic.network import lags_of

__all__ = ["Answer", "Naive", "Season", "fit_ridge", "score_answer"]

_FITTED = 2048  # windows, evenly spaced
_GROUP = 64  # series
_VALUES = 2**22  # that are forecast to learn from
_AT_ONCE = 24_576  # that are forecast together
_MOST_HOURS = 336  # steps of a week that have a number of their own
_PENALTY = 1.0
Answer = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Season:
    """The sizes of a window: series, history and horizon in steps, and the steps of a week. The `first` of
    `total` series begins the group that is looked at."""

    series: int
    history: int
    horizon: int
    week: int
    first: int
    total: int

    def groups(self) -> "Iterator[Season]":
        """All series, some at a time."""
        for first in range(0, self.total, _GROUP):
            yield replace(self, first=first, series=min(_GROUP, self.total - first))

    def pairs(self, columns: Columns, most: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The windows and targets of the group, `most` of them, evenly spaced, and some at a time."""
        group, values = slice(self.first, self.first + self.series), self.series * self.horizon
        rows = torch.linspace(0, len(columns[0]) - 1, min(len(columns[0]), most)).long()
        for part in torch.split(rows, max(1, _AT_ONCE // values)):
            window = columns[0][part]
            yield torch.cat([window[:, group], window[:, self.total :]], 1), columns[1][part][:, group]

    @property
    def fitted(self) -> int:
        """How many windows are learnt from."""
        return min(_FITTED, max(1, _VALUES // (self.total * self.horizon)))

    def lagged(self, window: torch.Tensor, season: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The same step of earlier seasons, newest first: values and whether they are known, (B, S, P, F)."""
        lags, lies_within = lags_of(self.history, self.horizon, season)
        history = window[:, : self.series, : self.history]
        return history[..., 0][:, :, lags], history[..., 1][:, :, lags] * lies_within

    def level(self, window: torch.Tensor) -> torch.Tensor:
        """The mean of what is known of a history, (B, S)."""
        history = window[:, : self.series, : self.history]
        return history[..., 0].sum(2) / history[..., 1].sum(2).clamp(min=1)


class Naive:
    """The newest known value of the same step of an earlier week, or day; else the level of the history."""

    def __init__(self, sizes: Season) -> None:
        self._sizes = sizes
        seasons = {"last week again": sizes.week, "yesterday again": max(1, sizes.week // 7)}
        known = {what: season for what, season in seasons.items() if season <= sizes.history}
        self.what, self.season = next(iter(known.items()), ("the newest value again", 1))

    def __call__(self, window: torch.Tensor) -> torch.Tensor:
        """(B, S, F)."""
        values, known = self._sizes.lagged(window, self.season)
        found = self._sizes.level(window)[..., None].expand(-1, -1, self._sizes.horizon)
        for number in reversed(range(values.shape[2])):
            found = torch.where(known[:, :, number] > 0.5, values[:, :, number], found)
        return found


def fit_ridge(train: Columns, sizes: Season) -> Answer:
    """A function from windows to values (B, S, F). The coefficients of a series are those of all steps."""
    matrix: torch.Tensor | float = 0.0
    right: torch.Tensor | float = 0.0
    for window, targets in sizes.pairs(train, sizes.fitted):
        found, shift = _features(window, sizes), sizes.level(window)[..., None]
        known, values = targets[..., 1].double(), (targets[..., 0] - shift).double() * targets[..., 1]
        weighted = found * known[..., None]
        matrix = matrix + torch.einsum("bsfp,bsfq->spq", weighted, found)
        right = right + torch.einsum("bsfp,bsf->sp", weighted, values)
    assert isinstance(matrix, torch.Tensor)
    weights = torch.linalg.solve(matrix + _PENALTY * torch.eye(matrix.shape[1]).double(), right)

    def answer(window: torch.Tensor) -> torch.Tensor:
        told = torch.einsum("bsfp,sp->bsf", _features(window, sizes), weights)
        return told.float() + sizes.level(window)[..., None]

    return answer


def score_answer(answer: Answer, sizes: Season, examples: Examples, quantiles: Sequence[float]) -> Sums:
    """The scores of values (B, S, F), with quantiles of what was missing to the truth in training, by series
    and step."""
    apart = [
        torch.where(targets[..., 1] > 0.5, targets[..., 0] - answer(window), torch.nan)
        for window, targets in sizes.pairs(examples.train, sizes.fitted)
    ]
    offsets = torch.nanquantile(torch.cat(apart), torch.tensor(quantiles), 0).nan_to_num().movedim(0, -1)
    offsets = offsets - offsets[..., [*quantiles].index(0.5), None]
    least = 0.0 if examples.about["is_positive"] else -torch.inf
    found = [
        sums_of((answer(window)[..., None] + offsets).clamp(min=least), targets, quantiles)
        for window, targets in sizes.pairs(examples.held_out, len(examples.held_out[0]))
    ]
    return sum(found[1:], found[0])


def _features(window: torch.Tensor, sizes: Season) -> torch.Tensor:
    """(B, S, F, P) in the unit of the data, from the level of the history on."""
    level, day = sizes.level(window), max(1, sizes.week // 7)
    lags = []
    for season, most in ((sizes.week, 8), (day, 2)):
        if season <= sizes.history:
            values, known = (one[:, :, :most] for one in sizes.lagged(window, season))
            lags.append(((values - level[..., None, None]) * known).transpose(2, 3))
    history = window[:, : sizes.series, : sizes.history]
    apart = (history[..., 0] - level[..., None]) * history[..., 1]
    newest = torch.stack([apart[:, :, -1], apart[:, :, -day:].mean(2)], 2)[:, :, None]
    fade = 1 / torch.arange(1, sizes.horizon + 1)
    newest = torch.cat([newest.expand(-1, -1, sizes.horizon, -1), newest * fade[:, None]], 3)
    ahead = window[:, sizes.series :, sizes.history :]
    turns = 2 * torch.pi * torch.cat([ahead[:, :2, :, 0], 2 * ahead[:, :2, :, 0]], 1)
    told = [turns.sin(), turns.cos(), ahead[:, 2:, :, 0], torch.ones_like(ahead[:, :1, :, 0])]
    shared = torch.cat(told, 1).transpose(1, 2)
    if sizes.week <= _MOST_HOURS:
        hours = (ahead[:, 0, :, 1] * sizes.week).round().long().clamp(0, sizes.week - 1)
        shared = torch.cat([shared, torch.nn.functional.one_hot(hours, sizes.week)], 2)
    shared = shared[:, None].expand(-1, sizes.series, -1, -1)
    return torch.cat([*lags, newest, shared], 3).double()
