"""`make test-schedules`: ten thousand random schedules, all pairs of kill points, and a race for a thousand
datasets, in two processes.

SEED plays other schedules. What fails prints the command that plays it again: SEED and SCHEDULE name a set of
a hundred random schedules, and hypothesis finds in it the same failure, and the shortest schedule that leads
to it.
"""

import json
import logging
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from schedules.faults import Kind
from schedules.kill_points import STORIES, Passage
from schedules.machine import Loop
from schedules.memory import repeatable
from schedules.race import jobs_of_races
from schedules.reached import EXPECTED

__all__ = ["main"]

SCHEDULES, FEWEST_EVENTS = 10_000, 12
_SET = 100  # schedules that hypothesis makes of one seed
_PROCESSES = 2
_KEYS, _THREADS = 1_000, 64
_STRIKES: Sequence[Kind] = ("before", "after", "lost")
_RACES = 8


@dataclass(frozen=True)
class Done:
    """What a piece of work came to: how many schedules or pairs, what was wrong, with the command that plays
    it again, how often each state and step of a rollout was reached, and how many pairs were played: the
    others begin in a world from which others were."""

    name: str
    count: int
    wrong: Sequence[str] = ()
    reached: Counter[str] = field(default_factory=Counter)
    played: int = 0


def main() -> int:
    """Do all, or with SCHEDULE one set; the exit code."""
    logging.disable(logging.CRITICAL)
    started, first_seed = time.monotonic(), int(os.environ.get("SEED") or time.time())
    only = os.environ.get("SCHEDULE", "")
    print(
        f"seed {first_seed}: {'set ' + only if only else 'all'}; SEED={first_seed} plays the same again",
        flush=True,
    )
    done = (
        [*_shown([_set(first_seed, int(only))], _SET)]
        if only
        else [
            *_shown(_schedules(first_seed), SCHEDULES),
            *_shown(_pairs(), 0, len(STORIES)),
            *_shown(_races(), _KEYS),
        ]
    )
    return int(any(one.wrong for one in done)) if only else _report(done, (time.monotonic() - started) / 60)


def _schedules(first_seed: int) -> Iterator[Done]:
    """Sets of random schedules, until enough of them were long enough."""
    with _pool() as pool:
        count, number = 0, 0
        waiting = {pool.submit(_set, first_seed, number := number + 1) for _ in range(2 * _PROCESSES)}
        while waiting:
            ended = next(as_completed(waiting))
            waiting.remove(ended)
            count += ended.result().count
            yield ended.result()
            if count + _SET * len(waiting) < SCHEDULES:
                waiting.add(pool.submit(_set, first_seed, number := number + 1))


def _pairs() -> Iterator[Done]:
    with _pool() as pool:
        longest_first = reversed(STORIES)
        for ended in as_completed([pool.submit(_pairs_of, story) for story in longest_first]):
            yield ended.result()


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(_PROCESSES, multiprocessing.get_context("fork"))


def _set(first_seed: int, number: int) -> Done:
    """The schedules that hypothesis makes of one seed, each with enough events; the few that it breaks off
    before do not count."""
    logging.disable(logging.CRITICAL)
    counted: list[int] = []
    reached: Counter[str] = Counter()

    class Counted(Loop):
        def teardown(self) -> None:
            if hasattr(self, "world"):
                counted.append(int(self.events >= FEWEST_EVENTS))
            super().teardown()
            if hasattr(self, "world"):
                reached.update(self.world.reached)

    plan = settings(
        max_examples=_SET,
        stateful_step_count=30,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    try:
        with repeatable():
            run_state_machine_as_test(
                seed(f"{first_seed}.{number}")(Counted), settings=plan, _min_steps=FEWEST_EVENTS
            )
    except AssertionError as error:
        command = f"make test-schedules SEED={first_seed} SCHEDULE={number}"
        return Done(
            "schedules",
            sum(counted),
            ["\n".join([str(error), *getattr(error, "__notes__", []), f"again: {command}"])],
        )
    return Done("schedules", sum(counted), reached=reached)


def _pairs_of(story: str) -> Done:
    """All pairs of a story in one process: worlds that were met before are not played again."""
    logging.disable(logging.CRITICAL)
    with repeatable():
        found = [
            Passage(story, forgets_crashed=True, strikes=_STRIKES).pairs(),
            Passage(story, forgets_crashed=False).pauses(),
        ]
    wrong = [
        "\n".join([f"{story}: {where}", *faults]) for one in found for where, faults in one.wrong.items()
    ]
    return Done("pairs of faults", found[0].pairs, wrong, played=found[0].played)


def _races() -> Iterator[Done]:
    with _pool() as pool:
        for ended in as_completed([pool.submit(_race, _KEYS // _RACES) for _ in range(_RACES)]):
            yield ended.result()


def _race(keys: int) -> Done:
    logging.disable(logging.CRITICAL)
    jobs, runs = jobs_of_races(keys, _THREADS)
    return Done(
        "jobs",
        jobs,
        [] if jobs == runs == keys else [f"doubled or lost: {jobs} Jobs and {runs} runs of {keys} datasets"],
    )


def _shown(done: Iterable[Done], target: int, stories: int = 0) -> Iterator[Done]:
    """The same, and a line for each. What has no target is done after so many stories."""
    count = 0
    for number, one in enumerate(done, 1):
        count += one.count
        for fault in one.wrong:
            print(fault, file=sys.stderr, flush=True)
        of = f" of {target:,}" if target else f" in {number} of {stories} stories"
        _tell(f"{one.name}: {count:,}{of}")
        yield one


def _tell(told: str) -> None:
    """One line of progress, in place where somebody looks on."""
    print(told, end="\r" if sys.stdout.isatty() else "\n", flush=True)


def _report(done: Sequence[Done], minutes: float) -> int:
    """Print the goals, one line of JSON each; 0 when all are met."""
    counts = {name: sum(one.count for one in done if one.name == name) for name in {one.name for one in done}}
    wrong = [line for one in done for fault in one.wrong for line in fault.splitlines()]
    faults = {
        name: sum(line.startswith(f"{name}:") for line in wrong)
        for name in ("lost", "doubled", "wrong version")
    }
    reached = sum((one.reached for one in done), Counter[str]())
    print("reached:", ", ".join(f"{name} {reached[name]:,}" for name in sorted(EXPECTED)))
    pairs, played = counts.get("pairs of faults", 0), sum(one.played for one in done)
    print(f"pairs of faults: {pairs:,} judged; {played:,} played, {pairs - played:,} share a world with them")
    goals = [
        (
            f"random schedules of at least {FEWEST_EVENTS} events",
            counts.get("schedules", 0),
            SCHEDULES,
            counts.get("schedules", 0) >= SCHEDULES,
        ),
        *((name, count, 0, count == 0) for name, count in faults.items()),
        (
            "states and steps of rollouts that no schedule reached",
            len(EXPECTED - reached.keys()),
            0,
            not EXPECTED - reached.keys(),
        ),
        (
            "pairs of faults at kill points",
            pairs,
            1,
            pairs > 0,
        ),
        (
            f"jobs of {_KEYS:,} datasets, {_THREADS} deliveries at once of each event",
            counts.get("jobs", 0),
            _KEYS,
            counts.get("jobs", 0) == _KEYS,
        ),
        ("minutes", round(minutes, 1), 10, minutes <= 10),
    ]
    for goal, value, target, met in goals:
        print(json.dumps({"goal": goal, "value": value, "target": target, "met": met}))
    return int(not all(met for *_, met in goals))


if __name__ == "__main__":
    sys.exit(main())
