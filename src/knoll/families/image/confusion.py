"""The confusion matrix: how often each class was taken for each other one."""

import io
from collections.abc import Sequence

import torch

__all__ = ["count_confusion", "draw_confusion"]

_MOST_NUMBERED = 30  # classes: with more, the numbers would overlap


def count_confusion(logits: torch.Tensor, targets: torch.Tensor, classes: int) -> torch.Tensor:
    """How often class `row` was taken for class `column`, (K, K)."""
    pairs = targets * classes + logits.argmax(1)
    return torch.bincount(pairs, minlength=classes * classes).view(classes, classes)


def draw_confusion(counts: torch.Tensor, classes: Sequence[str]) -> bytes:
    """The matrix as PNG."""
    from matplotlib.figure import Figure  # slow to import, and used only here

    size = max(4.0, 0.45 * len(classes) + 2)
    figure = Figure(figsize=(size, size), layout="constrained")
    axes = figure.add_subplot()
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    axes.imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(classes))
    axes.set_xticks(ticks, labels=classes, rotation=90 if max(map(len, classes)) > 2 else 0)
    axes.set_yticks(ticks, labels=classes)
    right, total = int(counts.diag().sum()), int(counts.sum())
    axes.set(xlabel="answered", ylabel="is", title=f"{right} of {total} held-out pictures right")
    for row, column in counts.nonzero().tolist() if len(classes) <= _MOST_NUMBERED else ():
        color = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, str(int(counts[row, column])), ha="center", va="center", color=color)
    body = io.BytesIO()
    figure.savefig(body, format="png", dpi=100, metadata={"Software": ""})
    return body.getvalue()
