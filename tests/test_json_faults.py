"""What is no JSON is told in words of ours: what is wrong, and where."""

import json

import pytest

from knoll.json_faults import why_not_json, why_unwritable


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"{", "line 1, column 2: its end is missing"),
        (b'{"a": [1,\n 2', "line 2, column 3: its end is missing"),
        (b'{"a" 1}', "line 1, column 6: a comma, a colon or a closing bracket must stand here"),
        (b"{a: 1}", "line 1, column 2: a key must stand here, in double quotes"),
        (b"{'a': 1}", "line 1, column 2: texts stand in double quotes"),
        (b'{"a": "b', "line 1, column 7: a text has no closing quote"),
        (b'{"a": 1} x', "line 1, column 10: something follows its end"),
        (b'{"a": "\n"}', "line 1, column 8: a text has a bare line break"),
        (b'{"a": "\\q"}', "a text has a backslash that begins no escape"),
        (b"<Error>", "line 1, column 1: no value can begin so"),
        (b'{"a": "\xff"}', "it is not in UTF-8, from byte 8 of 10"),
        (b"\xef\xbb\xbf{}", "it begins with a byte order mark"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "a number is too large"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(body: bytes, told: str) -> None:
    words = why_not_json(body)
    assert told in words
    assert not any(one in words for one in ("Expecting", "Extra", "Invalid", "char ", "Unterminated"))


def nested(depth: int) -> list[object]:
    value: list[object] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"a": float("nan")}, "a number in it is NaN or infinite, or a part of it lies in itself"),
        ({"a": {1, 2}}, "something in it is no object, list, text, number, true, false or null"),
        ({"a": b"x"}, "something in it is no object, list, text, number, true, false or null"),
        (nested(100_000), "it is nested too deeply"),
    ],
)
def test_why_a_value_has_no_json_is_told_in_our_words(value: object, told: str) -> None:
    with pytest.raises((TypeError, ValueError, RecursionError)) as raised:
        json.dumps(value, allow_nan=False)
    assert why_unwritable(raised.value) == told
