"""How fast the serverless parts of the loop are on a real cluster, beside peers, in one run.

From zero to the first answer: a version served by knoll, a stock kserve model server that does nothing, and a
trivial Go service (left out if there is no go). From an event to its Job: knoll, and a Knative JobSink behind
the same broker.

All take turns, so that the load of the machine affects all alike. A measurement starts only when the parts it
needs are at zero, or awake. The benchmark installs knoll in a namespace of its own, and removes everything
afterwards.

The environment is that of `make deploy` and of `make images`: KUBECONFIG, IMAGE_REGISTRY, IMAGE_TAG, the AWS
variables, and GATEWAY_URL if the names of services do not resolve.
"""

import argparse
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, permutations

from answers import Server, first_answer, serve_go, serve_ours, serve_stock, warm_answers
from images import build_go, build_kserve
from jobs import Jobs, asked, declare, declare_sink, landed, notified
from place import Place, installation, say, until
from results import Goal, Measured, show_json, show_table

_NEEDED = (
    "brokers.eventing.knative.dev",
    "inferenceservices.serving.kserve.io",
    "jobsinks.sinks.knative.dev",
)
_EVENTS, _UPLOADS, _SINK = (
    "events",
    "uploads",
    "sink",
)  # two Models and a JobSink, whose Jobs begin with their names
_OURS, _STOCK, _GO = (
    "zero to first answer: knoll, a real version",
    "zero to first answer: stock kserve",
    "zero to first answer: Go",
)
_JOB, _JOB_SINK, _JOB_COLD = (
    "event to Job, warm: knoll",
    "event to Job, warm: JobSink",
    "event to Job, from zero: knoll (a JobSink never is)",
)
_JOB_UPLOAD = "notification of the store to Job, warm: knoll"


@dataclass(frozen=True)
class Cold:
    """A server that is timed from zero, and the function that its requests wake."""

    what: str
    time: Callable[[], float]
    wakes: str = ""


@dataclass(frozen=True)
class Warm:
    """A path that is timed warm, and the functions that must be awake."""

    what: str
    time: Callable[[], float]
    needs: tuple[str, ...] = ()


def main() -> None:
    """Read the command line, measure, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    rounds = int(os.environ.get("ROUNDS") or 6)
    parser.add_argument(
        "--rounds", type=int, default=rounds, help="starts from zero of each (default: ROUNDS, else 6)"
    )
    parser.add_argument("--events", type=int, default=20, help="warm events of each kind (default: 20)")
    parser.add_argument(
        "-o",
        "--output",
        choices=("table", "json"),
        default="table",
        help="json: only lines of JSON (default: table)",
    )
    given = parser.parse_args()
    if reason := _obstacle():
        print(f"Skipped: {reason}")
        return
    measured, goals = _measure(given.rounds, given.events)
    (show_json if given.output == "json" else show_table)(measured, goals)


def _obstacle() -> str:
    """Why nothing can be measured here, in words."""
    if shutil.which("kubectl") is None:
        return "no cluster: kubectl is not on the PATH"
    found = subprocess.run(
        ["kubectl", "get", "crd", "-o", "name", "--request-timeout=10s"], capture_output=True, text=True
    )
    if found.returncode:
        return f"no cluster answers, set KUBECONFIG: {found.stderr.strip().rpartition(chr(10))[2]}"
    missing = [name for name in _NEEDED if f"/{name}" not in found.stdout]
    return f"the cluster lacks {', '.join(missing)}" if missing else ""


def _measure(rounds: int, events: int) -> tuple[Sequence[Measured], Sequence[Goal]]:
    kserve, go = build_kserve(os.environ), build_go(os.environ)
    if not go:
        say("The Go service is left out: there is no go on the PATH")
    with installation(os.environ) as place:
        ours = serve_ours(place)
        stock = serve_stock(place, kserve, ours)
        servers = {_OURS: ours, _STOCK: stock} | ({_GO: serve_go(place, go, ours)} if go else {})
        for name in (_EVENTS, _UPLOADS):
            declare(name, place)
        declare_sink(_SINK, kserve, place)
        jobs = Jobs(place)
        warm = [*_warm_events(jobs, place, events), *_warm_answers(ours, stock, place)]
        measured = [*_from_zero(*_cold(servers, jobs, place), place, rounds), *warm]
    return measured, _goals({one.what: one for one in measured})


def _goals(measured: dict[str, Measured]) -> Sequence[Goal]:
    def ratio(one: str, other: str) -> float:
        return measured[one].median / measured[other].median

    return [
        Goal(
            "time from zero to the first answer, as a multiple of a stock kserve server's",
            ratio(_OURS, _STOCK),
            1.2,
        ),
        Goal(
            "time from an event to its Job, warm, as a multiple of a JobSink's", ratio(_JOB, _JOB_SINK), 3.0
        ),
    ]


def _cold(servers: dict[str, Server], jobs: Jobs, place: Place) -> tuple[list[Cold], Cold]:
    """The peers, and which are missing. Reports of a predictor wake rollout."""
    peers = [
        Cold(what, partial(first_answer, one, place), "knoll-rollout" if what == _OURS else "")
        for what, one in servers.items()
    ]
    return peers, Cold(_JOB_COLD, lambda: jobs.time(landed(_EVENTS, place), _EVENTS))


def _from_zero(peers: Sequence[Cold], last: Cold, place: Place, rounds: int) -> Sequence[Measured]:
    """Measure each once in every round. The peers take turns in all orders, because each leaves some work
    that slows the next."""
    seconds: dict[str, list[float]] = {one.what: [] for one in (*peers, last)}
    for number, order in zip(range(rounds), cycle(permutations(peers)), strict=False):
        until(place.is_asleep, 300, "everything is at zero")
        for one in (*order, last):
            seconds[one.what].append(one.time())
            say(f"[{number + 1}/{rounds}] {one.what}: {seconds[one.what][-1]:.2f} s")
            until(partial(_is_over, one, place), 120, "nothing is starting")
    return [Measured(what, tuple(taken)) for what, taken in seconds.items()]


def _is_over(one: Cold, place: Place) -> bool:
    return place.is_settled() and (not one.wakes or place.is_awake(one.wakes))


def _warm_events(jobs: Jobs, place: Place, events: int) -> Sequence[Measured]:
    things = [
        Warm(_JOB, lambda: jobs.time(landed(_EVENTS, place), _EVENTS), ("knoll-train",)),
        Warm(_JOB_SINK, lambda: jobs.time(asked(place), _SINK)),
        Warm(
            _JOB_UPLOAD,
            lambda: jobs.time(notified(_UPLOADS, place), _UPLOADS),
            ("knoll-notifications", "knoll-ingest", "knoll-train"),
        ),
    ]
    seconds: dict[str, list[float]] = {one.what: [] for one in things}
    for number in range(events + 1):
        for one in things:
            seconds[one.what].append(_warm(one, place))
            say(f"[{number}/{events}] {one.what}: {seconds[one.what][-1] * 1000:.0f} ms")
    return [
        Measured(what, tuple(taken[1:])) for what, taken in seconds.items()
    ]  # the first of each does not count


def _warm(one: Warm, place: Place) -> float:
    """Wake sleeping parts with one more event, which is not counted."""
    while not all(map(place.is_awake, one.needs)):
        one.time()
    until(place.is_settled, 120, "nothing is starting")
    return one.time()


def _warm_answers(ours: Server, stock: Server, place: Place) -> Sequence[Measured]:
    names = ("one answer, warm: knoll, a real version", "one answer, warm: stock kserve")
    return [
        Measured(what, tuple(taken))
        for what, taken in zip(names, warm_answers((ours, stock), place), strict=True)
    ]


if __name__ == "__main__":
    main()
