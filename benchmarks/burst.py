"""Ten thousand notifications at once. The uploads of ten datasets end together, and their notifications
arrive over HTTP while the receiver is killed twice.

The notifications come in any order. Some come twice, some never, and each that is not acknowledged is sent
again. A dataset has landed when its marker is there: at least one marker has no notification, one has two,
and one has one.

The S3 server is real, and so is `knoll up`; the bodies are those that SeaweedFS sends. The bucket has all
markers, and the first 5 objects of each dataset, or as many as --uploaded says. The other objects exist in
notifications only, so a look at a dataset lists fewer objects.

No Job trains. Each asks for more processors than the machine has. After a while it ends: the benchmark writes
what a trainer and the Job controller would write. The clock runs from the first notification until all are
acknowledged and each dataset has its Job. It includes the starts of killed processes.

Then the same notifications are sent again and again, to a process that is no longer killed; they change
nothing. The first round warms it up. After each further round its resident memory is read. The slope of a
line through these values is the memory that it keeps for each notification.

The peer is a launcher that makes a Job of each event, as Knative's JobSink does.
"""

import argparse
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression
from time import monotonic

from burst_client import post_all
from burst_jobs import Jobs
from burst_world import Receiver, World, declare, has_seen_models, upload, write_markers
from place import say, until
from results import Goal, print_goals
from rich.console import Console
from rich.table import Table

_BODY = Path(__file__).parents[1] / "tests" / "events" / "seaweedfs" / "put.json"
_NAME, _FOLDER = "a b+ü%.txt", "/buckets/datasets/digits"
DATASETS = 10
_SECONDS, _CALLS, _BYTES = 15.0, 5.0, 200.0
_MEASURED = 4  # times that all notifications come again, after the first
_TWICE, _NEVER = 0.05, 0.01


@dataclass(frozen=True)
class Took:
    """What the burst did to one receiver."""

    seconds: float
    again: int
    jobs: int
    live: int
    lost: int
    doubled: int
    calls: Counter[str]
    kept: float = 0.0  # bytes of memory for each notification


def main(given: Sequence[str] | None = None) -> int:
    """Measure knoll and the launcher, and print the results; 1 if a goal is missed."""
    options = _options(given)
    datasets = [f"burst-{number}" for number in range(DATASETS)]
    bodies = notifications(datasets, options.objects, random.Random(options.seed))
    say(f"seed {options.seed}: {len(bodies)} notifications of {options.objects * len(datasets)} objects")
    with World(Path(tempfile.mkdtemp(prefix="knoll-burst-")), options.quota) as world:
        ours, peer = (
            ours_took(world, datasets, options.uploaded, bodies),
            peer_took(world, datasets, options.objects, bodies),
        )
    return show(ours, peer, options.quota)


def _options(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--objects", type=int, default=1000, help="objects of each dataset, marker included")
    parser.add_argument(
        "--uploaded", type=int, default=5, help="objects of each dataset that are in the bucket"
    )
    parser.add_argument("--quota", type=int, default=4, help="most Jobs that may be live at once")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    return parser.parse_args(given)


def notifications(datasets: Sequence[str], objects: int, chance: random.Random) -> list[bytes]:
    """The bodies in the order in which they are sent. The last of each dataset is its marker."""
    sent: list[bytes] = []
    markers = dict(zip(chance.sample(datasets, 3), (0, 1, 2), strict=True))
    for dataset in datasets:
        for name in [*_names(objects - 1), "_SUCCESS"]:
            times = 0 if chance.random() < _NEVER else 2 if chance.random() < _TWICE else 1
            if name == "_SUCCESS":
                times = markers.get(dataset, times)
            sent += [_notification(dataset, name, len(sent))] * times
    chance.shuffle(sent)
    return sent


def _names(objects: int) -> list[str]:
    """The first `objects` names of a dataset, without its marker."""
    return [f"{number:05d}.txt" for number in range(1, objects + 1)]


def _notification(dataset: str, name: str, number: int) -> bytes:
    told = _BODY.read_text().replace(_FOLDER, f"/buckets/data/{dataset}").replace(_NAME, name)
    message = json.loads(told)
    message["message"]["new_entry"]["chunks"][0]["modified_ts_ns"] += number
    return json.dumps(message, separators=(",", ":")).encode()


def ours_took(world: World, datasets: Sequence[str], uploaded: int, bodies: Sequence[bytes]) -> Took:
    """Send the burst to `knoll up`, and then the same again and again."""
    upload(datasets, _names(uploaded), world)
    with ExitStack() as ways:
        receiver = ways.enter_context(Receiver("ours", world))
        for dataset in datasets:
            declare(dataset, world)
        until(lambda: has_seen_models(world), 60, "the Models are seen", 0.05)
        jobs = ways.enter_context(Jobs(world, receiver.port))
        write_markers(datasets, world)
        receiver.calls()
        started = monotonic()
        again = _post(receiver, bodies)
        posted = monotonic() - started
        until(lambda: len(jobs.seen) >= len(datasets), 60, "each dataset has its Job", 0.01)
        took, calls = monotonic() - started, receiver.calls()
        say(f"all acknowledged after {posted:.2f} s")
        kept = _kept(receiver, jobs, bodies)
        say("runs opened by " + ", ".join(f"{count} {cause}" for cause, count in jobs.causes().items()))
        runs = jobs.runs()
    return Took(
        seconds=took,
        again=again,
        jobs=len(jobs.seen),
        live=jobs.most,
        lost=len(set(datasets) - runs.keys()),
        doubled=sum(count - 1 for count in runs.values()) + len(jobs.seen) - runs.total(),
        calls=calls,
        kept=kept,
    )


def _kept(receiver: Receiver, jobs: Jobs, bodies: Sequence[bytes]) -> float:
    """Bytes of memory that the receiver keeps for each notification after all Jobs have ended."""

    def memory_after() -> int:
        post_all(receiver.port, bodies, lambda _: None)
        return receiver.memory()

    warm = memory_after()
    until(lambda: jobs.ended >= DATASETS, 60, "all Jobs have ended")
    started = monotonic()
    measured = [memory_after() for _ in range(_MEASURED)]
    took, shown = (monotonic() - started) / _MEASURED, ", ".join(f"{one / 1e6:.1f}" for one in measured)
    say(f"again in {took:.2f} s each, with {warm / 1e6:.1f} and then {shown} MB of memory")
    return linear_regression([number * len(bodies) for number in range(_MEASURED)], measured).slope


def peer_took(world: World, datasets: Sequence[str], objects: int, bodies: Sequence[bytes]) -> Took:
    """Send the burst to the launcher. Its Jobs never run. If it does not hear of an object, that object gets
    no Job."""
    with Receiver("peer", world) as receiver:
        started = monotonic()
        again = _post(receiver, bodies)
        took, jobs = monotonic() - started, len(world.peer_jobs())
        lost = objects * len(datasets) - jobs
        return Took(
            seconds=took,
            again=again,
            jobs=jobs,
            live=jobs,
            lost=lost,
            doubled=jobs - len(datasets),
            calls=receiver.calls(),
        )


def _post(receiver: Receiver, bodies: Sequence[bytes]) -> int:
    """Post all, and kill the receiver when a third and two thirds are acknowledged."""
    kills = {len(bodies) // 3, 2 * len(bodies) // 3}

    def acknowledged(count: int) -> None:
        if count in kills:
            receiver.restart()

    return post_all(receiver.port, bodies, acknowledged)


def show(ours: Took, peer: Took, quota: int) -> int:
    """Print a table, and last the goals; 1 if one is missed."""
    table = Table(
        "receiver",
        *(
            "seconds",
            "sent again",
            "Jobs",
            "live at once",
            "lost",
            "too many",
            "API calls",
            "calls a dataset",
        ),
    )
    for name, took in (("knoll", ours), ("one Job an event", peer)):
        shown = (took.again, took.jobs, took.live, took.lost, took.doubled, took.calls.total())
        table.add_row(name, f"{took.seconds:.2f}", *map(str, shown), f"{took.calls.total() / DATASETS:.1f}")
    Console(width=120).print(table)
    by_event = Table("API calls of knoll on behalf of", "calls")
    for cause, calls in by_cause(ours.calls).items():
        by_event.add_row(cause, ", ".join(f"{count} {call}" for call, count in calls.items()))
    Console(width=120).print(by_event)
    goals = [
        Goal("seconds until each dataset has its Job", ours.seconds, _SECONDS),
        Goal("live Jobs", ours.live, quota),
        Goal("API calls for each Job", ours.calls.total() / ours.jobs, _CALLS),
        Goal("bytes of memory kept for each notification", ours.kept, _BYTES),
        Goal("datasets lost", ours.lost, 0),
        Goal("runs too many", ours.doubled, 0),
    ]
    return print_goals(goals)


def by_cause(calls: Counter[str]) -> dict[str, dict[str, int]]:
    """The calls for each type of event."""
    found: dict[str, dict[str, int]] = {}
    for line, count in sorted(calls.items()):
        cause, _, call = line.partition(" ")
        found.setdefault(cause, {})[call] = count
    return found


if __name__ == "__main__":
    sys.exit(main())
