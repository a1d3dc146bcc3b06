"""The model card: what the Hugging Face hub reads of it, and what a person reads without a viewer."""

import base64
import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch.profiler import ProfilerActivity, profile

from knoll.families.base import Baseline, Examples, less, more
from knoll.markdown import literal, table
from knoll.models import CardSpec
from knoll.quoting import escaped
from knoll.records.champion_score import ChampionScore
from knoll.records.compression import Compression, TriedGraph
from knoll.records.curves import CurvePoint, Curves
from knoll.records.golden import GoldenScore
from knoll.records.manifest import Manifest
from knoll.records.run import Run
from knoll.records.samples import Sample
from knoll.records.signature import Signature, Tensor
from knoll.trainer.card import model_card
from knoll.trainer.card_data import column_facts, data_facts
from knoll.trainer.card_facts import CardFacts
from knoll.trainer.card_gate import gate_checks

DIGEST = "d" * 64
HUB_FIELDS = {  # of modelcard.md
    *("license", "library_name", "pipeline_tag", "tags", "datasets", "metrics", "model_name", "model-index")
}
FRONT = re.compile(r"---\n(.*?)---\n\n(.*)", re.DOTALL)
STRANGE = "a|b <i>`x`\x1b[2J"
RUN = Run("digits-0", "digits", "image-classifier", DIGEST, "s3://d", {}, "2026-01-01T00:00:00+00:00")
ROWS = torch.ones(3, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 0, 1])
CHAMPION = ChampionScore("v000007", "e" * 64, {"accuracy": 0.9}, {"recall": {STRANGE: 0.25}})
FACTS = CardFacts(
    run=RUN,
    task="image-classification",
    use="It tells digits apart.",
    limits=("It knows no letters.",),
    kinds=(more("accuracy", 0, 1), less("loss", 0)),
    metrics={"accuracy": 0.75, "loss": 0.5},
    config={"epochs": 3, "mode": STRANGE},
    data=data_facts(
        Examples(ROWS, ROWS, {"classes": ["0", STRANGE], "mode": "L", "mean": [0.25]}),
        {"0": (2, 2), STRANGE: (1, 1)},
        column_facts(Examples(ROWS, ROWS)),
        ["left out 1 bad file, it is cut short: <b>.png"],
    ),
    signature=Signature((Tensor("image", "FP32", (-1, 1, 8, 8), "image", {}),), ()),
    sample=Sample(
        {"b64": "x" * 999}, {"label": STRANGE, "probabilities": {"0": 0.123456, STRANGE: 0.876544}}
    ),
    pictures=("samples/000010.png", "confusion_matrix.png"),
    curves=Curves(36, 3, ()),
    notes=("2 classes: 0 (2), <b> (1)",),
    baseline=Baseline("always the most frequent class", {"accuracy": 0.75, "loss": 0.6}),
)


def made(facts: CardFacts = FACTS) -> str:
    return model_card(facts, "v000001", print)


def parts(facts: CardFacts = FACTS) -> tuple[dict[str, Any], str]:
    """The front matter and the text."""
    match = FRONT.fullmatch(made(facts))
    assert match
    return yaml.safe_load(match[1]), match[2]


def words(facts: CardFacts = FACTS) -> str:
    """The text without its line breaks and indents."""
    return " ".join(parts(facts)[1].split())


def test_the_front_matter_has_what_the_hub_asks_for() -> None:
    """The fields that modelcard.md of the hub's documentation calls required, and those by which it finds
    models. The dataset's digest is its revision."""
    golden = GoldenScore("s3://exams/digits/", "e" * 64, 7, {"accuracy": 0.5})
    front, _ = parts(replace(FACTS, golden=golden))
    assert (front["pipeline_tag"], front["library_name"]) == ("image-classification", "onnx")
    assert front["license"] == "unknown"
    assert set(front) <= HUB_FIELDS
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9._-]+", one) for one in front["datasets"])
    assert all(isinstance(one, str) for one in (*front["tags"], *front["metrics"]))
    (index,) = front["model-index"]
    assert index["name"] == "digits"
    for result in index["results"]:
        assert result["task"]["type"] == front["pipeline_tag"]
        assert result["dataset"]["type"]
        assert result["dataset"]["name"]
        assert all(isinstance(one["type"], str) for one in result["metrics"])
        assert all(isinstance(one["value"], float) for one in result["metrics"])
    assert [one["dataset"]["revision"] for one in index["results"]] == [DIGEST, "e" * 64]
    assert {one["type"]: one["value"] for one in index["results"][0]["metrics"]} == FACTS.metrics


def test_the_licence_is_an_identifier_in_the_front_matter_and_stands_beside_whom_to_name() -> None:
    """The hub has its names in small letters. Without one, the card claims nothing."""
    declared = CardSpec(license="CC-BY-4.0", attribution="Ada\nLovelace\n\n# Institute")
    front, text = parts(replace(FACTS, declared=declared))
    assert front["license"] == "cc-by-4.0"
    assert "Licence: `CC-BY-4.0`.\n\nAda Lovelace\n\n\\# Institute\n" in text
    assert "Nothing is known of a licence" in words()


def test_the_owner_says_what_it_is_and_for_what_beside_what_the_family_says() -> None:
    declared = CardSpec.model_validate(
        {"description": "Reads <b>.\n\n1. Forms", "intendedUse": "Form 7b.", "limits": ["No ink."]}
    )
    text = words(replace(FACTS, declared=declared))
    assert "# digits v000001 Reads \\<b\\>. 1\\. Forms A model of the family" in text
    assert "## Intended use and limits Form 7b. - No ink. - It knows no letters." in text
    assert "It tells digits apart." not in text


def test_metrics_stand_beside_those_of_the_champion_and_of_a_naive_answer() -> None:
    """Where a naive answer is as good, the card says so; a family may have none."""
    _, text = parts()
    assert "| accuracy | 0.75  | 0.75           | more      |" in text
    assert "| loss     | 0.5   | 0.6            | less      |" in text
    assert "The naive baseline: always the most frequent class." in text
    assert "- It is not better than the naive baseline in accuracy." in text
    _, without = parts(replace(FACTS, baseline=None, champion=CHAMPION))
    assert "naive" not in without
    assert "| metric   | value | champion v000007 | better is |" in without
    assert "| accuracy | 0.75  | 0.9              | more      |" in without


def test_parts_of_the_examples_stand_beside_those_of_the_champion_the_worst_first() -> None:
    slices = {"recall": {"0": 1.0, STRANGE: 0.5, **{f"a{number}": 1.0 for number in range(60)}}}
    _, text = parts(replace(FACTS, slices=slices, champion=CHAMPION))
    rows = text.partition("## Parts")[2].splitlines()[2:]
    assert [one.strip() for one in rows[2][2:-2].split(" | ")] == [literal(STRANGE), "0.5", "0.25"]
    assert rows[52].startswith("| 12 better parts")


def test_each_number_of_the_gate_has_its_bounds_and_its_verdict() -> None:
    """As known at the end of the training. What the gate does not ask for has no column."""
    manifest = Manifest(
        "digits", "v000008", "f", "r", DIGEST, {}, {"accuracy": 0.75, "loss": 0.5}, "", "", {}
    )
    made = replace(manifest, slices={"recall": {STRANGE: 0.5}}, champion=CHAMPION)
    champion = replace(manifest, version="v000007", metrics={"accuracy": 0.1})
    gate = {"metric": "accuracy", "maxRegression": 0.2, "sliceAtLeast": 0.6, "approval": "manual"}
    checks = gate_checks(gate, made, champion)
    _, text = parts(replace(FACTS, run=replace(RUN, gate=gate), checks=checks))
    head, _, *rows = re.findall(r"(?m)^\|.*\|$", text.partition("## Gate")[2].partition("## ")[0])
    assert head.split(" | ")[2:] == ["champion", "at least", "may lose", "verdict |"]
    assert rows[0].split() == ["|", "accuracy", "|", "0.75", "|", "0.9", "|", "|", "0.2", "|", "passes", "|"]
    assert rows[1].endswith("| 0.5       |          | 0.6      |          | fails   |")
    assert f"- recall of {literal(escaped(STRANGE))} is 0.5, the gate asks for at least 0.6" in text
    assert "asks for a human's approval" in text
    assert "## Gate" not in parts()[1]
    assert gate_checks({}, made, champion) == {}


def test_some_losses_of_a_long_training_stand_in_the_card_and_where_it_was_resumed() -> None:
    """Who has no viewer sees the curves, too: ten points, with the last one."""
    points = tuple(
        CurvePoint(step, 1, {"net": 1 / step}, {"net": 0.5} if step % 2 else {}) for step in range(1, 96)
    )
    _, text = parts(replace(FACTS, curves=Curves(95, 3, points, (40,))))
    told = text.partition("## Training\n")[2].partition("## ")[0]
    assert "| step | epoch | net     | net held out |" in told
    rows = re.findall(r"(?m)^\| +([0-9]+)", told)
    assert (len(rows), rows[-1]) == (10, "95")
    assert "| 95   | 1     | 0.01053 | 0.5          |" in told
    assert "It went on from a checkpoint after step 40." in told


def test_each_graph_that_was_tried_has_a_row_and_strange_names_are_no_markup() -> None:
    """The losers, too. A run that asks for no graph has no such part."""
    tried = TriedGraph("fp32", "why <b> | not", 9, 1.5, 0.75), TriedGraph("int8", "", 4, 0.5, 0.75, ratio=0.3)
    _, text = parts(replace(FACTS, compression=Compression("a|b", 0.01, "int8", tried, "<CPU>")))
    told = text.partition("## Compression\n")[2].partition("## ")[0]
    assert "is `int8`. a\\|b is that of" in told
    assert "on this CPU: \\<CPU\\>." in " ".join(told.split())
    assert "- `fp32`: why \\<b\\> \\| not\n" in told
    assert re.findall(r"(?m)^\| (\w+)", told) == ["graph", "fp32", "int8"]
    assert "Some losses" not in text
    assert "## Compression" not in parts()[1]


def test_a_part_that_cannot_be_made_is_left_out_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    """The other parts stay. A value that YAML has no form for takes the front matter alone."""
    card = made(replace(FACTS, metrics={"accuracy": FACTS}, golden=None))  # type: ignore[dict-item]
    assert card.startswith("# digits v000001\n")
    assert "## Metrics" not in card
    assert "## Data" in card
    for what in ("the front matter of the card", "the part of the card on metrics"):
        assert f"- {what} is left out: " in card
        assert f"{what} is left out: " in capsys.readouterr().out + card


def test_the_card_says_what_the_data_was_and_what_was_left_out() -> None:
    run = replace(RUN, prefix="s3://data/a # b/", data_at="2026-01-01T00:00:00.5+00:00")
    text = words(replace(FACTS, run=run))
    assert "3 training examples, 3 held out, from `s3://data/a # b/` as of 2026-01-01 00:00 UTC." in text
    assert f"Dataset digest: `{DIGEST}`" in text
    assert "| 1 | uint8 | 1×8×8 | 1 | 1 | 1 |" in text
    assert "| 2 | int64 | one value | 0 | | 1 |" in text
    assert "| mean | `[0.25]` |" in text
    assert "| 0 | 2 | 2 |" in text
    assert "- left out 1 bad file, it is cut short: \\<b\\>.png" in text
    assert "- Only 3 examples held out, so the metrics are rough." in text
    assert "left out" not in words(replace(FACTS, data=replace(FACTS.data, left_out=())))


def test_the_ranges_of_much_data_need_little_memory() -> None:
    """A Job has room for the examples, and not for copies of all of them."""
    rows = torch.arange(256, dtype=torch.uint8).expand(2**16, 1, 256)
    flags, names = torch.tensor([True, False]).repeat(2**15), torch.arange(2**16)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        pixels, known, classes = column_facts(Examples((rows, flags, names), (rows, flags, names)))
    assert (pixels.least, pixels.most, pixels.mean) == (0, 255, 127.5)
    assert (known.type, known.shape, known.least, known.most, known.mean) == ("bool", (), 0, 1, 0.5)
    assert (classes.least, classes.most, classes.mean) == (0, 2**16 - 1, None)
    assert max(one.cpu_memory_usage for one in seen.events()) <= 2**24


def test_the_classes_behind_the_fiftieth_are_counted_together() -> None:
    data = replace(FACTS.data, classes={f"class {number:02d}": (2, 1) for number in range(60)})
    _, text = parts(replace(FACTS, data=data))
    assert "| class 49        | 2        | 1        |" in text
    assert "| 10 more classes | 20       | 10       |" in text


def test_tables_are_aligned_and_no_strangers_text_is_markup() -> None:
    """Each row of a table has the same width and cells, and the card has no control characters."""
    card = made()
    assert card.isascii() or all(one.isprintable() for line in card.split("\n") for one in line)
    assert "<i>" not in re.sub(r"(?s)```.*?```|(`+) .*? \1|`[^`]*`", "", card).replace("\\<i\\>", "")
    tables = re.findall(r"(?:^\|.*\|\n)+", card, re.MULTILINE)
    assert len(tables) == 6
    for rows in (one.splitlines() for one in tables):
        assert len({len(row) for row in rows}) == 1
        assert len({len(re.split(r"(?<!\\)\|", row)) for row in rows}) == 1


def test_no_line_is_longer_than_a_screen_and_none_becomes_markup_by_its_break() -> None:
    """Whatever word of a stranger would stand first in a line."""
    use = " ".join(["word"] * 30 + ["- ", "#", "1.", "===", ">", "```", "+", "|"] * 20)
    prediction = {"label": use, "text": "```"}
    declared = CardSpec.model_validate({"intendedUse": use, "limits": [use[:500]], "attribution": use})
    run = replace(RUN, prefix=f"s3://data/{use[:300]}/", data_at="2026")
    named = replace(FACTS, run=run, declared=declared, sample=Sample({}, prediction), config={"a": use})
    tried = Compression("accuracy", 0.01, "fp32", (TriedGraph("int8-weights", use, 9, 1.5, 0.75, 1.0),), use)
    losses = {"discriminator": 1 / 3, use: 1 / 3}
    curves = Curves(9, 3, (CurvePoint(10**6, 10**4, losses, losses),))
    card = made(replace(named, notes=(use,), slices={"recall": {use: 0.5}}, compression=tried, curves=curves))
    assert [line for line in card.splitlines() if len(line) > 110] == []
    text = re.sub(r"(?ms)^(`{3,})\w+\n.*?\n\1$", "", card.split("---\n", 2)[2])
    starts = {line.split()[0] for line in text.splitlines() if line.strip()}
    assert {one for one in starts if not re.match(r"#{1,2}$|\||-$|[`\\!\[]|\w+[^.)]*", one)} == set()
    assert {one for one in starts if re.fullmatch(r"[0-9]+[.)]", one)} == set()
    assert "```" not in starts
    usual = made(replace(FACTS, slices={"recall": {"0": 0.5}}, compression=tried))
    headings = re.compile(r"(?m)^##? .*")
    assert headings.findall(text) == headings.findall(usual.split("---\n", 2)[2])


def test_wide_characters_take_two_columns_in_a_table() -> None:
    assert table(("class", "n"), [("数字", "1"), ("e\u0301", "2")]).splitlines()[2:] == [
        "| 数字  | 1   |",
        "| e\u0301     | 2   |",
    ]


def called(facts: CardFacts, folder: Path) -> Any:
    """What the command of the card would send."""
    _, text = parts(facts)
    command = text.split("```sh\n")[1].split("\n```")[0]
    shell = 'curl() { [ "$1" = "/v1/models/digits:predict" ] && [ "$2" = -d ] && printf %s "$3"; }'
    made = subprocess.run(
        ["bash", "-c", f"KNOLL_URL=; {shell}\n{command}"], cwd=folder, capture_output=True, check=True
    )
    return json.loads(made.stdout)


def test_the_command_sends_a_request_of_the_right_form(tmp_path: Path) -> None:
    """A picture from a file, a seed for a generator, and plain values as they are."""
    body = bytes(range(256))
    (tmp_path / "picture.png").write_bytes(body)
    (instance,) = called(FACTS, tmp_path)["instances"]
    assert base64.b64decode(instance["b64"]) == body
    latent = Signature((Tensor("latent", "FP32", (-1, 100), "latent", {}),), ())
    assert called(replace(FACTS, signature=latent), tmp_path) == {"instances": [{"seed": 7}]}
    plain = replace(FACTS, signature=Signature((Tensor("x", "FP32", (-1, 2)),), ()))
    wild = {"name": "it's $HOME \"`\\"}
    for value in ([1.5, 2.0], wild):
        assert called(replace(plain, sample=Sample(value, 1.0)), tmp_path) == {"instances": [value]}
    _, text = parts(replace(plain, sample=Sample([0.5] * 500, 1.0)))
    assert "jq '{instances: [.samples[0].instance]}' samples.json |\n  curl" in text


@pytest.mark.parametrize(
    ("prediction", "shown"),
    [
        ({"label": "7", "probabilities": {"0": 0.012345, "7": 0.987655}}, '{"0": 0.0123, "7": 0.9877}}]}'),
        ({"b64": "x" * 99}, f'[{{"b64": "{"x" * 40}…"}}]'),
        ([0.5] * 99, "0.5, …]]}"),
        ({str(number): 0.5 for number in range(99)}, '"11": 0.5, …}]}'),
    ],
)
def test_the_answer_is_shown_without_what_makes_it_long(prediction: Any, shown: str) -> None:
    _, text = parts(replace(FACTS, sample=Sample({}, prediction)))
    assert shown in text
