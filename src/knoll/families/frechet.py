"""Distance and diversity of sets of examples, to compare generated ones with real ones."""

import torch

__all__ = ["diversity", "frechet_distance"]


def frechet_distance(real: torch.Tensor, fake: torch.Tensor) -> float:
    """Squared Fréchet distance of the normal distributions fitted to two sets of vectors, (N, D) and (M, D),
    in float64.

    |m₁ - m₂|² + tr(S₁ + S₂ - 2 (S₁S₂)^½), as in https://arxiv.org/abs/1706.08500. It is biased upwards for
    few vectors, so compare only values from sets of the same sizes.
    """
    first, second = torch.cov(real.T, correction=0), torch.cov(fake.T, correction=0)
    values, vectors = torch.linalg.eigh(first)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    overlap = torch.linalg.eigvalsh(root @ second @ root).clamp(min=0).sqrt().sum()  # tr (S₁S₂)^½
    shift = (real.mean(0) - fake.mean(0)).square().sum()
    return max(float(shift + first.trace() + second.trace() - 2 * overlap), 0.0)


def diversity(vectors: torch.Tensor) -> float:
    """Mean Euclidean distance between any two of the vectors, (N, D); 0 for a single one."""
    return torch.pdist(vectors).mean().item() if len(vectors) > 1 else 0.0
