"""What a trainer says outlives its Pod: the end of its log lies in the model bucket."""

import signal
from pathlib import Path

import pytest

from knoll.events import TRAINING_STARTED
from knoll.exits import PREEMPTED, REJECTED
from knoll.families.image.family import ImageClassifier
from knoll.records.run_log import find_run_logs
from knoll.trainer.kept_log import Tail
from knoll.trainer.run import train
from trainer.test_trainer import RUN, World, world


def logs(made: World) -> list[str]:
    return [one.text for one in find_run_logs(RUN, made.platform.bucket)]


def test_each_attempt_keeps_what_it_said_and_why_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One is terminated, one ends by a fault of knoll, one rejects the run, and one finds nothing to do."""
    made = world(tmp_path, {"1/0.png": b"no picture"})
    made.events.before = lambda event: (
        signal.raise_signal(signal.SIGTERM) if event.type == TRAINING_STARTED else None
    )
    assert train(RUN, made.platform) == PREEMPTED
    made.events.before = lambda _: None
    with monkeypatch.context() as patch:
        patch.setattr(ImageClassifier, "examples", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            train(RUN, made.platform)
    capsys.readouterr()
    assert train(RUN, made.platform) == REJECTED
    said = capsys.readouterr().out
    assert train(RUN, made.platform) == REJECTED
    terminated, failed, rejected = logs(made)
    assert terminated.endswith("\nterminated\n")
    assert "Traceback" in failed
    assert failed.splitlines()[-1].startswith("ZeroDivisionError: ")
    assert rejected == said
    assert f"run {RUN} rejected: " in rejected


def test_ten_attempts_keep_their_logs(tmp_path: Path) -> None:
    made = world(tmp_path, {})
    made.events.before = lambda event: (
        signal.raise_signal(signal.SIGTERM) if event.type == TRAINING_STARTED else None
    )
    for _ in range(12):
        assert train(RUN, made.platform) == PREEMPTED
    assert len(logs(made)) == 10


def test_a_long_log_loses_its_oldest_lines() -> None:
    """What is left are whole lines, and the first one says that others are gone."""
    tail = Tail(most=100)
    for number in range(1000):
        tail.add(f"line {number}\n")
        assert len(tail.text) < 150
    first, *rest = tail.text.splitlines()
    assert first == "[earlier lines were not kept]"
    assert rest == [f"line {number}" for number in range(1000 - len(rest), 1000)]
    assert len(rest) >= 10
