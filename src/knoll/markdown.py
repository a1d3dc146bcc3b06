"""Markdown that reads well without a viewer, too: short lines and aligned tables.

Texts of strangers go through `literal` or `code`, and are never markup.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from knoll.quoting import escaped

__all__ = [
    "WIDTH",
    "bullets",
    "code",
    "cut",
    "fenced",
    "literal",
    "minute",
    "paragraph",
    "paragraphs",
    "section",
    "shortened",
    "table",
]

WIDTH = 110  # columns of a line, unless one word is longer
_MARKUP = re.compile(r"[\\`*\[\]<>|!#$&~]|(?<!\w)_|_(?!\w)")  # within a word, _ is a letter
_LISTED = r"([-+=*]+|[0-9]{1,9}[.)])(?=\s|$)"  # it begins a list or a heading, at the start of a line
_START = re.compile(_LISTED)
_BREAK = re.compile(rf" (?!{_LISTED}|[#>|<~]|`{{3}})")  # before no word that would be markup there
_DIGITS = 4  # of a fraction
_LONGEST = 40  # characters of a text in an example
_MOST = 12  # members of a list or an object in an example


def literal(text: str) -> str:
    """Text that may hold names of strangers, in one line and without markup."""
    told = _MARKUP.sub(r"\\\g<0>", escaped(text))
    start = _START.match(told)
    return f"{told[: start.end() - 1]}\\{told[start.end() - 1 :]}" if start else told


def code(text: str) -> str:
    """The text as code in one line, also in a table, whatever it has in it."""
    told = escaped(text).replace("|", "\\|")
    fence = "`" * (1 + _longest_run(told))
    return f"{fence} {told} {fence}" if len(fence) > 1 else f"`{told}`"


def fenced(text: str, language: str) -> str:
    """Lines of code, whatever they have in them."""
    fence = "`" * max(3, 1 + _longest_run(text))
    return f"{fence}{language}\n{text}\n{fence}"


def cut(text: str, most: int = _LONGEST) -> str:
    """The first characters of a text that is longer."""
    return text if len(text) <= most else f"{text[:most]}…"


def minute(at: str) -> str:
    """A time in UTC: "2026-01-01T00:00:05+00:00" -> "2026-01-01 00:00 UTC"."""
    return f"{escaped(at[:16]).replace('T', ' ')} UTC"


def paragraph(text: str, first: str = "") -> str:
    """The words of a text in lines of at most WIDTH columns. Those behind the line that begins with `first`
    are indented as it is."""
    lines, indent = [first], " " * len(first)
    for words in _BREAK.sub("\n", " ".join(text.split())).split("\n"):
        wider = f"{lines[-1]} {words}" if lines[-1] != first else f"{first}{words}"
        if _width(wider) <= WIDTH or lines[-1] == first:
            lines[-1] = wider
        else:
            lines.append(f"{indent}{words}")
    return "\n".join(lines)


def paragraphs(text: str) -> list[str]:
    """What a stranger has written, with empty lines between its paragraphs."""
    return [literal(" ".join(one.split())) for one in re.split(r"\n\s*\n", text) if one.strip()]


def bullets(lines: Iterable[str]) -> str:
    """A list with these lines."""
    return "\n".join(paragraph(line, "- ") for line in lines)


def section(title: str, *parts: str) -> str:
    """A heading with what stands under it; "" if that is nothing. A part of one line is a paragraph."""
    told = [part if "\n" in part else paragraph(part) for part in parts if part]
    return "\n\n".join([f"## {title}", *told]) if told else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with columns of equal width; "" without rows. A column without any cell is left out."""
    found = [tuple(row) for row in rows]
    used = [at for at in range(len(head)) if any(row[at] for row in found)]
    lines = [[line[at] for at in used] for line in (head, *found)]
    widths = [max(3, *map(_width, column)) for column in zip(*lines, strict=True)]
    rule = ["-" * width for width in widths]
    padded = [
        [cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)]
        for line in (lines[0], rule, *lines[1:])
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in padded) if found else ""


def shortened(value: Any) -> str:
    """A value as JSON in one line, with few digits and without the rest of what is long."""
    return escaped(json.dumps(_short(value), ensure_ascii=False).replace('"…": "…"', "…").replace('"…"', "…"))


def _longest_run(text: str) -> int:
    """The length of the longest run of backticks."""
    return max(map(len, re.findall("`+", text)), default=0)


def _width(text: str) -> int:
    """Columns of a text in a terminal: two for a wide character, none for a mark on another one."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1
        for one in text
    )


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, str):
        return cut(value)
    if isinstance(value, dict):
        fields = {name: _short(one) for name, one in list(value.items())[:_MOST]}
        return fields if len(value) <= _MOST else {**fields, "…": "…"}
    if isinstance(value, list | tuple):
        some = [_short(one) for one in value[:_MOST]]
        return some if len(value) <= _MOST else [*some, "…"]
    return value
