"""Ctrl-C ends a command with 130, and with words about what it leaves."""

import os
import signal
import subprocess
import sys
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
    isvc = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"}
    created = platform.cluster.create({**isvc, "metadata": {"name": "digits"}, "spec": {}})
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


def test_a_command_that_still_loads_its_modules_ends_without_a_traceback(tmp_path: Path) -> None:
    """On a busy machine that takes a second or two."""
    (tmp_path / "slow.py").write_text("import sys\nprint('loading', flush=True)\nsys.stdin.read()\n")
    # whoever runs the tests in the background may ignore the signal
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code += "; from knoll.cli.start import start; start(lambda: __import__('slow'))"
    words = [sys.executable, "-c", code]
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(words, **pipes, env={**os.environ, "PYTHONPATH": str(tmp_path)}) as command:
        assert command.stdout
        assert command.stderr
        assert command.stdout.readline() == b"loading\n"
        command.send_signal(signal.SIGINT)
        assert command.wait(60) == 130
        assert command.stderr.read() == b"Interrupted.\n"


@pytest.mark.parametrize("first", ["knoll.cli.start", "signal"])
def test_an_entry_point_that_still_loads_itself_ends_without_a_traceback(first: str) -> None:
    code = f"""
import sys
class Interrupts:
    def find_spec(self, name, *_):
        if name == {first!r}:
            raise KeyboardInterrupt
sys.modules.pop({first!r}, None)
sys.meta_path.insert(0, Interrupts())
from knoll.cli import main
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, b"", b"Interrupted.\n")


def test_the_entry_points_load_nothing_heavy_themselves() -> None:
    """Python shows a traceback for a Ctrl-C before the command has taken over."""
    code = "import sys, knoll.cli; print({'typer', 'rich', 'knoll.cli.app'} & {*sys.modules})"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"
