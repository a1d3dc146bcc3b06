"""The part of a model card that says what the version was trained on, and what was left out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from knoll.families.base import Examples
from knoll.trainer.card_text import bullets, code, literal, section, shortened, table

__all__ = ["DataFacts", "data_facts", "data_section"]

_MOST_CLASSES = 50
_MOST_NUMBERS = 4


@dataclass(frozen=True)
class DataFacts:
    """The numbers of training and held-out examples, in all and of each class, if there are classes; type and
    shape of each column of an example; what the network knows of the data; and lines on what was left out."""

    train: int
    held_out: int
    classes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def data_facts(
    examples: Examples, classes: Mapping[str, tuple[int, int]], left_out: Sequence[str]
) -> DataFacts:
    """The facts of these examples."""
    return DataFacts(
        len(examples.train[0]),
        len(examples.held_out[0]),
        classes,
        tuple(_column(one.shape[1:], str(one.dtype).removeprefix("torch.")) for one in examples.train),
        {name: value for name, value in examples.about.items() if _is_short(value)},
        tuple(left_out),
    )


def data_section(facts: DataFacts, digest: str) -> str:
    """Statistics of the data, and what was left out."""
    left_out = bullets(map(literal, facts.left_out))
    return section(
        "Data",
        f"{facts.train} training examples, {facts.held_out} held out. Dataset digest: `{digest}`.",
        f"An example is {' and '.join(facts.columns)}." if facts.columns else "",
        table(("fact", "value"), ((name, code(shortened(one))) for name, one in facts.about.items())),
        table(("class", "training", "held out"), _class_rows(facts.classes)),
        f"It was not trained on all files:\n\n{left_out}" if left_out else "",
    )


def _column(shape: Sequence[int], dtype: str) -> str:
    return f"{'×'.join(map(str, shape))} values of {dtype}" if shape else f"a value of {dtype}"


def _class_rows(classes: Mapping[str, tuple[int, int]]) -> Iterator[tuple[str, str, str]]:
    """A row for each class, and one for the rest of very many."""
    named = sorted(classes.items())
    yield from ((literal(name), str(train), str(kept)) for name, (train, kept) in named[:_MOST_CLASSES])
    if rest := [counts for _, counts in named[_MOST_CLASSES:]]:
        train, kept = (sum(side) for side in zip(*rest, strict=True))
        yield f"{len(rest)} more classes", str(train), str(kept)


def _is_short(value: Any) -> bool:
    """Whether it is one value, or a few numbers."""
    if isinstance(value, list | tuple):
        return len(value) <= _MOST_NUMBERS and all(isinstance(one, int | float) for one in value)
    return isinstance(value, str | int | float)
