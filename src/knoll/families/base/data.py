"""The first part of a family, data: reading files, splitting them into examples, describing them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

import torch

from knoll.errors import InvalidData
from knoll.families.base.columns import Columns
from knoll.families.base.files import Files
from knoll.families.declaration import ConfigT
from knoll.families.held_out import held_out

__all__ = ["BadRows", "Batch", "DataPart", "Examples", "split_examples", "split_keys"]

Batch = tuple[torch.Tensor, ...]


@dataclass(frozen=True)
class BadRows:
    """Rows of files that cannot be learnt from, beside `good` ones: how many are `bad`, and why the first 50
    of them are, by place, such as "people.csv, line 17"."""

    good: int = 0
    bad: int = 0
    named: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Examples:
    """Decoded data. `train` and `held_out` are tuples of columns; the columns of one tuple have equal length.
    A column is a tensor, or `Streamed`; of both, rows by number or by slice are a tensor.

    `about` is what the family must remember of the data, as JSON: class names, image size. `notes` are
    sentences for the log and the model card: what was done to the data that its owner may not expect.
    `bad_rows` are left out, if the Model lets the run go on without them.
    """

    train: Columns
    held_out: Columns
    about: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    bad_rows: BadRows = BadRows()


class DataPart(ABC, Generic[ConfigT]):
    """Makes examples of files. If it `streams`, it keeps to `Files.room` however many files there are, and
    data may be larger than memory."""

    streams = False

    @abstractmethod
    def examples(self, files: Files, config: ConfigT) -> Examples:
        """Decode and split the data, the same way each time. Raises InvalidData that names the file.

        `files` has the dataset's objects, sorted by key. A key is relative to the prefix. The members of a
        .zip or .tar are in its place, as `<archive>/<member>`, in the order of the archive. Keys are in NFC.
        Files that `why_skipped` skips, the marker and the manifest are left out. A file is read when it is
        used.
        """

    def golden(self, files: Files, about: Mapping[str, Any], config: ConfigT) -> Examples:
        """All files of a golden set as examples to score, in the form of the data's examples, whose `about`
        is given. The same rows are on both sides. Raises InvalidData that names the file, or what the
        networks do not know.

        By default `examples` decodes them, and must return the same `about`. Override this if `about` depends
        on the data.
        """
        found = self.examples(files, config)
        other = sorted(name for name in {*found.about, *about} if found.about.get(name) != about.get(name))
        if other:
            raise InvalidData(
                f"it is not like the data, in {', '.join(other)}: this family scores a golden set only if "
                "both are alike in this"
            )
        sides = zip(found.train, found.held_out, strict=True)
        rows = tuple(torch.cat([one[:], other[:]]) for one, other in sides)
        return Examples(rows, rows, about, found.notes)

    def class_counts(self, examples: Examples) -> Mapping[str, tuple[int, int]]:
        """How many training and held-out examples each class has, by its name, for the model card. By default
        there are no classes."""
        return {}

    def decoded_bytes(self, files: Files, config: ConfigT) -> int:
        """An estimate of the bytes that `examples` will take, without decoding all files. If they do not fit
        into the run's memory, it is rejected. By default 0: unknown. It is not asked of what `streams`."""
        return 0


def split_examples(columns: Batch, keys: Sequence[str], share: float, labels: Sequence[str] = ()) -> Examples:
    """Hold out a share of the rows of these columns, as `split_keys` says.

    That copies all columns. Where they are large, put the rows in the order of `split_keys` when they are
    decoded, and cut the columns in two.
    """
    train, kept = split_keys(keys, share, labels)
    return Examples(
        tuple(column[train].contiguous() for column in columns),
        tuple(column[kept].contiguous() for column in columns),
    )


def split_keys(keys: Sequence[str], share: float, labels: Sequence[str] = ()) -> tuple[list[int], list[int]]:
    """The places of the rows for training and of those that are held out: a row with the same key always
    stays on the same side.

    With a label for each row, each label is on both sides. Raises InvalidData if there are fewer than two
    rows.
    """
    if len(keys) < 2:
        raise InvalidData(
            f"the number of examples is {len(keys)}, but there must be at least 2",
            fix="add data: one example is for training, one for scoring",
        )
    is_held_out = held_out(keys, labels or [""] * len(keys), share)
    rows = range(len(keys))
    return [row for row in rows if not is_held_out[row]], [row for row in rows if is_held_out[row]]
