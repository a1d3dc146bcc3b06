"""The Markdown of a model card: aligned, so that it reads well without a viewer, too."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from knoll.quoting import escaped

__all__ = ["bullets", "code", "literal", "section", "shortened", "table"]

_MARKUP = re.compile(r"[\\`*_\[\]<>|!#$&~]")
_DIGITS = 4  # of a fraction
_LONGEST = 40  # characters of a text in an example
_MOST = 12  # members of a list or an object in an example


def literal(text: str) -> str:
    """Text that may hold names of strangers, in one line and without markup."""
    return _MARKUP.sub(r"\\\g<0>", escaped(text))


def code(text: str) -> str:
    """The text as code in one line, also in a table, whatever it has in it."""
    told = escaped(text).replace("|", "\\|")
    fence = "`" * (1 + max(map(len, re.findall("`+", told)), default=0))
    return f"{fence} {told} {fence}" if len(fence) > 1 else f"`{told}`"


def bullets(lines: Iterable[str]) -> str:
    """A list with these lines."""
    return "\n".join(f"- {line}" for line in lines)


def section(title: str, *parts: str) -> str:
    """A heading with what stands under it; "" if that is nothing."""
    told = [part for part in parts if part]
    return "\n\n".join([f"## {title}", *told]) if told else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with columns of equal width; "" without rows."""
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(3, *map(len, column)) for column in zip(*lines, strict=True)]
    rule = tuple("-" * width for width in widths)
    padded = [
        [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        for line in (lines[0], rule, *lines[1:])
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in padded) if lines[1:] else ""


def shortened(value: Any) -> str:
    """A value as JSON in one line, with few digits and without the rest of what is long."""
    return escaped(json.dumps(_short(value), ensure_ascii=False).replace('"…": "…"', "…").replace('"…"', "…"))


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…"
    if isinstance(value, dict):
        fields = {name: _short(one) for name, one in list(value.items())[:_MOST]}
        return fields if len(value) <= _MOST else {**fields, "…": "…"}
    if isinstance(value, list | tuple):
        some = [_short(one) for one in value[:_MOST]]
        return some if len(value) <= _MOST else [*some, "…"]
    return value
