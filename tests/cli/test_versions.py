"""Two versions side by side, and the card of one."""

import json
import re

import pytest

from cli.declared import Knoll, Records
from knoll.cli import card
from knoll.ports import Platform
from knoll.records.manifest import (
    CARD,
    FileEntry,
    Manifest,
    manifest_uri,
    write_file,
    write_manifest,
)
from knoll.records.rollout import RolloutStep, write_step

LINKS = "[\x1b[2Jlink](http://x.example), [`a.json`](a.json)"
TEXT = f"---\nlibrary_name: onnx\n---\n\n# digits v000001\n\n## Notes\n\n- a {LINKS}\n"


@pytest.fixture
def two(knoll: Knoll, platform: Platform, records: Records) -> None:
    """Two versions that differ in config, metrics and data; the first has a card."""
    for number, (version, epochs) in enumerate((("v000001", 5), ("v000002", 9)), 1):
        run = records.run(number)
        records.outcome(run, version=version)
        entry = FileEntry(7, "0")
        files = {CARD: entry, "curves.json": entry} if number == 1 else {"model.onnx": entry}
        config, metrics = {"epochs": epochs, "seed": 1}, {"accuracy": 0.9 + number / 100}
        digest = re.sub("[^0-9a-f]", "", run.rpartition("-")[2])
        made = Manifest("digits", version, "image-classifier", run, digest, config, metrics, "", "a", files)
        write_manifest(made, platform.bucket)
    write_file("digits", "v000001", CARD, TEXT.encode(), platform.bucket)


def test_two_versions_are_compared(knoll: Knoll, two: None) -> None:
    shown = knoll("versions", "digits", "--compare", "v000001", "v000002").stdout.splitlines()
    lines = {line.split()[0]: line.split()[1:] for line in shown}
    assert lines["NAME"] == ["DIFF", "V000001", "V000002"]
    assert lines["config.epochs"] == ["!=", "5", "9"]
    assert lines["config.seed"] == ["1", "1"]
    assert lines["metrics.accuracy"] == ["!=", "0.91", "0.92"]
    assert lines["data.digest"][0] == "!="
    assert len(lines["seconds"]) == 3
    told = json.loads(knoll("versions", "digits", "--compare", "v000001", "v000002", "-o", "json").stdout)
    assert told["versions"] == ["v000001", "v000002"]
    assert {"field": "config.epochs", "values": [5, 9], "differs": True} in told["fields"]
    assert knoll("versions", "digits", "--compare", "v000001", "v000009").exit_code == 4


def test_a_card_is_read_without_acting_on_the_terminal(knoll: Knoll, two: None) -> None:
    assert knoll("card", "digits", "v000001").stdout.splitlines()[0] == "# digits v000001"
    told = json.loads(knoll("card", "digits", "v000001", "-o", "json").stdout)
    assert (told["frontMatter"], told["version"]) == ({"library_name": "onnx"}, "v000001")
    assert (told["checks"], told["verdict"]) == ({}, None)
    assert told["curves"].endswith("/models/digits/v000001/curves.json")
    assert knoll("card", "digits", "v000002").exit_code == 4
    for words in (["--plain"], []):
        assert "\x1b[2J" not in knoll("card", "digits", "v000001", *words).stdout


def test_a_terminal_gets_headings_and_no_links(
    knoll: Knoll, two: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(card, "is_terminal", lambda: True)
    shown = knoll("card", "digits", "v000001").stdout
    assert shown.splitlines()[-1].startswith("Curves: s3://")
    assert "No rollout has looked at it yet." in shown
    assert "# digits" not in shown
    assert "a.json" in shown
    assert "(a.json)" not in shown
    assert "digits v000001" in shown
    assert "\x1b]8;" not in shown
    assert "\x1b[2J" not in shown


def test_behind_a_card_stands_what_was_decided_since(knoll: Knoll, two: None, platform: Platform) -> None:
    """With the numbers of the gate then, whose fault is no markup."""
    fault = "recall of <b> is 0.5, the gate asks for at least 0.6"
    checks = {"recall of <b>": {"value": 0.5, "atLeast": 0.6, "fault": fault}}
    at = "2026-01-01T00:00:00+00:00"
    refused = RolloutStep("digits", "v000001", "v000001", 1, "Reject", at, 0, fault, gate=checks)
    write_step(refused, platform.bucket)
    _, _, since = knoll("card", "digits", "v000001").stdout.partition("## What became of it\n\n")
    assert "Refused, at 2026-01-01 00:00 UTC: recall of \\<b\\> is 0.5" in since
    assert "| recall of \\<b\\> | 0.5       | 0.6      | fails   |" in since
    told = json.loads(knoll("card", "digits", "v000001", "-o", "json").stdout)
    assert told["checks"] == checks
    assert told["verdict"] == {"version": "v000001", "verdict": "Refused", "reason": fault}


@pytest.mark.parametrize(
    ("front", "read"),
    [
        ("model_name: 1e2\nat: 2026-01-01", {"model_name": 100.0, "at": "2026-01-01"}),
        ("a: [1, 2\n", {}),
        ("a: &a [*a]", {}),
        ("- 1", {}),
    ],
)
def test_a_front_matter_that_cannot_be_read_has_no_values(
    knoll: Knoll, two: None, platform: Platform, front: str, read: object
) -> None:
    write_file("digits", "v000002", CARD, f"---\n{front}\n---\n\n# digits\n".encode(), platform.bucket)
    uri = manifest_uri(platform.bucket.root, "digits", "v000002")
    made = json.loads(platform.store.get(uri))
    made["files"][CARD] = {"size": 1, "sha256": "0"}
    platform.store.put(uri, json.dumps(made).encode())
    assert json.loads(knoll("card", "digits", "v000002", "-o", "json").stdout)["frontMatter"] == read
