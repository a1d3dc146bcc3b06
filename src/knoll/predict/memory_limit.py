"""How much memory this process may take, and how much it has: what requests may take is what is left."""

import ctypes
import os
import resource
import sys
from pathlib import Path

__all__ = ["UNLIMITED", "memory_limit", "resident", "return_freed_memory"]

UNLIMITED = 2 * 2**30  # bytes that are taken as the limit where there is none
_GROUPS, _PROCESS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_STATUS = Path("/proc/self/statm")
_FILES = {"": "memory.max", "memory": "memory/memory.limit_in_bytes"}  # of version 2 and 1, by controller
_MMAP_THRESHOLD, _LARGE = -3, 2**20  # of mallopt(3), in bytes
_NONE = 2**60  # version 1 writes such a number for no limit


def memory_limit(groups: Path = _GROUPS, process: Path = _PROCESS) -> int:
    """The least limit of the control groups that the process is in, in bytes; UNLIMITED if none has a limit.

    See "memory.max" in the kernel's cgroup-v2.rst, and "limit_in_bytes" in its cgroup-v1/memory.rst.
    """
    try:
        lines = process.read_text().splitlines()
    except OSError:  # no Linux
        return UNLIMITED
    found = [limit for line in lines for limit in _limits(groups, line)]
    return min((limit for limit in found if limit < _NONE), default=UNLIMITED)


def resident() -> int:
    """The bytes of memory that the process has now, files of libraries included."""
    try:
        return int(_STATUS.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 2**10


def return_freed_memory() -> None:
    """Let the process give large blocks back as soon as they are free. glibc would keep those of each thread
    for the next picture: 150 MB after some minutes of large pictures."""
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
        if mallopt is not None:
            mallopt(_MMAP_THRESHOLD, _LARGE)


def _limits(groups: Path, line: str) -> list[int]:
    """The limits of a line of /proc/self/cgroup, "number:controllers:path", from its group up to the root. In
    a container the path may be that of the host; then there is the root alone."""
    _, controllers, path = line.split(":", 2)
    name = next((name for name in _FILES if name in controllers.split(",")), None)
    if name is None:
        return []
    folder, _, file = ("/" + _FILES[name]).rpartition("/")
    root = groups / folder.strip("/")
    steps = [one for one in path.split("/") if one not in ("", "..")]
    places = [root.joinpath(*steps[:count], file) for count in range(len(steps) + 1)]
    return [limit for limit in map(_read, places) if limit is not None]


def _read(file: Path) -> int | None:
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
