"""How the network of rows learns: AdamW, half a cosine, cross-entropy; or squared error and an interval."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import torch
from torch import nn

from knoll.errors import Rejected
from knoll.families.annealing import adamw, half_cosine
from knoll.families.base import Baseline, Batch, Examples, LearningPart, Scores, ServedGraph, Slices, parts
from knoll.families.classifying import answer, class_metrics, imitation_loss, logits_by_class, recalls
from knoll.families.tabular.declaration import CLASSIFICATION, TabularConfig
from knoll.families.tabular.metrics import number_metrics
from knoll.families.tabular.network import ANSWERS, TabularNetwork, in_units
from knoll.families.tabular.served import rows_for

__all__ = ["TabularLearning"]

_LEAST = 1e-12  # a spread
_TAIL = 0.05  # of the targets below the interval, and above it
_NARROWEST = 4
_MOST_SORTED = 2**24  # torch sorts no more for a quantile


class TabularLearning(LearningPart[TabularConfig]):
    """One network, `rows`."""

    def build(self, config: TabularConfig, about: Mapping[str, Any]) -> nn.ModuleDict:
        """See `LearningPart.build`."""
        return nn.ModuleDict({"rows": TabularNetwork(about, config)})

    def optimizers(
        self, networks: nn.ModuleDict, config: TabularConfig
    ) -> Mapping[str, torch.optim.Optimizer]:
        """AdamW."""
        return adamw(networks, config.learning_rate, config.weight_decay)

    def rate(self, done: float, config: TabularConfig) -> float:
        """See `half_cosine`."""
        return half_cosine(done)

    def augment(self, batch: Batch, config: TabularConfig) -> Batch:
        """Some categories are taken for unseen ones, so that the network learns what to answer then."""
        cells, *rest = batch
        if not config.unseen:
            return batch
        is_kept = torch.rand(cells.shape[:2], device=cells.device) >= config.unseen
        return torch.stack([cells[..., 0] * is_kept, cells[..., 1]], 2), *rest

    def losses(
        self, networks: nn.ModuleDict, batch: Batch, config: TabularConfig
    ) -> Iterator[tuple[str, torch.Tensor]]:
        """Cross-entropy; of a number the squared error, and the pinball loss of both ends of the interval, as
        in https://doi.org/10.2307/1913643, which leaves the value alone."""
        cells, targets = batch[:2]
        network = cast(TabularNetwork, networks["rows"])
        outputs = network(cells)
        if not targets.is_floating_point():
            yield "rows", nn.functional.cross_entropy(outputs, targets)
            return
        apart = (targets - network.mean) / network.std - outputs[:, 0]
        ends = nn.functional.softplus(outputs[:, 1:]) * torch.tensor([-1.0, 1.0], device=outputs.device)
        over = apart.detach()[:, None] - ends
        tails = torch.tensor([_TAIL, 1 - _TAIL], device=outputs.device)
        pinball = torch.maximum(tails * over, (tails - 1) * over)
        yield "rows", apart.square().mean() + pinball.sum(1).mean()

    def score(
        self, networks: nn.ModuleDict, examples: Examples, config: TabularConfig
    ) -> Mapping[str, float]:
        """See `knoll.families.tabular.metrics`: those of a class, or those of a number."""
        return _metrics(*self._answers(networks, examples, config))

    def score_slices(self, networks: nn.ModuleDict, examples: Examples, config: TabularConfig) -> Slices:
        """recall of each class, and accuracy or r2 of the rows with each value of the columns that slice."""
        return _slices(*self._answers(networks, examples, config), examples)

    def score_served(self, served: ServedGraph, examples: Examples, config: TabularConfig) -> Scores:
        """See `LearningPart.score_served`. A class that the version does not know gets no probability."""
        convert = rows_for(served.signature, examples.about["columns"])
        some = (served.answer((convert(part),)) for part in parts(examples.held_out[0], config.batch_size))
        answers = tuple(torch.cat(column) for column in zip(*some, strict=True))
        classes, targets = examples.about["classes"], examples.held_out[1][:]
        if {one.name for one in served.signature.outputs} != {*(["probabilities"] if classes else ANSWERS)}:
            raise Rejected("its answers are of another task")
        if classes:
            answers = (logits_by_class(answers[0], served.signature.outputs[0].labels, classes),)
        return Scores(_metrics(answers, targets), _slices(answers, targets, examples))

    def narrower(self, config: TabularConfig) -> TabularConfig | None:
        """Half as wide; None if it is as narrow as it may be."""
        width = max(_NARROWEST, config.width // 2)
        return None if width == config.width else config.model_copy(update={"width": width})

    def imitation(self, answers: Batch, wanted: Batch) -> torch.Tensor:
        """See `imitation_loss`; of numbers the squared error as a part of their spread."""
        if answers[0].dim() == 2:
            return imitation_loss(answers[0], wanted[0])
        spread = wanted[0].var(correction=0).clamp(min=_LEAST)
        return super().imitation(answers, wanted) / spread

    def baseline(self, examples: Examples, config: TabularConfig) -> Baseline:
        """The shares of the classes, or the mean and the quantiles of the numbers, in the training data."""
        learnt, targets = examples.train[1][:], examples.held_out[1][:]
        if examples.about["classes"]:
            shares = torch.bincount(learnt, minlength=len(examples.about["classes"])) / len(learnt)
            said = "each class is as probable as it is frequent in training"
            return Baseline(said, _metrics((shares.log().expand(len(targets), -1),), targets))
        ends = torch.quantile(learnt.double()[:_MOST_SORTED], torch.tensor([_TAIL, 1 - _TAIL]).double())
        numbers = learnt.double().mean(), *ends
        said = "always the mean of the training, with the interval that holds 90 % of its numbers"
        return Baseline(said, _metrics(tuple(one.expand(len(targets)) for one in numbers), targets))

    def _answers(
        self, networks: nn.ModuleDict, examples: Examples, config: TabularConfig
    ) -> tuple[Batch, torch.Tensor]:
        """Logits, or the numbers in their unit, and the targets."""
        network = cast(TabularNetwork, networks["rows"])
        outputs, targets = answer(network, examples.held_out, config.batch_size)
        is_classifier = examples.about["task"] == CLASSIFICATION
        return ((outputs,) if is_classifier else in_units(outputs, network)), targets


def _metrics(answers: Batch, targets: torch.Tensor) -> Mapping[str, float]:
    return class_metrics(answers[0], targets) if len(answers) == 1 else number_metrics(answers, targets)


def _slices(answers: Batch, targets: torch.Tensor, examples: Examples) -> Slices:
    """Parts without rows are left out, and for r2 those in which all numbers are the same."""
    classes, sliced = examples.about["classes"], examples.about["slices"]
    found: dict[str, dict[str, float]] = {}
    if classes:
        is_right = answers[0].argmax(1) == targets
        found |= {name: dict(one) for name, one in recalls(answers[0], targets, classes).items()}
    for place, column in enumerate(sliced):
        parts_of = examples.held_out[2][:][:, place]
        for number, value in enumerate(column["values"], 1):
            mine = parts_of == number
            if classes and mine.any():
                right = is_right[mine].double().mean().item()
                found.setdefault("accuracy", {})[f"{column['name']}={value}"] = right
            elif mine.sum() > 1 and targets[mine].max() > targets[mine].min():
                r2 = number_metrics([one[mine] for one in answers], targets[mine])["r2"]
                found.setdefault("r2", {})[f"{column['name']}={value}"] = r2
    return found
