"""Texts become the numbers of their tokens, and classes to learn."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from knoll.data_files import why_skipped
from knoll.data_kinds import is_table
from knoll.data_layout import bad_names, listed
from knoll.errors import BadFiles, InvalidData
from knoll.families.base import DataPart, Examples, Files
from knoll.families.classifying import count_classes, split_classes
from knoll.families.table_files import count_tables
from knoll.families.text.columns import find_columns
from knoll.families.text.declaration import TextConfig, TextDeclaration
from knoll.families.text.evidence import count_ngrams
from knoll.families.text.texts import Texts, read_files, read_tables
from knoll.families.text.tokens import MOST_TOKENS, Tokens, learn_tokenizer, size_of, tokenize

__all__ = ["TextData"]

_NAMED = 20  # classes in a note


class TextData(DataPart[TextConfig]):
    """A row is (numbers of tokens as int32 (T,), class number)."""

    streams = True

    def examples(self, files: Files, config: TextConfig) -> Examples:
        """Read all texts, and learn the tokens from those that are trained on. Raises InvalidData that names
        the files, or the columns."""
        texts = _read(files, config)
        classes = [*texts.classes]
        train, kept = _split(texts, config.held_out)
        learnt_from = [texts.texts[row] for row in train]
        content = learn_tokenizer(learnt_from, config.vocabulary, lowercase=config.lowercase)
        learnt = tokenize(content, learnt_from, config.tokens)
        size = learnt.numbers.shape[1]
        asked = tokenize(content, [texts.texts[row] for row in kept], size)
        targets = _targets(texts, classes)
        counts, vocabulary = torch.bincount(targets[train], minlength=len(classes)), size_of(content)
        about = {
            "classes": classes,
            "vocabulary": vocabulary,
            "tokens": size,
            "lowercase": config.lowercase,
            "tokenizer": {"content": content},
            "shares": (counts / counts.sum()).tolist(),
            "ngrams": count_ngrams(learnt.numbers, targets[train], len(classes), vocabulary),
        }
        sides = ((learnt.numbers, targets[train]), (asked.numbers, targets[kept]))
        return Examples(*sides, about, tuple(_notes(texts, [learnt, asked])), texts.bad)

    def golden(self, files: Files, about: Mapping[str, Any], config: TextConfig) -> Examples:
        """All texts, as the tokens of the data. Raises InvalidData that names bad files and rows, and classes
        that the data lacks."""
        texts = _read(files, config)
        if texts.bad.bad:
            raise BadFiles(texts.bad.named)
        if unknown := sorted({*texts.labels} - {*about["classes"]}):
            raise InvalidData(
                f"it has the classes {listed(unknown)}, which the data lacks: add them to the data, or leave "
                "them out of the golden set"
            )
        found = tokenize(about["tokenizer"]["content"], texts.texts, about["tokens"])
        rows = found.numbers, _targets(texts, about["classes"])
        return Examples(rows, rows, about)

    def class_counts(self, examples: Examples) -> Mapping[str, tuple[int, int]]:
        """See `count_classes`."""
        return count_classes(examples)


def _read(files: Files, config: TextConfig) -> Texts:
    """The texts of tables, or of files in folders. Raises BadFiles and InvalidData."""
    keys = sorted(key for key in files if why_skipped(key) is None)
    if bad := bad_names(keys, TextDeclaration.form):
        raise BadFiles(bad)
    tables = [key for key in keys if is_table(key)]
    if tables and len(tables) < len(keys):
        others = [key for key in keys if not is_table(key)]
        raise InvalidData(
            f"it has tables, such as {listed(tables[:1])}, and texts, such as {listed(others[:1])}",
            fix="keep the texts in tables, or each in a file of its own",
        )
    if keys and not tables:
        return read_files(files, keys, _room_for(config))
    counts = count_tables(files, tables)
    return read_tables(files, tables, find_columns(counts, config), counts.rows, _room_for(config))


def _room_for(config: TextConfig) -> int:
    """How many tokens a text may take."""
    return config.tokens or MOST_TOKENS


def _targets(texts: Texts, classes: Sequence[str]) -> torch.Tensor:
    numbers = {name: number for number, name in enumerate(classes)}
    return torch.tensor([numbers[label] for label in texts.labels], dtype=torch.int64)


def _split(texts: Texts, share: float) -> tuple[list[int], list[int]]:
    """The places of the texts for training and for scoring: as the splits of the data say, else by text."""
    if not texts.held_out:
        return split_classes(texts.keys, share, texts.labels, texts.classes)
    rows = range(len(texts.texts))
    return [row for row in rows if row not in texts.held_out], sorted(texts.held_out)


def _notes(texts: Texts, sides: Sequence[Tokens]) -> Iterator[str]:
    counts = sorted(Counter(texts.labels).items())
    more = ", …" if counts[_NAMED:] else ""
    told = ", ".join(f"{name} ({count:,})" for name, count in counts[:_NAMED])
    yield f"{texts.origin}, with {len(counts):,} classes: {told}{more}."
    if texts.splits:
        yield (
            f"The folders {', '.join(texts.splits)} are used as splits: {len(texts.held_out):,} texts are "
            "held out, and heldOut is not used."
        )
    if equal := len(texts.keys) - len({*texts.keys}):
        yield f"{equal:,} texts are equal to others: equal ones are on one side."
    if cut := sum(one.cut for one in sides):
        size = sides[0].numbers.shape[1]
        yield f"{cut:,} texts have more than {size:,} tokens, and are cut off there; tokens sets more."
