"""What families that answer with the probabilities of classes have in common: how examples are split and
counted, and how answers are scored."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from knoll.data_layout import listed
from knoll.errors import InvalidData
from knoll.families.base import Columns, Examples, Slices, device_of, parts, split_keys

__all__ = [
    "answer",
    "class_metrics",
    "class_scores",
    "count_classes",
    "imitation_loss",
    "logits_by_class",
    "recalls",
    "split_classes",
]

_LEAST = 1e-12  # a probability
_BINS = 10  # of the calibration error
_Numbers = NDArray[np.float64]


def split_classes(
    keys: Sequence[str], share: float, labels: Sequence[str], classes: Sequence[str]
) -> tuple[list[int], list[int]]:
    """The places of the rows for training and for scoring, as `split_keys` says, with a label for each row,
    or none if there are no classes. Raises InvalidData if a class is not on both sides."""
    train, kept = split_keys(keys, share, labels)
    if not train or not kept:
        few = len({*keys})
        raise InvalidData(
            f"the data has {few} different rows or groups, too few to hold some out",
            fix="add rows that differ from these; equal rows, and rows of one group, stay together",
        )
    learnt, asked = ({labels[row] for row in side} for side in ((train, kept) if labels else ((), ())))
    if lonely := sorted({*classes} - (learnt & asked)):
        raise InvalidData(
            f"the classes {listed(lonely)} have no row to learn from beside one that is held out",
            fix="add rows that differ from these, or remove the class; rows of one group stay together",
        )
    return train, kept


def count_classes(examples: Examples) -> Mapping[str, tuple[int, int]]:
    """How many training and held-out examples each class has. Their second column has the numbers of the
    classes that `about` names."""
    names = examples.about["classes"]
    if not names:
        return {}
    sides = [
        torch.bincount(rows[1][:], minlength=len(names)).tolist()
        for rows in (examples.train, examples.held_out)
    ]
    return dict(zip(names, zip(*sides, strict=True), strict=True))


def answer(network: nn.Module, batch: Columns, batch_size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What the network says of a batch of examples (N, …), and the targets (N,), on the CPU."""
    device = device_of(network)
    outputs = [network(part.to(device)).float().cpu() for part in parts(batch[0], batch_size)]
    return torch.cat(outputs), batch[1][:].cpu()


def class_metrics(logits: torch.Tensor, targets: torch.Tensor) -> Mapping[str, float]:
    """Those of `class_scores`, auroc and calibration_error of logits (N, K), up to a constant for each row,
    and class numbers (N,)."""
    shares, truth = logits.double().softmax(1).numpy(), targets.numpy()
    return {
        "auroc": _auroc(shares, truth),
        **class_scores(logits, targets),
        "calibration_error": _calibration_error(shares, truth),
    }


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


def _auroc(shares: _Numbers, truth: NDArray[np.int64]) -> float:
    """How probable it is that a row of a class gets a higher probability of it than a row of another class;
    equal ones count half. With more than two classes the mean over them. It is 0.5 if only one occurs."""
    classes = [1] if shares.shape[1] == 2 else range(shares.shape[1])
    found = [_auroc_of(shares[:, one], truth == one) for one in classes]
    known = [one for one in found if one is not None]
    return float(np.mean(known)) if known else 0.5


def _auroc_of(scores: _Numbers, is_true: NDArray[np.bool_]) -> float | None:
    """By the ranks of the scores: https://en.wikipedia.org/wiki/Mann-Whitney_U_test."""
    true = int(is_true.sum())
    others = len(is_true) - true
    if not true or not others:
        return None
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return float((ranks[is_true].sum() - true * (true + 1) / 2) / (true * others))


def _calibration_error(shares: _Numbers, truth: NDArray[np.int64]) -> float:
    """How far probabilities lie from frequencies, on average: of two classes those of the second, else those
    of the answers. The rows are in 10 bins of equal size by probability, as in
    https://arxiv.org/abs/1909.10155."""
    if shares.shape[1] == 2:
        said, is_true = shares[:, 1], truth == 1
    else:
        said, is_true = shares.max(1), shares.argmax(1) == truth
    order = np.argsort(said, kind="stable")
    bins = np.array_split(order, min(_BINS, len(order)))
    gaps = [len(one) * abs(float(said[one].mean() - is_true[one].mean())) for one in bins]
    return sum(gaps) / len(order)
