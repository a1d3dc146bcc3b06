"""Ctrl-C ends a command with 130, and with words about what it leaves."""

import time
from pathlib import Path
from typing import Any

import pytest

from cli.declared import Knoll, Records
from knoll.cli.bars import progress
from knoll.cli.interrupts import leaving
from knoll.ports import Platform


def interrupt(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["runs", "digits", "-w"],
            "This command waited for a run of digits to end. That goes on without it.",
        ),
        (["rollout", "status", "digits", "-w"], "This command waited for the rollout of digits to end."),
        (["runs", "logs", "digits", "-f"], " goes on: knoll runs logs digits-"),
    ],
)
def test_who_stops_looking_is_told_that_all_goes_on(
    knoll: Knoll,
    model_file: Path,
    records: Records,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    told: str,
) -> None:
    knoll("apply", "-f", model_file)
    records.entry(records.run())
    monkeypatch.setattr(time, "sleep", interrupt)
    result = knoll(*words)
    assert result.exit_code == 130
    assert "Interrupted. " in result.stderr
    assert told in result.stderr


def test_who_gives_up_a_prediction_is_told_that_nothing_changed(
    knoll: Knoll, platform: Platform, model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    knoll("apply", "-f", model_file)
    service = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"}
    created = platform.cluster.create({**service, "metadata": {"name": "digits"}, "spec": {}})
    platform.cluster.update({**created, "status": {"url": "http://127.0.0.1:9"}}, status=True)
    monkeypatch.setattr("knoll.adapters.predictors_http.HttpPredictors.predict", interrupt)
    (tmp_path / "one.json").write_text("[1]")
    result = knoll("predict", "digits", tmp_path / "one.json")
    assert result.exit_code == 130
    assert "digits had not answered yet" in result.stderr


def test_work_in_steps_says_how_many_are_done() -> None:
    def remove_two_of_three() -> None:
        with progress("Removing", 3) as advance:
            advance(2)
            interrupt()

    with pytest.raises(KeyboardInterrupt, match="Removing: 2 of 3 done"):
        remove_two_of_three()


def test_the_outermost_speaks() -> None:
    """The platform of a demo has ended with it: what its parts would say is not so."""
    with pytest.raises(KeyboardInterrupt, match=r"^outer$"), leaving("outer"), leaving("inner"):
        interrupt()
