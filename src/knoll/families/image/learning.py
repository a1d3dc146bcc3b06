"""How the classifier learns: AdamW, half a cosine, shifted and noisy pictures, cross-entropy."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from knoll.errors import Rejected
from knoll.families.annealing import adamw, half_cosine
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
from knoll.families.classifying import class_scores, imitation_loss, logits_by_class, recalls
from knoll.families.image.declaration import ImageClassifierConfig
from knoll.families.image.network import Classifier, classify

__all__ = ["ImageLearning"]

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
        return adamw(networks, config.learning_rate, config.weight_decay)

    def rate(self, done: float, config: ImageClassifierConfig) -> float:
        """See `half_cosine`."""
        return half_cosine(done)

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
        """See `class_scores`."""
        return class_scores(*classify(networks["classifier"], examples.held_out, config.batch_size))

    def score_slices(
        self, networks: nn.ModuleDict, examples: Examples, config: ImageClassifierConfig
    ) -> Slices:
        """See `recalls`."""
        found = classify(networks["classifier"], examples.held_out, config.batch_size)
        return recalls(*found, examples.about["classes"])

    def score_served(self, served: ServedGraph, examples: Examples, config: ImageClassifierConfig) -> Scores:
        """See `LearningPart.score_served`. A class that the version does not know gets no probability."""
        (pixels, targets), classes = examples.held_out[:2], examples.about["classes"]
        (image,), (answer,) = served.signature.inputs, served.signature.outputs
        size = {name: examples.about[name] for name in ("mode", "width", "height")}
        if {**image.options, **size} != {**image.options}:
            raise Rejected("its pictures have another size or mode")
        some = parts(pixels, config.batch_size)
        answers = torch.cat([served.answer((part.float() / 255,))[0] for part in some])
        logits, known = logits_by_class(answers, answer.labels, classes), targets[:]
        return Scores(class_scores(logits, known), recalls(logits, known, classes))

    def narrower(self, config: ImageClassifierConfig) -> ImageClassifierConfig | None:
        """Half as wide; None if it is as narrow as it may be."""
        width = max(_NARROWEST, config.width // 2)
        return None if width == config.width else config.model_copy(update={"width": width})

    def imitation(self, answers: Batch, wanted: Batch) -> torch.Tensor:
        """See `imitation_loss`."""
        return imitation_loss(answers[0], wanted[0])

    def baseline(self, examples: Examples, config: ImageClassifierConfig) -> Baseline:
        """The shares of the classes in the training data, whatever a picture shows."""
        names, targets = examples.about["classes"], examples.held_out[1][:]
        counts = torch.bincount(examples.train[1][:], minlength=len(names))
        logits = (counts / counts.sum()).log().expand(len(targets), -1)
        return Baseline(
            "each class is as probable as it is frequent in training, so the answer is always the most "
            "frequent one",
            class_scores(logits, targets),
        )


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
