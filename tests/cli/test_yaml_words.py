"""Broken YAML is told in our words: where, what is wrong, what to do."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core.core_schema import ErrorType

from knoll.cli.documents import read_declared
from knoll.cli.yaml_file import read_yaml
from knoll.cli.yaml_rows import ROWS
from knoll.errors import InvalidModel, KnollError
from knoll.families.declaration import FamilyConfig
from knoll.models import wording
from knoll.settings import Settings

FALLBACK = ROWS[-1].words
FAULTS = [
    # tabs
    ("a:\n\tb: 1\n", "2:1", "a tab stands where only spaces may; put spaces in its place"),
    ("a:\tb\n", "1:3", "a tab stands"),
    ("a:\n  b: 1\n\tc: 2\n", "3:1", "a tab stands"),
    ("a:\n-\tb\n", "2:2", "a tab stands"),
    # quotes
    ('a: "b\nc: 1\n', "1:4", "this quote is never closed; close it"),
    ("a: 1\nb: 'it\nc: 1\n", "2:4", "this quote is never closed; close it"),
    ('a: "b\n---\nc\n', "1:4", "this quote is not closed before the --- in line 2; close it"),
    ('a: "b" c\n', "1:8", "text follows a quote that was closed; put all of it in quotes"),
    ('a: "\\d"\n', "1:6", "\\d means nothing in double quotes; write \\\\d, or use single quotes"),
    ('a: "\\xZZ"\n', "1:7", "an escape such as \\x41 or \\u0041 lacks digits; write them"),
    # brackets
    ("a: [1, 2\nb: 3\n", "1:4", "a comma or ] is missing between this [ and line 2, column 2; write it"),
    ("a: {b: 1\nc: 3\n", "1:4", "a comma or } is missing between this { and line 2, column 2; write it"),
    ("a: [1, 2}\n", "1:4", "a comma or ] is missing between this [ and line 1, column 9"),
    ('{"a": 1 "b": 2}\n', "1:1", "a comma or } is missing between this { and line 1, column 12"),
    ("a: [\n", "2:1", "an earlier [ or { is still open; close it"),
    ("a: [1,\n---\nb: 2\n", "2:1", "an earlier [ or { is still open; close it"),
    ("a: 1]\nb: ]\n", "2:4", "a value is missing before ]; write it, or put a text with ] in quotes"),
    ("a: ,b\n", "1:4", "a value is missing before ,; write it"),
    ("a: [1] 2\n", "1:8", "the value has ended before this; put all of it in quotes"),
    # indents
    ("a:\n  b: 1\n   c: 2\n", "3:5", "this field is indented further than the one in line 2"),
    ("a:\n    b: 1\n  c: 2\n", "3:3", "no field around this line has its indent: the fields from line 1"),
    ("a:\n  - b: 1\n    c: 2\n   d: 3\n", "4:4", "this line belongs to no list: the list that begins in"),
    ("b: 1\n- a\n", "2:1", "a dash stands among the fields from line 1 on; give the list a field"),
    ("- a\nb: 1\n", "2:1", "this line belongs to no list: the list that begins in line 1 has its dashes in"),
    ("a: - b\n", "1:4", "a list begins on a line of its own; put this - there, or write the list as [a, b]"),
    # colons
    ("a: b: c\n", "1:5", "a second field begins on this line; put a text with a colon in quotes"),
    ("a:1\nb: 2\n", "2:2", "there must be a space after the colon of line 1; write name: value"),
    ("a: 1\nb:2\n", "2:1", "there must be a space after the colon; write name: value"),
    ("a\nb: 1\n", "2:2", "no field may begin here, because line 1 is a text; write name: value there"),
    ("a: 1\nb\n", "2:1", "this is not a field: a field has a name, a colon and a space, as in name: digits"),
    (": b\n", "1:1", "the name of a field is missing before the colon; write it"),
    (f"{'a' * 1100}: 1\n", "1:1101", "a name has 1,024 characters at most; shorten it"),
    ("a: ? b\n", "1:4", "a text may not begin with ?; put it in quotes"),
    # several documents
    ("--- b: 2\n", "1:6", "no field may begin after ---; begin it on the next line"),
    ("a: 1\n...\nb: 2\n", "3:1", "the document has ended before this; put --- on a line of its own"),
    ("%FOO\na: 1\n", "2:1", "--- must follow a line that begins with %"),
    ("%!\n---\na: 1\n", "1:2", "a line that begins with % cannot be read here; remove it"),
    ("%YAML 2.0\n---\na: 1\n", "1:1", "only %YAML 1.1 and 1.2 are read; remove this line"),
    ("%YAML 1.2\n%YAML 1.2\n---\na: 1\n", "2:1", "%YAML stands twice; keep one of the lines"),
    ("%TAG ! x\n%TAG ! y\n---\na: 1\n", "2:1", "the same %TAG stands twice; keep one of the lines"),
    # anchors, aliases and tags
    ("a: *x\n", "1:4", "* names an anchor that no & above has defined; put a text that begins so"),
    ("a: *.png\n", "1:5", "& and * begin the name of an anchor, and no name follows; put a text that begins"),
    ("a: & b\n", "1:5", "& and * begin the name of an anchor, and no name follows"),
    ("a: &x 1\nb: &x 2\n", "2:4", "the anchor of line 1 stands here again; give one of the two another name"),
    ("a: !<foo b\n", "1:9", "! begins a tag, and this is not one; put a text that begins so in quotes"),
    ("a: !x!foo b\n", "1:4", "! begins a tag, and this is not one"),
    ("a: !!\n", "1:6", "! begins a tag, and this is not one"),
    # texts
    ("a: @b\n", "1:4", "a text may not begin with @; put it in quotes"),
    ("a: `b`\n", "1:4", "a text may not begin with `; put it in quotes"),
    ("a: %b\n", "1:4", "a text may not begin with %; put it in quotes"),
    ("a: |x\n  b\n", "1:5", "only +, - and a number from 1 to 9 may follow | or >; begin the text on"),
    ("a: > b\n", "1:6", "only +, - and a number from 1 to 9 may follow | or >"),
    ("a: |0\n b\n", "1:5", "only +, - and a number from 1 to 9 may follow | or >"),
    ("a: 1\n<<<<<<< HEAD\nb: 2\n=======\nb: 3\n", "2:1", "a mark of a merge conflict; keep one of the two"),
    # characters
    ("a: 1\nb: \0\n", "2:4", "the character U+0000 may not stand in YAML; remove it"),
    ("a: 1\r\nb: \x07\r\n", "2:4", "the character U+0007 may not stand in YAML; remove it"),
]


@pytest.mark.parametrize(("text", "place", "told"), FAULTS)
def test_broken_yaml_is_told_with_its_place_and_what_to_do(text: str, place: str, told: str) -> None:
    with pytest.raises(InvalidModel) as raised:
        read_yaml(text, "model.yaml")
    assert str(raised.value).startswith(f"model.yaml:{place}: not YAML: {told}")
    assert ";" in str(raised.value)
    assert raised.value.fix == "correct the file and run knoll apply -f FILE again"


def test_every_sentence_but_the_last_is_said_of_something() -> None:
    said = [told for _, _, told in FAULTS]
    starts = {row.words.split("{")[0].split("}")[0][:12] for row in ROWS[:-1]}
    assert [start for start in starts if not any(one.startswith(start) for one in said)] == []


_PIECES = ["a", "b: 1", "- ", ": ", "\n", "  ", "\t", '"', "'", "[", "]", "{", "}", ",", "&x", "*x", "!t "]
_MORE = ["%", "|", ">", "?", "---", "...", "#", "\\", "@", "\x00", "\x1b", "\ufeff", "\xa0", "\x85", "<<: "]


@given(st.lists(st.sampled_from(_PIECES + _MORE), max_size=12).map("".join))
def test_nothing_that_pyyaml_says_is_passed_on(text: str) -> None:
    try:
        read_yaml(text, "model.yaml")
    except InvalidModel as error:
        cause, told = error.__cause__, str(error)
        said = [getattr(cause, name, None) for name in ("problem", "context", "reason")]
        assert not [one for one in said if one and str(one) in told]
        assert all(line.startswith("model.yaml:") for line in told.splitlines())


def test_what_the_table_does_not_know_gets_a_sentence_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        mark = yaml.Mark("x", 0, 1, 2, None, 0)
        raise yaml.MarkedYAMLError("while dreaming", mark, "met a sheep", mark)

    monkeypatch.setattr(yaml, "compose_all", fail)
    with pytest.raises(InvalidModel) as raised:
        read_yaml("a: 1\nb: 2\n", "model.yaml")
    assert str(raised.value) == f"model.yaml:2:3: not YAML: {FALLBACK}"


def _refused(path: Path, body: bytes) -> KnollError:
    path.write_bytes(body)
    with pytest.raises(KnollError) as raised:
        read_declared([str(path)], Settings(), list)
    return raised.value


@pytest.mark.parametrize(
    ("encode", "place", "told"),
    [
        (lambda text: text.encode("latin-1"), "4:11", "the byte E4 is not UTF-8; in Latin-1 it is ä"),
        (lambda text: text.encode("utf-16"), "1:1", "this is UTF-16 or UTF-32, and a file must be UTF-8"),
        (lambda text: text.encode("utf-16-le"), "1:1", "this is UTF-16 or UTF-32"),
        (lambda text: text.encode("utf-16-be"), "1:1", "this is UTF-16 or UTF-32"),
        (lambda text: text.encode("utf-32"), "1:1", "this is UTF-16 or UTF-32"),
        (lambda text: b"\xef\xbb\xbf" + text.encode("latin-1"), "4:11", "the byte E4 is not UTF-8"),
    ],
)
def test_a_file_that_is_not_utf_8_says_where_and_how_to_save_it(
    encode: Callable[[str], bytes], place: str, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.yaml"
    body = "apiVersion: knoll.dev/v1alpha1\nkind: Model\nspec:\n  family: ä\n"
    refused = _refused(path, encode(body))
    assert str(refused).startswith(f"{path}:{place}: {told}")
    assert refused.fix == "save the file as UTF-8"


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "\n\n"])
def test_an_empty_file_says_so(text: str, tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    refused = _refused(path, text.encode())
    assert str(refused) == f"{path}:1: there is no Model in it, only empty lines or comments"
    assert refused.fix


@pytest.mark.parametrize(("text", "found"), [("- a: 1\n", "a list"), ("digits\n", "one value")])
def test_what_is_no_object_says_what_it_is(text: str, found: str, tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    told = "a Model is an object with the fields apiVersion, kind, metadata and spec, and this is"
    assert f"{path}:1: {told} {found}" in str(_refused(path, text.encode()))


@pytest.mark.parametrize("kind", get_args(ErrorType))
def test_nothing_that_pydantic_says_is_passed_on(kind: str) -> None:
    """Also of faults that no field has today."""
    context = {"error": ValueError("ours"), "gt": 1, "ge": 1, "lt": 1, "le": 1}
    context |= {"actual_length": 3, "max_length": 2, "min_length": 4, "expected": "'a' or 'b'"}
    error: dict[str, object] = {
        "type": kind,
        "loc": ("epochs",),
        "msg": "PYDANTIC",
        "input": None,
        "ctx": context,
    }

    class Error:
        def errors(self) -> list[dict[str, object]]:
            return [error]

    (fault,) = wording.faults_of_fields(Error(), FamilyConfig)  # type: ignore[arg-type]
    assert "PYDANTIC" not in str(fault)
    assert "None" not in str(fault)
