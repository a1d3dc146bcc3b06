"""What families that answer with the probabilities of classes have in common: how they are scored."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from knoll.families.base import Slices

__all__ = ["class_scores", "imitation_loss", "logits_by_class", "recalls"]

_LEAST = 1e-12  # a probability


def class_scores(logits: torch.Tensor, targets: torch.Tensor) -> dict[str, float]:
    """accuracy, loss (mean cross-entropy) and macro_f1 (mean of F1 over the classes that occur) of logits
    (N, K), up to a constant for each row, and class numbers (N,)."""
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


def recalls(logits: torch.Tensor, targets: torch.Tensor, classes: Sequence[Any]) -> Slices:
    """recall: the part of the examples of each class that is answered rightly, of classes that occur."""
    is_right, counts = logits.argmax(1) == targets, torch.bincount(targets, minlength=len(classes))
    hits = torch.bincount(targets[is_right], minlength=len(classes))
    rows = zip(map(str, classes), hits.tolist(), counts.tolist(), strict=True)
    return {"recall": {name: hit / count for name, hit, count in rows if count}}


def logits_by_class(answers: torch.Tensor, labels: Sequence[str], classes: Sequence[Any]) -> torch.Tensor:
    """Probabilities (N, L) of a version with these labels -> logits (N, K) of the classes. A class that the
    version does not know gets no probability."""
    unknown = answers.new_zeros(len(answers))
    columns = [answers[:, labels.index(one)] if one in labels else unknown for one in map(str, classes)]
    return torch.stack(columns, dim=1).clamp(min=_LEAST).log()


def imitation_loss(answers: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of probabilities (N, K), as in https://arxiv.org/abs/1503.02531 with temperature 1."""
    return -(wanted * answers.clamp(min=_LEAST).log()).sum(1).mean()
