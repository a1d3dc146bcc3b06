"""How good answers with numbers are."""

from collections.abc import Mapping, Sequence

import torch

__all__ = ["number_metrics"]


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
