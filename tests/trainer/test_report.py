"""What a trainer tells of its progress: seldom, and never without the end."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from knoll.records.progress import StepsTaken, find_progress
from knoll.records.run import read_run
from knoll.trainer.pace import StepPace
from knoll.trainer.report import News, Reporter
from support.documented import undocumented
from trainer.test_trainer import RUN, world

STEPS = StepsTaken(40, 120, 2, 812.5, 0.25)


def test_events_are_rare_and_the_last_state_is_one_of_them(tmp_path: Path) -> None:
    """Only the first of many quick reports becomes an event, and the last one at the end."""
    made = world(tmp_path, {})
    reporter = Reporter(read_run(RUN, made.platform.bucket), made.platform)
    for percent in range(10, 50, 10):
        reporter.report(News("training", percent, 60, {"loss": 0.5}, steps=STEPS))
    reporter.close()
    first, last = made.events.taken
    assert (first.data["progressPercentage"], last.data["progressPercentage"]) == (10, 40)
    assert last.data == {
        "runId": RUN,
        "model": "digits",
        "state": "training",
        "progressPercentage": 40,
        "estimatedRemainingSeconds": 60,
        "metrics": {"loss": 0.5},
        "step": 40,
        "ofSteps": 120,
        "epoch": 2,
        "examplesPerSecond": 812.5,
        "dataWaitShare": 0.25,
    }
    assert undocumented(made.events.taken) == set()
    progress = find_progress(RUN, made.platform.bucket)
    assert progress is not None
    assert (progress.progress_percentage, progress.steps) == (40, STEPS)


@pytest.mark.parametrize("waits", [True, False])
def test_the_pace_tells_waiting_for_data_from_learning(waits: bool) -> None:
    """Here either the data or the step takes 20 ms."""

    def batches() -> Iterator[int]:
        for number in range(10):
            time.sleep(0.02 * waits)
            yield number

    pace = StepPace(examples=8)
    for _ in pace.waiting_for(batches()):
        time.sleep(0.02 * (not waits))
        pace.step()
    speed, wait = pace.speed()
    assert speed is not None
    assert wait is not None
    assert 0 < speed <= 8 / 0.02
    assert (wait > 0.5) == waits
