"""How the network of series learns: AdamW, half a cosine, and the pinball loss of each quantile."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import reduce
from typing import Any, cast

import torch
from torch import nn

from knoll.families.annealing import adamw, half_cosine
from knoll.families.base import (
    Baseline,
    Batch,
    Examples,
    LearningPart,
    Scores,
    ServedGraph,
    Slices,
    device_of,
    parts,
)
from knoll.families.traffic.baselines import Answer, Naive, Season, fit_ridge, score_answer
from knoll.families.traffic.declaration import TrafficConfig
from knoll.families.traffic.metrics import Sums, pinball_of, sums_of
from knoll.families.traffic.network import ServedForecast, TrafficNetwork
from knoll.families.traffic.served import windows_for

__all__ = ["TrafficLearning"]

_AT_ONCE = 32  # windows that are scored together
_HIDDEN = 1.25  # of the histories that are cut short, a fifth is hidden
_NARROWEST = 4


class TrafficLearning(LearningPart[TrafficConfig]):
    """One network, `forecast`."""

    def build(self, config: TrafficConfig, about: Mapping[str, Any]) -> nn.ModuleDict:
        """See `LearningPart.build`."""
        return nn.ModuleDict({"forecast": TrafficNetwork(about, config)})

    def optimizers(
        self, networks: nn.ModuleDict, config: TrafficConfig
    ) -> Mapping[str, torch.optim.Optimizer]:
        """AdamW."""
        return adamw(networks, config.learning_rate, config.weight_decay)

    def rate(self, done: float, config: TrafficConfig) -> float:
        """See `half_cosine`."""
        return half_cosine(done)

    def augment(self, batch: Batch, config: TrafficConfig) -> Batch:
        """Some histories are cut short or hidden, and some values are gaps."""
        window, *rest = batch
        if not config.gaps:
            return batch
        series, past = rest[0].shape[1], config.history
        begins = torch.rand((2, len(window), series, 1), device=window.device)
        first = torch.where(begins[0] < config.gaps, begins[1] * _HIDDEN * past, 0.0)
        is_kept = torch.arange(past, device=window.device) >= first
        is_kept &= torch.rand(is_kept.shape, device=window.device) >= config.gaps
        kept = nn.functional.pad(is_kept[..., None].to(window.dtype), (0, 0, 0, config.horizon), value=1.0)
        return torch.cat([window[:, :series] * kept, window[:, series:]], 1), *rest

    def losses(
        self, networks: nn.ModuleDict, batch: Batch, config: TrafficConfig
    ) -> Iterator[tuple[str, torch.Tensor]]:
        """The pinball loss of what is known, as `pinball_of`. A series weighs as much as its values vary, as
        in the metrics."""
        network = cast(TrafficNetwork, networks["forecast"])
        window, targets = batch[:2]
        found = pinball_of(network(window), network.scaled(targets[..., 0]), config.quantiles)
        weights = (network.scale / network.scale.mean())[:, None] * targets[..., 1]
        yield "forecast", (found * weights).sum() / targets[..., 1].sum().clamp(min=1)

    def score(
        self, networks: nn.ModuleDict, examples: Examples, config: TrafficConfig
    ) -> Mapping[str, float]:
        """wape, pinball and coverage_error: see `Sums`."""
        return self._sums(networks, examples, config).metrics()

    def score_slices(self, networks: nn.ModuleDict, examples: Examples, config: TrafficConfig) -> Slices:
        """wape of each series."""
        return _slices(self._sums(networks, examples, config), examples)

    def score_served(self, served: ServedGraph, examples: Examples, config: TrafficConfig) -> Scores:
        """See `LearningPart.score_served`."""
        convert, places = windows_for(served.signature, examples.about, config)

        def answer(window: torch.Tensor) -> torch.Tensor:
            return served.answer((convert(window),))[0][:, places]

        found = _add(examples, answer, config)
        return Scores(found.metrics(), _slices(found, examples))

    def narrower(self, config: TrafficConfig) -> TrafficConfig | None:
        """Half as wide; None if it is as narrow as it may be."""
        width = max(_NARROWEST, config.width // 2)
        return None if width == config.width else config.model_copy(update={"width": width})

    def imitation(self, answers: Batch, wanted: Batch) -> torch.Tensor:
        """The mean distance, as a part of what is wanted, so that no large series outweighs all others."""
        apart = (answers[0] - wanted[0]).abs().mean((0, 2, 3))
        return (apart / wanted[0].abs().mean((0, 2, 3)).clamp(min=1e-6)).mean()

    def baseline(self, examples: Examples, config: TrafficConfig) -> Baseline:
        """A ridge regression for each series, and last week beside it; the better one has its metrics in the
        card."""
        about, count = examples.about, len(examples.about["series"])
        sizes = Season(count, config.history, config.horizon, about["week"], 0, count)
        parts_of: dict[str, list[Sums]] = {}
        for group in sizes.groups():
            naive = Naive(group)
            answers: dict[str, Answer] = {
                naive.what: naive,
                "a ridge regression for each series": fit_ridge(examples.train, group),
            }
            for what, answer in answers.items():
                parts_of.setdefault(what, []).append(score_answer(answer, group, examples, config.quantiles))
        found = {what: reduce(Sums.beside, sums).metrics() for what, sums in parts_of.items()}
        best, other = sorted(found, key=lambda what: found[what]["wape"])
        told = ", ".join(f"{name} {found[other][name]:.4g}" for name in ("wape", "pinball", "coverage_error"))
        return Baseline(f"{best}; beside it {other} has {told}", found[best])

    def _sums(self, networks: nn.ModuleDict, examples: Examples, config: TrafficConfig) -> Sums:
        network = cast(TrafficNetwork, networks["forecast"])
        served = ServedForecast(network, is_positive=examples.about["is_positive"])
        device = device_of(networks)
        return _add(examples, lambda window: served(window.to(device)).float().cpu(), config)


def _add(examples: Examples, answer: Callable[[torch.Tensor], torch.Tensor], config: TrafficConfig) -> Sums:
    """The sums of all held-out windows."""
    columns = (parts(one, _AT_ONCE) for one in examples.held_out[:2])
    batches: Iterable[tuple[torch.Tensor, ...]] = zip(*columns, strict=True)
    found = [sums_of(answer(window), targets, config.quantiles) for window, targets in batches]
    return sum(found[1:], found[0])


def _slices(found: Sums, examples: Examples) -> Slices:
    return {"wape": found.wapes([one["name"] for one in examples.about["series"]])}
