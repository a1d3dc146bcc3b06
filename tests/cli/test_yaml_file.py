"""A YAML file reads as it is written."""

import json
from cProfile import Profile

import pytest

from knoll.cli.yaml_file import read_yaml
from knoll.errors import InvalidModel


def _refusal(text: str) -> str:
    with pytest.raises(InvalidModel) as raised:
        read_yaml(text, "model.yaml")
    return str(raised.value)


def test_a_surrogate_pair_of_json_is_one_character() -> None:
    (one,) = read_yaml(json.dumps({"\U0001f600": ["a\U0001f600b", "\u00e9"]}), "model.json")
    assert one.value == {"\U0001f600": ["a\U0001f600b", "\u00e9"]}


def test_each_key_that_stands_twice_is_refused_with_both_lines() -> None:
    told = _refusal("spec:\n  gate: {atLeast: 1}\n  training:\n    a: 1\n    a: 2\n  gate: {}\n")
    assert told.splitlines() == [
        "model.yaml:5: spec.training.a stands here and in line 4; keep one of them",
        "model.yaml:6: spec.gate stands here and in line 2; keep one of them",
    ]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("9e-1", 0.9),
        ("1e-3", 0.001),
        ("1.0e-3", 0.001),
        ("-.5", -0.5),
        ("7", 7),
        ("0o17", 15),
        ("0x1F", 31),
        (".inf", float("inf")),
        ("true", True),
        ("yes", "yes"),
        ("off", "off"),
        ("1:30", "1:30"),
        ("2026-11-28", "2026-11-28"),
        ("1_000", "1_000"),
        ("'0.5'", "0.5"),
        ("! 3", "3"),
        ("!!str 3", "3"),
        ("!!int '3'", 3),
        ("!!float 1", 1.0),
        ("!!null ''", None),
        ("", None),
        ("~", None),
    ],
)
def test_a_scalar_is_what_yaml_1_2_says(written: str, value: object) -> None:
    (one,) = read_yaml(f"a: {written}\n", "model.yaml")
    assert one.value == {"a": value}
    assert type(one.value["a"]) is type(value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: 010\n", "model.yaml:1: 010 has a leading zero; write 10, or '010' for text"),
        (
            "a: !!python/object/apply:os.system [ls]\n",
            "model.yaml:1: the tag python/object/apply:os.system is not known here",
        ),
        ("? [1, 2]\n: 3\n", "model.yaml:1: a key must be text"),
        ("a: \x1b[2J\n", "model.yaml:1:4: not YAML: the character U+001B may not stand in YAML"),
        ("a: 1 # b\x85c: 2\n", "model.yaml:1:9: not YAML: the character U+0085 may not stand in YAML"),
        ("a: 1\n# b\u2028c: 2\n", "model.yaml:2:4: not YAML: the character U+2028 may not stand in YAML"),
        ("a: 'b\u2029c'\n", "model.yaml:1:6: not YAML: the character U+2029 may not stand in YAML"),
        ("a: " + "[" * 60 + "]" * 60, "model.yaml:1: nested deeper than 50"),
        ("a: &a [*a]\n", "model.yaml:1: nested deeper than 50"),
        ("<<: 3\n", "model.yaml:1: << takes a mapping"),
        ("<<: {a: 1}\n<<: {b: 1}\n", "model.yaml:2: << stands here and in line 1; keep one of them"),
        ("<<: !mine {a: 1}\n", "model.yaml:1: the tag !mine is not known here"),
        ("a: !!map 3\n", "model.yaml:1: the tag !!map stands before something else"),
        ("a: !!str [1]\n", "model.yaml:1: the tag !!str stands before something else"),
        ("!mine a: 3\n", "model.yaml:1: the tag !mine is not known here"),
        ("!!int a: 3\n", "model.yaml:1: the tag !!int stands before 'a'"),
        ('a: 1\nb: "\\ud800"\n', r"model.yaml:2: \ud800 is half of a surrogate pair, and the other half is"),
        ('a: 1\n"\\udcff": 1\n', r"model.yaml:2: \udcff is half of a surrogate pair, and the other half is"),
        ('{"a": 1,\n"b": "\\ude00\\ud83d"}', r"model.yaml:2: \ude00 is half of a surrogate pair"),
        ('a: 1\nb: "\\U00110000"\n', "model.yaml:2:7: not YAML: a number is out of range"),
        ('a: 1\nb: "\\UFFFFFFFF"\n', "model.yaml:2:7: not YAML: a number is out of range"),
        (f"%YAML 1.{'1' * 5000}\n---\na: 1\n", "model.yaml:1:9: not YAML: a number is out of range"),
    ],
)
def test_a_fault_names_its_line(text: str, fault: str) -> None:
    assert _refusal(text).startswith(fault)


@pytest.mark.parametrize(
    "tagged",
    [
        *("!!int abc", "!!int 1e3", "!!int '0o9'", "!!int ''", "!!int '1_0'", "!!int 0b1", "!!int ٣"),
        *("!!float x", "!!float '1_0.5'", "!!float inf", "!!bool maybe", "!!bool yes", "!!null x"),
    ],
)
def test_a_tag_is_not_believed(tagged: str) -> None:
    """What it stands before must be what the core schema reads as such."""
    tag, _, text = tagged.partition(" ")
    told = text.strip("'")
    refusal = _refusal(f"a: 1\nb: {tagged}\n")
    assert refusal == f"model.yaml:2: the tag {tag} stands before '{told}'; remove it"


def _refused(text: str) -> tuple[str, int]:
    """The refusal of the text, and how many functions are called until then."""
    with Profile() as profile:
        told = _refusal(text)
    return told, sum(one.callcount for one in profile.getstats())


@pytest.mark.parametrize("opening", ["[", "{", "[a, ", "{a: ", "- ", "? "])
def test_a_file_that_is_nested_too_deep_is_read_no_further(opening: str) -> None:
    """However much follows, it costs nothing more."""
    few, many = (_refused(f"a: 1\n---\n{opening * number}") for number in (60, 20_000))
    assert many[0] == "model.yaml:3: nested deeper than 50"
    assert many[1] <= few[1] + 10


@pytest.mark.parametrize("line", ["a{n}: b\n", "- a\n", "a: 1\n---\n", "? a{n}\n", "[a, b]\n---\n"])
def test_a_file_with_too_many_tokens_is_read_no_further(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much follows, it costs nothing more; shown with a limit that is reached at once."""
    monkeypatch.setattr("knoll.cli.yaml_core._MOST_TOKENS", 1_000)
    few, many = (_refused("".join(line.format(n=n) for n in range(number))) for number in (600, 1_200))
    assert "more than 1,000 keys, values and signs" in many[0]
    assert many[1] <= few[1] + 10


def test_a_file_may_have_50_000_tokens() -> None:
    assert "more than 50,000 keys, values and signs" in _refusal("- a\n" * 25_001)
    assert len(read_yaml("- a\n" * 20_000, "model.yaml")) == 1


@pytest.mark.parametrize("deepest", [f"{'[' * 51}{']' * 51}", "\n".join(" " * n + "a:" for n in range(50))])
def test_a_file_may_be_nested_as_deep_as_the_limit(deepest: str) -> None:
    assert len(read_yaml(deepest, "model.yaml")) == 1
    assert "nested deeper than 50" in _refusal(
        f"[{deepest}]" if "[" in deepest else f"{deepest}\n{' ' * 50}a:"
    )


def test_aliases_cannot_fill_the_memory() -> None:
    laughs = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
    assert "more than 100,000 values" in _refusal("a0: &a0 ha\n" + laughs)
    merges = "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 9))
    assert "more than 100,000 values" in _refusal("a0: &a0 {}\n" + merges)
    assert _refusal("a: &a\n  <<: *a\n") == "model.yaml:1: nested deeper than 50"


def test_a_merge_gives_way_to_what_is_written() -> None:
    (one,) = read_yaml("base: &base {x: 1, y: 2}\nmine:\n  <<: *base\n  y: 3\n", "model.yaml")
    assert one.value["mine"] == {"x": 1, "y": 3}


def test_the_line_of_each_value_is_known() -> None:
    _, two = read_yaml("a: 1\n---\n\nspec:\n  gate:\n    atLeast: x\n", "model.yaml")
    assert two.line("spec", "gate", "atLeast") == 6
    assert two.line("spec", "nothing", "there") == 4


@pytest.mark.parametrize("white", ["\t", " \t", "\t ", " \t\t "])
def test_tabs_may_stand_before_a_comment_and_at_the_end_of_a_line(white: str) -> None:
    lines = ("a: b~# x", "~", "c:~", "  - 1~", "~# y", "  - 'd'~#", "e: [1,~# z", "  2]~")
    text = "\n".join(lines).replace("~", white)
    (one,) = read_yaml(text, "model.yaml")
    assert one.value == {"a": "b", "c": [1, "d"], "e": [1, 2]}
