"""The confusion matrix: how often each class was taken for each other one.

The picture has a largest size. With many classes its labels go first, then neighbouring classes share a cell.
"""

import io
from collections.abc import Sequence

import torch

from knoll.quoting import escaped

__all__ = ["count_confusion", "draw_confusion"]

_MOST_NUMBERED = 30  # classes: with more, the numbers would overlap
_MOST_LABELLED = 50
_MOST_CELLS = 500  # on a side
_LONGEST_LABEL = 24
_INCHES, _UNLABELLED = 0.45, 10.0  # for each class, and in all if there are too many


def count_confusion(answers: torch.Tensor, targets: torch.Tensor, classes: int) -> torch.Tensor:
    """How often class `row` was taken for class `column`, (K, K). With very many classes, neighbours are
    counted together."""
    cells = min(classes, _MOST_CELLS)
    pairs = (targets * cells // classes) * cells + answers * cells // classes
    return torch.bincount(pairs, minlength=cells * cells).view(cells, cells)


def draw_confusion(counts: torch.Tensor, classes: Sequence[str]) -> bytes:
    """The matrix as PNG. `counts` are those of `count_confusion`."""
    from matplotlib.figure import Figure  # slow to import, and used only here

    names = [_cut(name) for name in classes] if len(classes) <= _MOST_LABELLED else []
    size = max(4.0, _INCHES * len(names) + 2) if names else _UNLABELLED
    figure = Figure(figsize=(size, size), layout="constrained")
    axes = figure.add_subplot()
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    axes.imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=1)
    ticks, turn = range(len(names)), 90 if any(len(one) > 2 for one in names) else 0
    axes.set_xticks(ticks, labels=names, rotation=turn, parse_math=False)  # "$" in a name is no formula
    axes.set_yticks(ticks, labels=names, parse_math=False)
    axes.set(xlabel="answered", ylabel="is", title=_title(counts, len(classes)))
    for row, column in counts.nonzero().tolist() if len(classes) <= _MOST_NUMBERED else ():
        color = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, str(int(counts[row, column])), ha="center", va="center", color=color)
    body = io.BytesIO()
    figure.savefig(body, format="png", dpi=100, metadata={"Software": ""})
    return body.getvalue()


def _title(counts: torch.Tensor, classes: int) -> str:
    right, total = int(counts.diag().sum()), int(counts.sum())
    if len(counts) < classes:
        return f"{total} held-out pictures of {classes} classes, neighbours together"
    return f"{right} of {total} held-out pictures right"


def _cut(name: str) -> str:
    shown = escaped(name)
    return shown if len(shown) <= _LONGEST_LABEL else shown[: _LONGEST_LABEL - 1] + "…"
