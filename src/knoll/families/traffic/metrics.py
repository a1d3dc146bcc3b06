"""How good quantiles of series are: sums by series, which add up over batches."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

__all__ = ["Sums", "pinball_of", "sums_of"]


@dataclass(frozen=True)
class Sums:
    """By series (S,): of distances from the middle quantile, of pinball losses over all quantiles, of the
    values without their sign; how many values lie within the outer quantiles, and are known at all. `between`
    is the share that should lie there."""

    errors: torch.Tensor
    pinballs: torch.Tensor
    values: torch.Tensor
    within: torch.Tensor
    known: torch.Tensor
    between: float

    def __add__(self, other: "Sums") -> "Sums":
        return self._of(one + more for one, more in zip(self._all, other._all, strict=True))

    def beside(self, other: "Sums") -> "Sums":
        """Those of other series behind these."""
        return self._of(torch.cat(pair) for pair in zip(self._all, other._all, strict=True))

    def _of(self, sums: Iterable[torch.Tensor]) -> "Sums":
        errors, pinballs, values, within, known = sums
        return Sums(errors, pinballs, values, within, known, self.between)

    @property
    def _all(self) -> tuple[torch.Tensor, ...]:
        return self.errors, self.pinballs, self.values, self.within, self.known

    def metrics(self) -> Mapping[str, float]:
        """wape, pinball and coverage_error of all series together. If all values are 0: mean distances."""
        of = self.values.sum().item() or self.known.sum().clamp(min=1).item()
        within = (self.within.sum() / self.known.sum().clamp(min=1)).item()
        return {
            "wape": self.errors.sum().item() / of,
            "pinball": self.pinballs.sum().item() / of,
            "coverage_error": abs(within - self.between),
        }

    def wapes(self, names: Sequence[str]) -> Mapping[str, float]:
        """wape of each series that has values other than 0."""
        rows = zip(names, self.errors.tolist(), self.values.tolist(), strict=True)
        return {name: error / value for name, error, value in rows if value}


def sums_of(answers: torch.Tensor, targets: torch.Tensor, quantiles: Sequence[float]) -> Sums:
    """Of quantiles (B, S, F, Q), and values (B, S, F, 2) with whether they are known. pinball is twice the
    mean of the losses of all quantiles, so that it is wape if there is the middle one alone."""
    values, known = targets[..., 0].double(), targets[..., 1].double()
    answers = answers.double()
    middle = (answers[..., [*quantiles].index(0.5)] - values).abs() * known
    pinball = 2 * pinball_of(answers, values, quantiles) * known
    within = (answers[..., 0] <= values) & (values <= answers[..., -1])
    parts = middle, pinball, values.abs() * known, within * known, known
    errors, pinballs, sums, inside, counts = (one.sum((0, 2)) for one in parts)
    return Sums(errors, pinballs, sums, inside, counts, quantiles[-1] - quantiles[0])


def pinball_of(answers: torch.Tensor, values: torch.Tensor, quantiles: Sequence[float]) -> torch.Tensor:
    """The mean pinball loss of quantiles (..., Q) and values (...), as in https://doi.org/10.2307/1913643."""
    shares = torch.tensor(quantiles, dtype=answers.dtype, device=answers.device)
    over = values[..., None] - answers
    return torch.maximum(shares * over, (shares - 1) * over).mean(-1)
