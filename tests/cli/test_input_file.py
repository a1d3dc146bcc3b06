"""What a command reads whole is bounded, and a stdin that was closed is a fault of the user's."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.declared import Knoll
from knoll.cli.input_file import input_name, read_input
from knoll.cli.prediction_words import top_labels
from knoll.errors import KnollError, NotFound


def test_a_stdin_that_was_closed_is_told_in_words(tmp_path: Path) -> None:
    """Some programs close it before they start another one."""
    command = f'exec "{sys.executable}" -m knoll.cli predict digits - <&-'
    environment = {**os.environ, "KNOLL_HOME": str(tmp_path), "KNOLL_CLUSTER": "local"}
    told = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True)
    assert "Error: stdin: cannot be read: Bad file descriptor\n" in told.stderr
    assert "Traceback" not in told.stderr
    assert told.returncode == 1


def test_a_file_without_an_end_is_read_up_to_its_bound(tmp_path: Path) -> None:
    with pytest.raises(KnollError, match="/dev/zero: larger than 1Mi"):
        read_input("/dev/zero", 2**20, "")
    with pytest.raises(KnollError, match="cannot be read: Is a directory"):
        read_input(tmp_path, 2**20, "")
    with pytest.raises(NotFound, match=r"\\x1b\[2J: there is no such file"):
        read_input("\x1b[2J", 2**20, "")
    assert input_name("-") == "stdin"


@pytest.mark.parametrize("words", ["predict digits /dev/zero", "feedback digits /dev/zero"])
def test_no_command_reads_without_an_end(knoll: Knoll, words: str) -> None:
    told = knoll(*words.split())
    assert "/dev/zero: larger than " in told.stderr
    assert told.exit_code == 1


@pytest.mark.parametrize("share", [None, "0.5", float("nan"), float("inf"), -1, 1e12, [0.5]])
def test_what_is_no_probability_gets_no_bar(share: Any) -> None:
    odd = json.loads(json.dumps({"probabilities": {"7": share, "1": 0.5}}))
    assert top_labels(odd) == []
    assert top_labels({"probabilities": {"7": 1, "1": 0.0}}) == [("7", 1.0), ("1", 0.0)]
