"""Text from strangers reaches no terminal as it is."""

import pytest

from knoll.quoting import escaped


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cats/Bär 1.png", "cats/Bär 1.png"),
        ("日本/😀", "日本/😀"),
        ("\x1b[2J\x1b]0;owned\x07", "\\x1b[2J\\x1b]0;owned\\x07"),
        ("one\r\ntwo\tthree", "one\\x0d\\x0atwo\\x09three"),
        ("invoice\u202egnp.exe", "invoice\\u202egnp.exe"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("line\u2028break\x85", "line\\u2028break\\x85"),
        ("half\ud800", "half\\ud800"),
        ("tag\U000e0041", "tag\\U000e0041"),
    ],
)
def test_characters_without_a_glyph_are_shown_by_their_number(text: str, shown: str) -> None:
    assert escaped(text) == shown
    assert escaped(shown) == shown
    escaped(text).encode()
