"""Output reaches every terminal, pipe and disk: it is shown, or one line says why not. Text from strangers
never acts on a terminal."""

import os
import subprocess
import sys
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.declared import Knoll, Records
from knoll.dead_letters import handler as dead_letters
from knoll.events import Event, new_event
from knoll.laptop.broker.event_log import EventLog
from knoll.ports import Platform
from knoll.sqlite_file import DATABASE

EVIL = "a\x1b[2J\x1b]0;owned\x07b\r\nFAKE line\u202egnp\x9b31m\u2028"


def _run(*words: str, to: str = "", encoding: str = "") -> "subprocess.CompletedProcess[str]":
    """Run a command in a process of its own, with its stdout redirected as a shell does."""
    environment = {**os.environ, **({"PYTHONIOENCODING": encoding} if encoding else {})}
    shell = ["sh", "-c", f'exec "$0" -m knoll.cli "$@" {to}', sys.executable, *words]
    return subprocess.run(shell, capture_output=True, env=environment, encoding="latin-1", timeout=60)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_characters_that_a_terminal_lacks_are_replaced(
    platform: Platform, records: Records, model_file: Path, knoll: Knoll, encoding: str
) -> None:
    knoll("apply", "-f", model_file)
    run = records.run()
    records.outcome(run)
    records.version(run)
    records.step(1, "RolledBack", 0, reason="日本 █ fails")
    told = _run("rollout", "status", "digits", "-w", "--timeout", "0", encoding=encoding)
    assert told.returncode == 3, told.stderr
    assert "v000001 RolledBack 0 % - \\u65e5\\u672c # fails - 20 replayed, 50 requests" in told.stdout


@pytest.mark.parametrize(
    ("to", "said"),
    [
        (">/dev/full", "Error: standard output cannot be written: No space left on device\n"),
        (">&-", "Error: standard output cannot be written: Bad file descriptor\n"),
        ("| true", ""),
        (">/dev/full 2>&1", ""),
    ],
)
def test_output_that_is_lost_is_told_in_one_line(to: str, said: str, knoll: Knoll) -> None:
    told = _run("--help", to=to)
    assert told.stderr == said
    assert "Traceback" not in told.stdout + told.stderr
    assert told.returncode == (0 if "|" in to else 1)


@pytest.fixture
def evil(platform: Platform, records: Records, model_file: Path, knoll: Knoll) -> str:
    """A model in whose records, conditions and events a stranger has written; the id of its run."""
    knoll("apply", "-f", model_file)
    run = records.run()
    records.progress(run, 50, 3, state="blocked", reason=EVIL)
    records.outcome(run, "rejected", reason=EVIL)
    records.version(run)
    records.step(1, "RolledBack", 0, reason=EVIL)
    condition = {"type": "DataLanded", "status": "False", "reason": EVIL, "message": EVIL}
    records.status(
        conditions=[condition],
        dataset={"state": EVIL, "reason": EVIL},
        quarantine={"v000001": EVIL},
        phase=EVIL,
    )
    at = datetime(2026, 1, 1, tzinfo=UTC)
    event = new_event(
        "dev.knoll.training.failed",
        source="/test",
        time=at,
        subject=EVIL,
        data={"model": "digits", "reason": EVIL},
    )
    EventLog(platform.settings.home / DATABASE).append(event, [])
    dead_letters.handle(Event("1", "/x", "x.y", at.isoformat(), EVIL, {"key": EVIL}), platform)
    dead_letters.keep_body({"content-type": "text/plain", "ce-type": "x.y"}, EVIL.encode(), EVIL, platform)
    return run


def test_text_from_strangers_is_escaped_in_everything_that_is_read(
    knoll: Knoll, evil: str, tmp_path: Path
) -> None:
    for words in (
        ["models"],
        ["models", "-o", "json"],
        ["describe", "digits"],
        ["versions", "digits"],
        ["runs"],
        ["runs", "-w", "--timeout", "0"],
        ["rollout", "status", "digits"],
        ["rollout", "status", "digits", "-w", "--timeout", "0"],
        ["events"],
        ["dlq", "list"],
        ["why", "digits", "v000001"],
        ["gc", "--dry-run"],
        ["describe", EVIL],
        ["upload", "digits", str(tmp_path / EVIL)],
        ["apply", "-f", EVIL],
    ):
        told = knoll(*words)
        odd = {one for one in told.output if unicodedata.category(one)[0] == "C" or one in "\u2028\u2029"} - {
            "\n"
        }
        assert not odd, (words, told.output)
        lines = told.output.splitlines()
        assert not any(line.lstrip().startswith("FAKE") for line in lines), (words, told.output)
