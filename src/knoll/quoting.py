"""Text from strangers, such as keys and class names, as it may be shown in a terminal, a log or a card."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from math import inf, isnan
from typing import Any

__all__ = ["did_you_mean", "escaped", "shown", "some_of"]

_FEW = 3
_LONGEST = 80  # characters of a value


def escaped(text: str) -> str:
    """The text in one line that cannot move a cursor, change a colour or turn the direction of writing.

    Control characters, line breaks, marks without a glyph (such as U+202E) and lone surrogates become \\xNN,
    \\uNNNN or \\UNNNNNNNN. Letters, digits, signs, spaces and emoji stay.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _escape(ord(one)) for one in text)


def shown(value: Any) -> str:
    """A value of JSON or YAML in one short line, as these write it; a list or an object by its kind."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float) and (isnan(value) or value in (inf, -inf)):
        return ".nan" if isnan(value) else f"{'-' * (value < 0)}.inf"
    if isinstance(value, Mapping):
        return "an object with fields"
    if isinstance(value, list | tuple):
        return "a list"
    told = escaped(str(value)[: _LONGEST + 1])
    told = told if len(told) <= _LONGEST else f"{told[:_LONGEST]}…"
    return f"'{told}'" if isinstance(value, str) else told


def some_of(names: Sequence[str]) -> str:
    """The first few names, each escaped, and how many more there are."""
    told = ", ".join(escaped(name) for name in names[:_FEW])
    return told + (f" and {len(names) - _FEW:,} more" if len(names) > _FEW else "")


def _escape(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """ "epoch" -> "; did you mean epochs?"; "" if no known word is like it."""
    by_lower = {one.lower(): one for one in known}
    alike = get_close_matches(str(word).lower(), by_lower, 1, 0.6)
    return f"; did you mean {by_lower[alike[0]]}?" if alike else ""
