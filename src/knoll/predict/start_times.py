"""How long the parts of a start took. The header `server-timing` tells this to the client that waited, and a
metric tells Prometheus.

`fetch`, `verify`, `load` and `warm-up` are what their names say. `start` is the rest: the interpreter, the
imports and the server. Some imports run while the version is fetched, and are not counted twice.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from knoll.server_timing import timing

__all__ = ["FETCH", "LOAD", "VERIFY", "WARM_UP", "StartTimes", "process_age"]

START, FETCH, VERIFY, LOAD, WARM_UP = "start", "fetch", "verify", "load", "warm-up"
_STAT = Path("/proc/self/stat")
_STARTED = 19  # place of the start of the process behind its name in proc_pid_stat(5), in clock ticks
_IMPORTED = time.monotonic()


class StartTimes:
    """The parts of one start, in seconds."""

    def __init__(self) -> None:
        self._seconds = dict.fromkeys((START, FETCH, VERIFY, LOAD, WARM_UP), 0.0)

    @property
    def parts(self) -> Mapping[str, float]:
        """All parts, in their order."""
        return dict(self._seconds)

    @property
    def header(self) -> str:
        """A value of `server-timing`."""
        return timing(self._seconds)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """The time that is spent inside belongs to that part."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[name] += time.perf_counter() - began

    def move(self, seconds: float, source: str, to: str) -> None:
        """So much of one part belongs to another one."""
        self._seconds[source] -= seconds
        self._seconds[to] += seconds

    def end(self, age: float) -> None:
        """The start ends at that age of the process. A part from which more was moved than it took is 0."""
        self._seconds = {part: max(seconds, 0.0) for part, seconds in self._seconds.items()}
        others = sum(seconds for part, seconds in self._seconds.items() if part != START)
        self._seconds[START] = max(age - others, 0.0)


def process_age() -> float:
    """The seconds since this process began; without Linux, since this module was imported."""
    try:
        started = int(_STAT.read_text().rpartition(")")[2].split()[_STARTED]) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started
    except OSError:
        return time.monotonic() - _IMPORTED
