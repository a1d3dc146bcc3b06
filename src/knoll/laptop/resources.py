"""The resources of this machine and of a container, in the units of Kubernetes.

A laptop admits a container as the scheduler would admit its Pod: only if all of its requests fit beside those
of the containers that run.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from knoll.quantities import GPU, in_words, parse_quantity

__all__ = ["Resources", "local_capacity", "memory_limit", "requests_of", "shortage", "thread_limit"]


@dataclass(frozen=True)
class Resources:
    """Amounts: cores, bytes of memory, and how many GPUs."""

    cpu: Decimal = Decimal(0)
    memory: Decimal = Decimal(0)
    gpus: int = 0

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(self.cpu + other.cpu, self.memory + other.memory, self.gpus + other.gpus)


def requests_of(container: Mapping[str, Any]) -> Resources:
    """The resources that a container must get. As in Kubernetes, a limit without a request is the request.
    Raises Rejected."""
    resources = container.get("resources") or {}
    wanted = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    cpu, memory, gpus = (parse_quantity(wanted.get(name, 0)) for name in ("cpu", "memory", GPU))
    return Resources(cpu, memory, int(gpus))


def thread_limit(container: Mapping[str, Any]) -> int | None:
    """How many CPU threads a container may use: its limit of cores, rounded up; None without a limit. Raises
    Rejected."""
    limit = ((container.get("resources") or {}).get("limits") or {}).get("cpu")
    return None if limit is None else max(1, math.ceil(parse_quantity(limit)))


def memory_limit(container: Mapping[str, Any]) -> int | None:
    """The bytes of memory that a container may take; None without a limit. Raises Rejected."""
    limit = ((container.get("resources") or {}).get("limits") or {}).get("memory")
    return None if limit is None else int(parse_quantity(limit))


def shortage(wanted: Resources, used: Resources, capacity: Resources) -> str:
    """Why `wanted` does not fit beside `used`, with the numbers; "" when it fits."""
    checks = (
        ("cpu", wanted.cpu, used.cpu, capacity.cpu, str),
        ("memory", wanted.memory, used.memory, capacity.memory, lambda amount: in_words(int(amount))),
        (GPU, wanted.gpus, used.gpus, capacity.gpus, str),
    )
    return "; ".join(
        f"it asks for {name} {words(asked)}, this machine has {words(there)}"
        + (f", and {words(taken)} of that is taken" if taken else "")
        for name, asked, taken, there, words in checks
        if asked + taken > there
    )


def local_capacity() -> Resources:
    """This machine: the cores that this process may use, all memory, and the NVIDIA devices."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Resources(Decimal(cores), Decimal(memory), len(list(Path("/dev").glob("nvidia[0-9]*"))))
