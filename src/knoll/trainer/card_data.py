"""The part of a model card that says what the version was trained on, and what was left out."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from knoll.families.base import Examples, Streamed
from knoll.markdown import bullets, code, cut, literal, minute, section, shortened, table
from knoll.records.run import Run
from knoll.trainer.card_facts import CardFacts, ColumnFacts, DataFacts

__all__ = ["column_facts", "data_facts", "data_section"]

_MOST_CLASSES = 50
_MOST_NUMBERS = 4
_AT_ONCE = 2**20  # numbers of which a copy is made


def data_facts(
    examples: Examples,
    classes: Mapping[str, tuple[int, int]],
    columns: tuple[ColumnFacts, ...],
    left_out: Sequence[str],
) -> DataFacts:
    """The facts of these examples."""
    about = {name: value for name, value in examples.about.items() if _is_short(value)}
    sides = len(examples.train[0]), len(examples.held_out[0])
    return DataFacts(*sides, classes, columns, about, tuple(left_out))


def column_facts(examples: Examples) -> tuple[ColumnFacts, ...]:
    """Type, shape and range of each column of the training examples, as far as they are in memory."""
    return tuple(_column(one.kept if isinstance(one, Streamed) else one) for one in examples.train)


def data_section(facts: CardFacts) -> str:
    """Statistics of the data, and what was left out."""
    data = facts.data
    left_out = bullets(map(literal, data.left_out))
    return section(
        "Data",
        f"{data.train:,} training examples, {data.held_out:,} held out{_origin(facts.run)}",
        f"Dataset digest: `{facts.run.dataset_digest}`",
        table(("column", "type", "shape", "least", "mean", "greatest"), _column_rows(data.columns)),
        _part(data),
        table(("fact", "value"), ((name, code(cut(shortened(one)))) for name, one in data.about.items())),
        table(("class", "training", "held out"), _class_rows(data.classes)),
        f"It was not trained on all files:\n\n{left_out}" if left_out else "",
    )


def _origin(run: Run) -> str:
    """Where the data lay and when it came to be; records of earlier releases do not tell."""
    place = f" from {code(run.prefix)}" if run.prefix else ""
    at = f" as of {minute(run.data_at)}" if run.data_at else ""
    return f",{place}{at}." if place or at else "."


def _column(column: torch.Tensor) -> ColumnFacts:
    """A part at a time, because torch sums a copy with eight bytes for each number."""
    shape, kind = tuple(column.shape[1:]), str(column.dtype).removeprefix("torch.")
    parts = torch.split(column, max(1, _AT_ONCE // max(1, math.prod(shape))))
    ranges = [torch.aminmax(one.byte() if one.dtype == torch.bool else one) for one in parts]
    least, most = min(one.min.item() for one in ranges), max(one.max.item() for one in ranges)
    if not column.is_floating_point() and column.dtype not in (torch.bool, torch.uint8):
        return ColumnFacts(kind, shape, least, most, rows=len(column))
    total = sum(one.sum(dtype=torch.float64).item() for one in parts)
    return ColumnFacts(kind, shape, least, most, total / column.numel(), len(column))


def _part(data: DataFacts) -> str:
    """How many examples the columns were computed from, if not from all."""
    rows = min((one.rows for one in data.columns), default=data.train)
    return f"The range of a column is that of the first {rows:,} examples." if rows < data.train else ""


def _column_rows(columns: Sequence[ColumnFacts]) -> Iterator[tuple[str, ...]]:
    for number, one in enumerate(columns, 1):
        numbers = (f"{value:.4g}" if value is not None else "" for value in (one.least, one.mean, one.most))
        yield str(number), one.type, "×".join(map(str, one.shape)) or "one value", *numbers


def _class_rows(classes: Mapping[str, tuple[int, int]]) -> Iterator[tuple[str, str, str]]:
    """A row for each class, and one for the rest of very many."""
    named = sorted(classes.items())
    yield from ((literal(cut(name)), str(train), str(kept)) for name, (train, kept) in named[:_MOST_CLASSES])
    if rest := [counts for _, counts in named[_MOST_CLASSES:]]:
        train, kept = (sum(side) for side in zip(*rest, strict=True))
        yield f"{len(rest)} more classes", str(train), str(kept)


def _is_short(value: Any) -> bool:
    """Whether it is one value, or a few numbers."""
    if isinstance(value, list | tuple):
        return len(value) <= _MOST_NUMBERS and all(isinstance(one, int | float) for one in value)
    return isinstance(value, str | int | float)
