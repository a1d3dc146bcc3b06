"""A network for many series at once, which sees each at several rates, as N-HiTS does
(https://arxiv.org/abs/2201.12886): the newest week step by step, what is older in means, and the same hour of
the weeks before.

A forecast begins with a weighted mean of the same step of earlier weeks, without the gaps; the weights are
learnt. What a residual network makes of the history, of the other series and of the calendar is added to it.
All scaling belongs to the network: by what the training says of a series, and then by the level and spread
of its own history. So the served graph takes values as they are.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from knoll.families.traffic.declaration import TrafficConfig

__all__ = ["ServedForecast", "TrafficNetwork"]

_ROUNDED = 0.01  # more than a float32 loses of a slot
_FURTHEST = 1e6  # spreads of a value; a float32 holds its square
_SQUEEZE = 10.0
_PRIOR = 0.02  # the share of a history that stands for what the training says of its series
_SERIES = 16  # numbers that stand for a series
_STEP = 32  # numbers between the layers of one step
_SLOTS = 2016  # parts of a week that are told from each other: five minutes
_FEW, _RATE = 14, 6  # an older mean has six steps, unless a week has fewer than 14


class TrafficNetwork(nn.Module):
    """The window (B, S + 2 + E, H + F, 2) of the codec `series` -> quantiles (B, S, F, Q) in `units`, of
    which none crosses another one."""

    center: torch.Tensor
    scale: torch.Tensor
    lags: torch.Tensor
    lies_within: torch.Tensor

    def __init__(self, about: Mapping[str, Any], config: TrafficConfig) -> None:
        super().__init__()
        self.history, self.horizon = config.history, config.horizon
        self.week, self.events = int(about["week"]), len(about["events"])
        self.slots = min(self.week, _SLOTS)
        self.middle = config.quantiles.index(0.5)
        series, width = about["series"], config.width
        self.register_buffer("center", torch.tensor([float(one["center"]) for one in series]))
        self.register_buffer("scale", torch.tensor([float(one["scale"]) for one in series]))
        lags, lies_within = lags_of(self.history, self.horizon, self.week)
        self.register_buffer("lags", lags)
        self.register_buffer("lies_within", lies_within)
        self.weights = nn.Parameter(torch.zeros(len(lags)))
        self.newest = min(self.history, self.week)
        self.rate = _RATE if self.week >= _FEW else 1
        older = (self.history - self.newest) // self.rate
        self.names = nn.Embedding(len(series), _SERIES)
        self.enter = nn.Linear(2 * (self.newest + older) + 2 + _SERIES + self._calendar, width)
        self.blocks = nn.ModuleList(_block(width, config.dropout) for _ in range(config.blocks))
        self.mix = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU())
        self.unfold = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, self.horizon * _STEP))
        self.hours = nn.Embedding(self.slots, _STEP)
        self.profile = nn.Embedding(len(series), self.slots)
        nn.init.zeros_(self.profile.weight)
        self.step = nn.Linear(2 * len(lags) + 1 + _SERIES + self._calendar, _STEP)
        self.leave = nn.Sequential(
            nn.SiLU(), nn.Linear(_STEP, _STEP), nn.SiLU(), nn.Linear(_STEP, len(config.quantiles))
        )

    @property
    def _calendar(self) -> int:
        """Sine and cosine of the day, of the week and of the year twice, and the events."""
        return 8 + self.events

    def forward(self, window: torch.Tensor) -> torch.Tensor:
        values, known, level, spread = self._scaled(window)
        series, steps = len(self.center), self.history + self.horizon
        calendar, hours = self._read_calendar(window[:, series:, :steps])
        name = self.names.weight.expand(window.shape[0], -1, -1)
        told = [self._rates(values, known), level / _SQUEEZE, spread.log(), name]
        begin = calendar[:, None, self.history].expand(-1, series, -1)
        inner = self.enter(torch.cat([*told, begin], 2))
        for number, block in enumerate(self.blocks):
            inner = inner + block(inner)
            if not number:
                inner = inner + self.mix(inner).mean(1, keepdim=True)
        lagged = values[:, :, self.lags] * self.lies_within
        seen = known[:, :, self.lags] * self.lies_within
        weights = self.weights.softmax(0)[:, None] * seen
        usual = (weights * lagged).sum(2) / (weights.sum(2) + 1e-6)
        ahead = calendar[:, None, self.history :].expand(-1, series, -1, -1)
        each = name[:, :, None].expand(-1, -1, self.horizon, -1)
        lagged, seen = lagged.transpose(2, 3), seen.transpose(2, 3)
        step = self.step(torch.cat([lagged, seen, usual[..., None], each, ahead], 3))
        now = hours[:, self.history :]
        step = step + self.hours(now)[:, None] + self._unfolded(inner)
        found = self.leave(step)
        middle = usual + self.profile.weight[:, now].transpose(0, 1) + found[..., self.middle]
        return self._ordered(middle, found) * spread[..., None] + level[..., None]

    def in_units(self, outputs: torch.Tensor) -> torch.Tensor:
        """Quantiles (B, S, F, Q) of `forward` -> in the unit of the data."""
        return outputs * self.scale[:, None, None] + self.center[:, None, None]

    def scaled(self, targets: torch.Tensor) -> torch.Tensor:
        """Values (B, S, F) -> as `forward` has them."""
        return ((targets - self.center[:, None]) / self.scale[:, None]).clamp(-_FURTHEST, _FURTHEST)

    def _unfolded(self, inner: torch.Tensor) -> torch.Tensor:
        """(B, S, width) -> (B, S, F, _STEP)."""
        made: torch.Tensor = self.unfold(inner)
        return made.reshape(*made.shape[:2], self.horizon, _STEP)

    def _scaled(self, window: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Values and whether they are known (B, S, H), level and spread (B, S, 1)."""
        history = window[:, : len(self.center), : self.history]
        known = (history[..., 1] > 0.5).to(history.dtype)
        values = self.scaled(history[..., 0]) * known
        prior = _PRIOR * self.history
        count = known.sum(2, keepdim=True) + prior
        level = values.sum(2, keepdim=True) / count
        apart = (values - level) * known
        spread = (apart.abs().sum(2, keepdim=True) + prior) / count
        apart = apart / spread
        return apart / (1 + (apart / _SQUEEZE).square()).sqrt(), known, level, spread

    def _rates(self, values: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """(B, S, H) -> the newest week, and means of what is older, each with the share that is known."""
        whole = self.history - self.newest
        cut = whole % self.rate
        pooled = [
            one[:, :, cut:whole].reshape(*one.shape[:2], whole // self.rate, self.rate).mean(3)
            for one in (values, known)
            if whole >= self.rate
        ]
        return torch.cat([values[:, :, whole:], known[:, :, whole:], *pooled], 2)

    def _read_calendar(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The rows (B, 2 + E, T, 2) -> numbers (B, T, 8 + E), and the slot of the week."""
        rows = rows.clamp(0, 1)
        phases = torch.cat([rows[:, 0], rows[:, 1, :, :1]], 2)
        turns = 2 * torch.pi * torch.cat([phases, 2 * phases[..., 2:]], 2)
        hours = (rows[:, 0, :, 1] * self.slots + _ROUNDED).clamp(0, self.slots - 1).to(torch.int64)
        events = rows[:, 2 : 2 + self.events, :, 0].transpose(1, 2)
        return torch.cat([turns.sin(), turns.cos(), events], 2), hours

    def _ordered(self, middle: torch.Tensor, found: torch.Tensor) -> torch.Tensor:
        """The middle quantile (B, S, F), and distances to its neighbours -> all quantiles, in order."""
        gaps = nn.functional.softplus(found)
        below = gaps[..., : self.middle].flip(3).cumsum(3).flip(3)
        above = gaps[..., self.middle + 1 :].cumsum(3)
        middle = middle[..., None]
        return torch.cat([middle - below, middle, middle + above], 3)


class ServedForecast(nn.Module):
    """The network with answers in the unit of the data. If no value of the data is below 0, no quantile
    is."""

    def __init__(self, network: TrafficNetwork, *, is_positive: bool) -> None:
        super().__init__()
        self.network, self.is_positive = network, is_positive

    def forward(self, window: torch.Tensor) -> torch.Tensor:
        quantiles = self.network.in_units(self.network(window))
        return quantiles.clamp(min=0) if self.is_positive else quantiles


def lags_of(history: int, horizon: int, week: int) -> tuple[torch.Tensor, torch.Tensor]:
    """For each step ahead, where in the history the same step of earlier weeks is: places (P, F), and whether
    the history goes back so far, 1 or 0."""
    count = max(1, history // week)
    steps = torch.arange(horizon)
    newest = history + steps % week - week
    places = torch.stack([newest - week * number for number in range(count)])
    return places.clamp(min=0), (places >= 0).float()


def _block(width: int, dropout: float) -> nn.Module:
    layers: Sequence[nn.Module] = (
        nn.LayerNorm(width),
        nn.Linear(width, 2 * width),
        nn.SiLU(),
        nn.Dropout(dropout),
        nn.Linear(2 * width, width),
    )
    return nn.Sequential(*layers)
