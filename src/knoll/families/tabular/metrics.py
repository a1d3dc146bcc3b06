"""How good answers about rows are."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from knoll.families.classifying import class_scores

__all__ = ["class_metrics", "number_metrics"]

_BINS = 10  # of the calibration error
_Numbers = NDArray[np.float64]


def class_metrics(logits: torch.Tensor, targets: torch.Tensor) -> Mapping[str, float]:
    """Those of `class_scores`, auroc and calibration_error of logits (N, K), up to a constant for each row,
    and class numbers (N,)."""
    shares, truth = logits.double().softmax(1).numpy(), targets.numpy()
    return {
        "auroc": _auroc(shares, truth),
        **class_scores(logits, targets),
        "calibration_error": _calibration_error(shares, truth),
    }


def number_metrics(answers: Sequence[torch.Tensor], targets: torch.Tensor) -> Mapping[str, float]:
    """rmse, mae, r2 and coverage of value, low and high (N,) each, and the numbers (N,) that are true."""
    value, low, high, truth = (one.double() for one in (*answers, targets))
    apart = value - truth
    spread = (truth - truth.mean()).square().mean().item()
    error = apart.square().mean().item()
    return {
        "rmse": error**0.5,
        "mae": apart.abs().mean().item(),
        "r2": 1 - error / spread if spread else float(error == 0),
        "coverage": ((low <= truth) & (truth <= high)).double().mean().item(),
    }


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
