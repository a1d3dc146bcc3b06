"""What a request costs by way of the router of a cluster, and whether a shadow delays those who ask.

Two real predictors serve a tiny version. The same request goes to the champion directly, by way of a router,
and by way of a router that copies every request to the candidate. The three take turns, in rounds; between
two requests there is a pause, as copies begin after the answer.
"""

import argparse
import http.client
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from results import Goal, Measured, show_table
from router_place import ADDRESSES, MODEL, SIDE, free_port, resident, running, write_version

from knoll.paths import LIVE, READY, predict_path

_WAYS = ("directly", "by way of the router", "by way of the router, with a shadow")
_SHADOW = {"mode": "shadow", "shadow": 100}
_STICKY = {"sticky": "header:x-user"}
_EACH = 25  # requests of each way in a round
_PAUSE = 0.025  # seconds
_WARM = 20  # requests before the first round
# the goals
_LONGER, _LONGER_P95, _WITH_SHADOW, _START, _MEMORY = 2.0, 2.5, 1.1, 5.0, 128.0


@dataclass(frozen=True)
class Place:
    """The ports of the ways, in their order; seconds until a router answered, and its memory in MiB after all
    requests."""

    ports: Sequence[int]
    start: float
    router: int


@contextmanager
def place(folder: Path) -> Iterator[Place]:
    """Predictors and routers, until the block is left."""
    script = str(Path(__file__).with_name("router_place.py"))
    with ExitStack() as stack:
        predictors = free_port()
        for number, (tag, address) in enumerate(ADDRESSES.items(), start=1):
            version = folder / tag
            version.mkdir()
            write_version(version, f"v{number:06}")
            command = ["-m", "knoll.wiring.predictor", "--model", MODEL, "--model-dir", str(version)]
            environment = {"PORT": str(predictors), "KNOLL_LISTEN_HOST": address}
            stack.enter_context(running(command, f"http://{address}:{predictors}{READY}", **environment))
        started = []
        for rollout in (_STICKY, _SHADOW):
            port = free_port()
            command = [script, "--port", str(port), "--predictors", str(predictors)]
            command += ["--rollout", json.dumps(rollout)]
            process, took = stack.enter_context(running(command, f"http://127.0.0.1:{port}{LIVE}"))
            started.append((port, took, process))
        yield Place([predictors, *(one[0] for one in started)], started[0][1], started[1][2])


def ask(connection: http.client.HTTPConnection, body: bytes) -> float:
    """Seconds of one answer, of the champion."""
    began: float = time.perf_counter()
    headers = {"content-type": "application/json", "x-user": "ann"}
    connection.request("POST", predict_path(MODEL), body, headers)
    answer = connection.getresponse()
    answer.read()
    took = time.perf_counter() - began
    if answer.status != 200 or answer.headers["x-model-version"] != "v000001":
        sys.exit(f"Error: HTTP {answer.status} from {answer.headers['x-model-version']}")
    time.sleep(_PAUSE)
    return took


def measure(ports: Sequence[int], rounds: int) -> list[list[list[float]]]:
    """For each round and way the seconds of its answers."""
    body = json.dumps({"instances": [[[200] * SIDE] * SIDE]}).encode()
    connections = [http.client.HTTPConnection("127.0.0.1", port, timeout=60) for port in ports]
    for one in connections:
        for _ in range(_WARM):
            ask(one, body)
    return [[[ask(one, body) for _ in range(_EACH)] for one in connections] for _ in range(rounds)]


def goals(rounds: Sequence[Sequence[Sequence[float]]], start: float, memory: float) -> list[Goal]:
    """Ratios are taken within a round, so that a machine that is busy meanwhile slows all ways down."""

    def ratio(way: int, beside: int, of: str) -> float:
        shown = [[Measured("", tuple(one)) for one in each] for each in rounds]
        return float(median(getattr(each[way], of) / getattr(each[beside], of) for each in shown))

    return [
        Goal("time of an answer by way of the router, to that without", ratio(1, 0, "median"), _LONGER),
        Goal("p95 by way of the router, to that without", ratio(1, 0, "p95"), _LONGER_P95),
        Goal("time of an answer with a shadow, to that without", ratio(2, 1, "median"), _WITH_SHADOW),
        Goal("seconds until a router answers", start, _START),
        Goal("MiB of a router", memory, _MEMORY),
    ]


def main() -> None:
    """Measure, and exit with 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, place(Path(folder)) as found:
        rounds = measure(found.ports, given.rounds)
        reached = goals(rounds, found.start, resident(found.router))
    everything = [
        Measured(what, tuple(one for each in rounds for one in each[way])) for way, what in enumerate(_WAYS)
    ]
    show_table(everything, reached)
    sys.exit(int(not all(one.is_met for one in reached)))


if __name__ == "__main__":
    main()
