"""How the towers learn: AdamW, half a cosine, and what users took next among items that they did not.

Each step cuts each history at a random place: the network sees what came before, and is asked for what came
next. Wrong answers are drawn by popularity, and corrected for that, as in
https://research.google/pubs/sampling-bias-corrected-neural-modeling-for-large-corpus-item-recommendations/.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import torch
from torch import nn

from knoll.codecs.basket import open_catalogue
from knoll.errors import Rejected
from knoll.families.annealing import adamw, half_cosine
from knoll.families.base import Baseline, Batch, Examples, LearningPart, Scores, ServedGraph, parts
from knoll.families.base.learning import device_of
from knoll.families.recommender.data import TARGETS
from knoll.families.recommender.declaration import RecommenderConfig
from knoll.families.recommender.neighbours import baskets, co_counts
from knoll.families.recommender.network import RankedItems, TwoTowers

__all__ = ["ASKED", "RecommenderLearning"]

ASKED = 10  # items of an answer that count
_POWER = 0.75  # of popularity, by which wrong answers are drawn
_AT_ONCE = 256  # users that are scored together
_NEVER = -1e9


class RecommenderLearning(LearningPart[RecommenderConfig]):
    """One network, `towers`."""

    def build(self, config: RecommenderConfig, about: Mapping[str, Any]) -> nn.ModuleDict:
        """See `LearningPart.build`."""
        return nn.ModuleDict({"towers": TwoTowers(about, config)})

    def optimizers(
        self, networks: nn.ModuleDict, config: RecommenderConfig
    ) -> Mapping[str, torch.optim.Optimizer]:
        """AdamW."""
        return adamw(networks, config.learning_rate, config.weight_decay)

    def rate(self, done: float, config: RecommenderConfig) -> float:
        """See `half_cosine`."""
        return half_cosine(done)

    def augment(self, batch: Batch, config: RecommenderConfig) -> Batch:
        """Histories up to a random place, without some of their items, and what came next."""
        histories, _ = batch
        (rows, size), device = histories.shape, histories.device
        count = (histories > 0).sum(1)
        before = 1 + (torch.rand(rows, device=device) * (count - 1)).long()  # of an item or more, one follows
        places = torch.arange(size, device=device)
        cut = (size - count + before)[:, None]
        moved = places - (size - cut)
        is_there = (moved >= 0) & (torch.rand(rows, size, device=device) >= config.item_dropout)
        seen = histories.gather(1, moved.clamp(min=0)) * is_there
        following = cut + torch.arange(TARGETS, device=device)
        return seen, histories.gather(1, following.clamp(max=size - 1)) * (following < size)

    def losses(
        self, networks: nn.ModuleDict, batch: Batch, config: RecommenderConfig
    ) -> Iterator[tuple[str, torch.Tensor]]:
        """The cross-entropy of what users took next. It counts against drawn items while the network is
        trained, and else against all."""
        histories, targets = batch[0], batch[1].long()
        towers = cast(TwoTowers, networks["towers"])
        scores = towers(histories).float()
        against = _drawn(scores, histories, towers, config.negatives) if towers.training else scores
        right = scores.gather(1, targets)
        whole = against.logsumexp(1, keepdim=True).expand_as(right)
        if towers.training:
            whole = torch.logaddexp(whole, right)
        asked = targets > 0
        each = ((whole - right) * asked).sum(1) / asked.sum(1).clamp(min=1)
        yield "towers", each.mean()

    def score(
        self, networks: nn.ModuleDict, examples: Examples, config: RecommenderConfig
    ) -> Mapping[str, float]:
        """See `_metrics`."""
        towers, device = cast(TwoTowers, networks["towers"]), device_of(networks)
        ranked = RankedItems(towers, min(ASKED, towers.items - 1))
        return _metrics(examples, lambda part: ranked(part.to(device))[..., 0].cpu())

    def score_served(self, served: ServedGraph, examples: Examples, config: RecommenderConfig) -> Scores:
        """See `LearningPart.score_served`. Items that the version does not know are left out of histories."""
        (tensor,) = served.signature.inputs
        content = tensor.options.get("content")
        if content is None or "top" not in served.signature.outputs[0].options:
            raise Rejected("it ranks no items")
        theirs = content.made(open_catalogue).places
        ours = examples.about["items"]
        there = torch.tensor([0, *(theirs.get(name, 0) for name in ours)])
        back = torch.zeros(len(theirs) + 1, dtype=torch.long)
        back[there] = torch.arange(len(there))
        back[0] = 0

        def answer(part: torch.Tensor) -> torch.Tensor:
            asked = _of_length(there[part.long()].int(), tensor.shape[1])
            return back[served.answer((asked,))[0][..., 0].long()][:, :ASKED].double()

        return Scores(_metrics(examples, answer))

    def baseline(self, examples: Examples, config: RecommenderConfig) -> Baseline:
        """Items like those that a user has, by the cosine of who took them, and the most popular ones."""
        items = len(examples.about["items"])
        counts = co_counts(examples.train[0][:], items)
        users = counts.diagonal().clone()
        alike = counts / (users[:, None] * users).sqrt().clamp(min=1)
        alike.fill_diagonal_(0)
        found = _metrics(examples, lambda part: _best(baskets(part, items) @ alike, part))
        popular = _metrics(examples, lambda part: _best(users.expand(len(part), -1), part))
        told = ", ".join(f"{name} {value:.4g}" for name, value in popular.items())
        return Baseline(
            "items that the same users have taken as those of a user, by their cosine; beside it always the "
            f"most popular items have {told}",
            found,
        )


def _drawn(scores: torch.Tensor, histories: torch.Tensor, towers: TwoTowers, number: int) -> torch.Tensor:
    """The scores (B, number) of items drawn by popularity, less the log of how often each is drawn; without
    those that the user has."""
    chance = towers.popularity.detach().exp() ** _POWER
    chance[0] = 0
    chance = chance / chance.sum()
    drawn = torch.multinomial(chance, number, replacement=True)
    has = torch.zeros_like(scores, dtype=torch.bool).scatter_(1, histories.long(), value=True)
    corrected = scores[:, drawn] - (number * chance[drawn]).log()
    return corrected.masked_fill(has[:, drawn], _NEVER)


def _of_length(rows: torch.Tensor, size: int) -> torch.Tensor:
    """The latest `size` columns, with zeros before them."""
    return nn.functional.pad(rows, (max(size - rows.shape[1], 0), 0))[:, -size:]


def _best(scores: torch.Tensor, histories: torch.Tensor) -> torch.Tensor:
    taken = torch.cat([histories.long(), torch.zeros(len(histories), 1).long()], 1)
    open_scores = scores.scatter(1, taken, _NEVER)
    return open_scores.topk(min(ASKED, scores.shape[1] - 1), dim=1).indices.double()


def _metrics(examples: Examples, answer: Callable[[torch.Tensor], torch.Tensor]) -> Mapping[str, float]:
    """`hit_rate`, the share of held-out items that are among the best ten; and `ndcg`, where an item counts
    1 / log2(1 + rank)."""
    hits, gains, rows = 0.0, 0.0, len(examples.held_out[0])
    for part, wanted in zip(*(parts(column, _AT_ONCE) for column in examples.held_out), strict=True):
        found = answer(part) == wanted[:, :1].double()
        ranks = torch.arange(2, found.shape[1] + 2).log2()
        hits += float(found.any(1).sum())
        gains += float((found / ranks).sum())
    return {"hit_rate": hits / max(rows, 1), "ndcg": gains / max(rows, 1)}
