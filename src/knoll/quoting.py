"""Text from strangers, such as keys and class names, as it may be shown in a terminal, a log or a card."""

from collections.abc import Sequence

__all__ = ["escaped", "some_of"]

_FEW = 3


def escaped(text: str) -> str:
    """The text in one line that cannot move a cursor, change a colour or turn the direction of writing.

    Control characters, line breaks, marks without a glyph (such as U+202E) and lone surrogates become \\xNN,
    \\uNNNN or \\UNNNNNNNN. Letters, digits, signs, spaces and emoji stay.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _escape(ord(one)) for one in text)


def some_of(names: Sequence[str]) -> str:
    """The first few names, each escaped, and how many more there are."""
    told = ", ".join(escaped(name) for name in names[:_FEW])
    return told + (f" and {len(names) - _FEW:,} more" if len(names) > _FEW else "")


def _escape(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
