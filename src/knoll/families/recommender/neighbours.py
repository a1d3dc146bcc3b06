"""Which items speak for which others, in closed form.

The weights are those of EASE (https://arxiv.org/abs/1905.03375), a linear model that predicts each item from
all others: B = I - P / diag(P), where P is the inverse of X'X + regularization, and X (users, items) has a 1
where a user has taken an item. Of each row the largest weights are kept.
"""

import torch

from knoll.families.base import parts

__all__ = ["baskets", "co_counts", "largest", "weights_of"]

_AT_ONCE = 256  # users
_DIGITS = 1e6  # of a weight: the last digits depend on the machine


def baskets(histories: torch.Tensor, items: int) -> torch.Tensor:
    """Histories (B, L), where 0 is none -> 1 for what was taken, (B, items + 1), and 0 for item 0."""
    made = torch.zeros(len(histories), items + 1)
    return made.scatter_(1, histories.long(), 1.0).index_fill_(1, torch.tensor([0]), 0.0)


def co_counts(histories: torch.Tensor, items: int) -> torch.Tensor:
    """How many users have taken both, (items + 1, items + 1). It takes (items + 1)^2 floats."""
    counts = torch.zeros(items + 1, items + 1)
    for part in parts(histories, _AT_ONCE):
        taken = baskets(part, items)
        counts.addmm_(taken.T, taken)
    return counts


def weights_of(counts: torch.Tensor, regularization: float) -> torch.Tensor:
    """The weights of EASE, (I + 1, I + 1): a row speaks for the columns. Item 0 says nothing."""
    regular = counts + regularization * torch.eye(len(counts))
    inverse = torch.linalg.inv(regular)
    weights = -inverse / inverse.diagonal()
    weights.fill_diagonal_(0.0)
    weights[0], weights[:, 0] = 0.0, 0.0
    rounded: torch.Tensor = (weights * _DIGITS).round() / _DIGITS
    return rounded


def largest(weights: torch.Tensor, number: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The columns with the largest weights of each row, by their amount, and these weights, (I + 1, number)
    each."""
    columns = weights.abs().topk(min(number, len(weights)), dim=1).indices
    return columns, weights.gather(1, columns)
