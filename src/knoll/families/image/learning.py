"""How the classifier learns: AdamW, half a cosine, shifted and noisy pictures, cross-entropy."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from knoll.errors import Rejected
from knoll.families.base import (
    Baseline,
    Batch,
    Examples,
    LearningPart,
    Scores,
    ServedGraph,
    Slices,
    parts,
)
from knoll.families.image.declaration import ImageClassifierConfig
from knoll.families.image.network import Classifier, classify

__all__ = ["ImageLearning"]

_LEAST = 1e-12  # a probability
_NARROWEST = 4  # channels of the first layer


class ImageLearning(LearningPart[ImageClassifierConfig]):
    """One network, `classifier`."""

    def build(self, config: ImageClassifierConfig, about: Mapping[str, Any]) -> nn.ModuleDict:
        """See `LearningPart.build`."""
        return nn.ModuleDict({"classifier": Classifier(about, config.width, config.dropout)})

    def optimizers(
        self, networks: nn.ModuleDict, config: ImageClassifierConfig
    ) -> Mapping[str, torch.optim.Optimizer]:
        """AdamW."""
        parameters, decay = networks.parameters(), config.weight_decay
        return {"classifier": torch.optim.AdamW(parameters, lr=config.learning_rate, weight_decay=decay)}

    def rate(self, done: float, config: ImageClassifierConfig) -> float:
        """Half a cosine from 1 to 0, as in https://arxiv.org/abs/1608.03983."""
        return (1 + math.cos(math.pi * done)) / 2

    def prepare(self, batch: Batch, config: ImageClassifierConfig) -> Batch:
        """Pixels in [0, 1]."""
        pixels, targets = batch
        return pixels.float() / 255, targets

    def augment(self, batch: Batch, config: ImageClassifierConfig) -> Batch:
        """Pixels shifted by whole pixels, mirrored if the config says so, with Gaussian noise."""
        pixels, targets = batch
        shifted = _shift(pixels, config.shift)
        if config.flip:
            is_mirrored = torch.rand(len(shifted), 1, 1, 1, device=shifted.device) < 0.5
            shifted = torch.where(is_mirrored, shifted.flip(-1), shifted)
        return shifted + config.noise * torch.randn_like(shifted), targets

    def losses(
        self, networks: nn.ModuleDict, batch: Batch, config: ImageClassifierConfig
    ) -> Iterator[tuple[str, torch.Tensor]]:
        """Cross-entropy."""
        pixels, targets = batch
        yield "classifier", nn.functional.cross_entropy(networks["classifier"](pixels), targets)

    def score(
        self, networks: nn.ModuleDict, examples: Examples, config: ImageClassifierConfig
    ) -> Mapping[str, float]:
        """accuracy, loss (mean cross-entropy) and macro_f1 (mean of F1 over the classes that occur)."""
        return _metrics(*classify(networks["classifier"], examples.held_out, config.batch_size))

    def score_slices(
        self, networks: nn.ModuleDict, examples: Examples, config: ImageClassifierConfig
    ) -> Slices:
        """recall, of each class that occurs."""
        found = classify(networks["classifier"], examples.held_out, config.batch_size)
        return _recall(*found, examples.about["classes"])

    def score_served(self, served: ServedGraph, examples: Examples, config: ImageClassifierConfig) -> Scores:
        """See `LearningPart.score_served`. A class that the version does not know gets no probability."""
        (pixels, targets), classes = examples.held_out[:2], examples.about["classes"]
        (image,), (answer,) = served.signature.inputs, served.signature.outputs
        size = {name: examples.about[name] for name in ("mode", "width", "height")}
        if {**image.options, **size} != {**image.options}:
            raise Rejected("its pictures have another size or mode")
        labels = answer.labels
        some = parts(pixels, config.batch_size)
        answers = torch.cat([served.answer((part.float() / 255,))[0] for part in some])
        unknown = answers.new_zeros(len(answers))
        columns = [answers[:, labels.index(one)] if one in labels else unknown for one in map(str, classes)]
        logits = torch.stack(columns, dim=1).clamp(min=_LEAST).log()
        known = targets[:]
        return Scores(_metrics(logits, known), _recall(logits, known, classes))

    def narrower(self, config: ImageClassifierConfig) -> ImageClassifierConfig | None:
        """Half as wide; None if it is as narrow as it may be."""
        width = max(_NARROWEST, config.width // 2)
        return None if width == config.width else config.model_copy(update={"width": width})

    def imitation(self, answers: Batch, wanted: Batch) -> torch.Tensor:
        """Cross-entropy of the probabilities, as in https://arxiv.org/abs/1503.02531 with temperature 1."""
        return -(wanted[0] * answers[0].clamp(min=_LEAST).log()).sum(1).mean()

    def baseline(self, examples: Examples, config: ImageClassifierConfig) -> Baseline:
        """The shares of the classes in the training data, whatever a picture shows."""
        names, targets = examples.about["classes"], examples.held_out[1][:]
        counts = torch.bincount(examples.train[1][:], minlength=len(names))
        logits = (counts / counts.sum()).log().expand(len(targets), -1)
        return Baseline(
            "each class is as probable as it is frequent in training, so the answer is always the most "
            "frequent one",
            _metrics(logits, targets),
        )


def _metrics(logits: torch.Tensor, targets: torch.Tensor) -> Mapping[str, float]:
    """See `ImageLearning.score`; logits (N, K), up to a constant for each row, and class numbers (N,)."""
    answers, classes = logits.argmax(1), logits.shape[1]
    right = answers[answers == targets]
    hits, said, true = (torch.bincount(one, minlength=classes) for one in (right, answers, targets))
    occurs = said + true > 0  # a golden set may lack classes
    f1 = 2 * hits[occurs].double() / (said + true)[occurs]
    return {
        "accuracy": len(right) / len(targets),
        "loss": nn.functional.cross_entropy(logits, targets).item(),
        "macro_f1": f1.mean().item(),
    }


def _recall(logits: torch.Tensor, targets: torch.Tensor, classes: Sequence[Any]) -> Slices:
    """The part of the examples of each class that is answered rightly."""
    is_right, counts = logits.argmax(1) == targets, torch.bincount(targets, minlength=len(classes))
    hits = torch.bincount(targets[is_right], minlength=len(classes))
    rows = zip(map(str, classes), hits.tolist(), counts.tolist(), strict=True)
    return {"recall": {name: hit / count for name, hit, count in rows if count}}


def _shift(pixels: torch.Tensor, share: float) -> torch.Tensor:
    """Move each picture by up to `share` of its side, (B, C, H, W); the border is repeated."""
    count, _, height, width = pixels.shape
    up, left = round(share * height), round(share * width)
    padded = nn.functional.pad(pixels, (left, left, up, up), mode="replicate").permute(0, 2, 3, 1)
    device = pixels.device
    top = torch.randint(0, 2 * up + 1, (count, 1), device=device)
    side = torch.randint(0, 2 * left + 1, (count, 1), device=device)
    rows = top + torch.arange(height, device=device)  # (B, H)
    columns = side + torch.arange(width, device=device)  # (B, W)
    which = torch.arange(count, device=device).view(-1, 1, 1)
    return padded[which, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
