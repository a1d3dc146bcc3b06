"""`make fuzz`: a million inputs on two processes, in ten minutes at most: requests to the functions, and data
that is read. The last lines are goals as JSON.

SEED names the inputs of a whole run, SEED=run:number one of them: its batch is done again up to it, because a
function's answer depends on what is stored. FUZZ_SECONDS and FUZZ_INPUTS bound the run. What fails is kept in
tests/attacks/, where `make test` tries it from then on.
"""

import json
import multiprocessing
import os
import queue
import secrets
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from random import Random
from types import FrameType

from fuzz.attack import keep
from fuzz.data import generate_any
from fuzz.inputs import Input
from fuzz.world import listening, new_world, seeds

_PROCESSES = 2
_BATCH = 500
_HUNG = 60  # seconds for a batch, which takes a tenth of one
_MOST_KEPT = 50
Failure = tuple[int, Input, str]
Told = tuple[int, list[Failure]]


class Hung(BaseException):
    """A batch does not end."""


def main() -> int:
    """Fuzz until enough is done or the time is over; 1 when a goal is missed."""
    run, _, only = (os.environ.get("SEED") or secrets.token_hex(4)).partition(":")
    if only:
        return _again(run, int(only))
    seconds, wanted = (
        float(os.environ.get("FUZZ_SECONDS") or 600),
        int(os.environ.get("FUZZ_INPUTS") or 1_000_000),
    )
    print(f"SEED={run}: {wanted} inputs, {seconds:g} s at most, {_PROCESSES} processes", flush=True)
    failures, done, took = _fuzz(run, seconds, wanted)
    print(f"{done} inputs in {took:.0f} s, {done / took:.0f} a second; SEED={run}")
    return _report(run, failures, done, wanted)


def _fuzz(run: str, seconds: float, wanted: int) -> tuple[list[Failure], int, float]:
    started, done, failures = time.monotonic(), 0, []
    told: multiprocessing.Queue[Told | None] = multiprocessing.Queue()
    workers = [
        multiprocessing.Process(target=_work, args=(run, number, wanted, seconds, told), daemon=True)
        for number in range(_PROCESSES)
    ]
    for worker in workers:
        worker.start()
    for amount, failed in _heard(told, workers):
        done += amount
        failures += failed
        _progress(done, wanted, len(failures), time.monotonic() - started)
    return failures, done, time.monotonic() - started


def _heard(
    told: "multiprocessing.Queue[Told | None]", workers: list[multiprocessing.Process]
) -> Iterator[Told]:
    """What the workers tell, until all have ended; one that dies is a failure of its own."""
    live = len(workers)
    while live:
        try:
            news = told.get(timeout=5)
        except queue.Empty:
            if any(worker.exitcode for worker in workers):
                raise SystemExit("a process has died: try again with the same SEED") from None
            continue
        live -= news is None
        if news is not None:
            yield news


def _work(
    run: str, number: int, wanted: int, seconds: float, told: "multiprocessing.Queue[Told | None]"
) -> None:
    deadline = time.monotonic() + seconds
    with listening():
        for batch in range(number, -(-wanted // _BATCH), _PROCESSES):
            if time.monotonic() > deadline:
                break
            told.put(_tried(run, range(batch * _BATCH, min(wanted, (batch + 1) * _BATCH))))
    told.put(None)


def _tried(run: str, numbers: range) -> Told:
    world, failures = new_world(), []
    signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(_HUNG)
    for number in numbers:
        given = generate_any(Random(f"{run}:{number}"), seeds())
        try:
            why = world.wrong_with(given)
        except Hung:
            why = "crash: it does not end"
            signal.alarm(_HUNG)
        if why:
            failures.append((number, given, why))
    signal.alarm(0)
    return len(numbers), failures


def _give_up(signum: int, frame: FrameType | None) -> None:
    raise Hung


def _again(run: str, number: int) -> int:
    with listening():
        _, failures = _tried(run, range(number // _BATCH * _BATCH, number + 1))
    why = next((why for failed, _, why in failures if failed == number), "")
    given = generate_any(Random(f"{run}:{number}"), seeds())
    print(f"{given.function} {given.headers}\n{given.body!a:.5000}\n{why or 'nothing is wrong'}")
    return int(bool(why))


def _progress(done: int, wanted: int, failed: int, took: float) -> None:
    end = "\r" if sys.stderr.isatty() else "\n"
    if sys.stderr.isatty() or done % (50 * _BATCH) == 0 or done == wanted:
        print(
            f"{done:>9} of {wanted}  {done / max(took, 0.01):>6.0f}/s  {failed} failed",
            end=end,
            file=sys.stderr,
            flush=True,
        )


def _report(run: str, failures: list[Failure], done: int, wanted: int) -> int:
    """Each kind of failure once, with the command that shows it again; then the goals."""
    kinds = Counter(why.partition(":")[0] for _, _, why in failures)
    seen: set[tuple[str, str]] = set()
    for number, given, why in failures:
        kind = (given.function, why.partition(" in ")[2] or why[:45])
        if kind not in seen and len(seen) < _MOST_KEPT:
            print(f"{given.function}: {why}\n  make fuzz SEED={run}:{number}    {keep(given, why)}")
        seen.add(kind)
    goals = [
        ("fuzzed inputs", done, wanted),
        *((f"fuzz: {kind}", kinds[name], 0) for kind, name in _KINDS.items()),
    ]
    lines = [
        {"goal": goal, "value": value, "target": target, "met": value >= target if target else value == 0}
        for goal, value, target in goals
    ]
    print("\n".join(json.dumps(line) for line in lines))
    return int(not all(line["met"] for line in lines))


_KINDS = {
    "answers of 5xx": "5xx",
    "crashes": "crash",
    "answers slower than 2 s": "slow",
    "effects that no valid body has": "effect",
    "answers that a broker cannot read": "text",
    "other answers than 200, 204, 422": "status",
}

if __name__ == "__main__":
    sys.exit(main())
