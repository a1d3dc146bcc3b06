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

from knoll.families.base import Baseline, Examples, less, more
from knoll.records.curves import Curves
from knoll.records.golden import GoldenScore
from knoll.records.run import Run
from knoll.records.samples import Sample
from knoll.records.signature import Signature, Tensor
from knoll.trainer.card import CardFacts, model_card
from knoll.trainer.card_data import data_facts

DIGEST = "d" * 64
FRONT = re.compile(r"---\n(.*?)---\n\n(.*)", re.DOTALL)
STRANGE = "a|b <i>`x`\x1b[2J"
RUN = Run("digits-0", "digits", "image-classifier", DIGEST, "s3://d", {}, "2026-01-01T00:00:00+00:00")
ROWS = torch.zeros(3, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 0, 1])
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


def parts(facts: CardFacts = FACTS) -> tuple[dict[str, Any], str]:
    """The front matter and the text."""
    match = FRONT.fullmatch(model_card(facts, "v000001"))
    assert match
    return yaml.safe_load(match[1]), match[2]


def test_the_front_matter_has_what_the_hub_asks_for() -> None:
    """The fields that modelcard.md of the hub's documentation calls required, and those by which it finds
    models. The dataset's digest is its revision."""
    golden = GoldenScore("s3://exams/digits/", "e" * 64, 7, {"accuracy": 0.5})
    front, _ = parts(replace(FACTS, golden=golden))
    assert (front["pipeline_tag"], front["library_name"]) == ("image-classification", "onnx")
    assert front["license"] == "unknown"
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


def test_metrics_stand_beside_those_of_a_naive_answer() -> None:
    """Where it is as good, the card says so; a family may have none."""
    _, text = parts()
    assert "| accuracy | 0.75  | 0.75           | more      |" in text
    assert "| loss     | 0.5   | 0.6            | less      |" in text
    assert "The naive baseline: always the most frequent class." in text
    assert "- It is not better than the naive baseline in accuracy." in text
    assert "naive" not in parts(replace(FACTS, baseline=None))[1]


def test_the_card_says_what_the_data_was_and_what_was_left_out() -> None:
    _, text = parts()
    assert "3 training examples, 3 held out. Dataset digest: `dddd" in text
    assert "An example is 1×8×8 values of uint8 and a value of int64." in text
    assert "| mean | `[0.25]` |" in text
    assert "| 0                        | 2        | 2        |" in text
    assert "- left out 1 bad file, it is cut short: \\<b\\>.png" in text
    assert "- Only 3 examples held out, so the metrics are rough." in text
    assert "left out" not in parts(replace(FACTS, data=replace(FACTS.data, left_out=())))[1]


def test_the_classes_behind_the_fiftieth_are_counted_together() -> None:
    data = replace(FACTS.data, classes={f"class {number:02d}": (2, 1) for number in range(60)})
    _, text = parts(replace(FACTS, data=data))
    assert "| class 49        | 2        | 1        |" in text
    assert "| 10 more classes | 20       | 10       |" in text


def test_tables_are_aligned_and_no_strangers_text_is_markup() -> None:
    """Each row of a table has the same width and cells, and the card has no control characters."""
    card = model_card(FACTS, "v000001")
    assert card.isascii() or all(one.isprintable() for line in card.split("\n") for one in line)
    assert "<i>" not in re.sub(r"(?s)```.*?```|(`+) .*? \1|`[^`]*`", "", card).replace("\\<i\\>", "")
    tables = re.findall(r"(?:^\|.*\|\n)+", card, re.MULTILINE)
    assert len(tables) == 5
    for rows in (one.splitlines() for one in tables):
        assert len({len(row) for row in rows}) == 1
        assert len({len(re.split(r"(?<!\\)\|", row)) for row in rows}) == 1


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
    assert "jq '{instances: [.samples[0].instance]}' samples.json | curl" in text


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
