"""What a seed has shown it shows again: a schedule makes the same calls, in the same order, each time it is
played."""

from collections.abc import Callable, Mapping
from threading import current_thread
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from knoll.adapters import document_table
from knoll.ports import Document
from schedules.declared import GATES, model_document
from schedules.faults import Fault, Process
from schedules.kill_points import Passage
from schedules.machine import Loop
from schedules.memory import repeatable
from schedules.world import World

_OBJECTS = 12  # more than any pool has threads


def _calls(play: Callable[[], object]) -> list[str]:
    """All calls of a play, with what they were given and the thread that made them: no two pools have a
    thread of the same name."""
    calls: list[str] = []
    call = Process.call

    def noted(
        process: Process,
        name: str,
        method: Callable[..., Any],
        given: tuple[Any, ...],
        options: Mapping[str, Any],
    ) -> Any:
        calls.append(f"{current_thread().name}: {name}.{method.__name__} {given} {options}")
        return call(process, name, method, given, options)

    with repeatable(), patch.object(Process, "call", noted):
        play()
    return calls


def _is_the_same_each_time(play: Callable[[], object]) -> bool:
    first, second = _calls(play), _calls(play)
    return len(first) > 100 and first == second


@pytest.mark.parametrize("gate", GATES)
def test_a_dataset_of_many_objects_that_comes_again_makes_the_same_calls(gate: str) -> None:
    """Each sweep and each attempt meets one fault: which call it befalls depends on the order."""

    def play() -> None:
        world = World({"digits": model_document("digits", gate)})
        for version in range(2):
            for number in range(_OBJECTS):
                world.write("digits", str(number), f"good-{version}-{number}".encode())
            world.mark("digits")
            for strike in range(_OBJECTS):
                world.tick({strike + 8: Fault("lost")}.get)
                for job in world.live_jobs():
                    world.attempt(job, {strike: Fault("before")}.get)
                world.pass_a_minute()

    assert _is_the_same_each_time(play)


def test_the_schedules_of_a_seed_make_the_same_calls() -> None:
    plan = settings(
        max_examples=5,
        stateful_step_count=30,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )

    def play() -> None:
        run_state_machine_as_test(seed("repeatable")(type("Played", (Loop,), {})), settings=plan)

    assert _is_the_same_each_time(play)


def test_a_passage_makes_the_same_calls() -> None:
    assert _is_the_same_each_time(lambda: Passage("objects", forgets_crashed=True).calls())


@pytest.mark.parametrize("story", ["deleted", "edited", "held"])
def test_no_process_changes_a_document_that_it_has_read(story: str) -> None:
    """So all may have the same one, which is decoded once."""
    decode, read = document_table._decoded, list[tuple[str | bytes, Document]]()

    def noted(body: str | bytes) -> Document:
        read.append((body, decode(body)))
        return read[-1][1]

    with patch.object(document_table, "_decoded", noted), repeatable():
        Passage(story, forgets_crashed=True).calls()
    assert len(read) > 20
    assert all(document == decode(body) for body, document in read)
