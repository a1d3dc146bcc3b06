"""What a machine has and what a container asks for, in the units of Kubernetes.

A laptop admits a container as the scheduler would admit its Pod: only if all of its requests fit beside those
that are admitted.
"""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from knoll.errors import Rejected

__all__ = ["GPU", "Resources", "local_capacity", "parse_quantity", "requests_of", "shortage", "thread_limit"]

GPU = "nvidia.com/gpu"

_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|[kMGTPE]|[KMGTPE]i|)")
_FACTORS = {"": Decimal(1), "m": Decimal("0.001"), "k": Decimal(1000), "Ki": Decimal(1024)}
_FACTORS |= {letter: Decimal(1000) ** power for power, letter in enumerate("MGTPE", 2)}
_FACTORS |= {f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("MGTPE", 2)}


@dataclass(frozen=True)
class Resources:
    """Amounts: cores, bytes, and the numbers of the GPUs."""

    cpu: Decimal = Decimal(0)
    memory: Decimal = Decimal(0)
    gpus: int = 0

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(self.cpu + other.cpu, self.memory + other.memory, self.gpus + other.gpus)


def parse_quantity(quantity: str | int | float) -> Decimal:
    """A Kubernetes quantity in its base unit: "500m" -> 0.5, "2Gi" -> 2147483648. Raises Rejected for
    anything else."""
    match = _QUANTITY.fullmatch(str(quantity))
    if not match:
        raise Rejected(f"{quantity!r} is not a quantity such as 500m, 2 or 4Gi")
    return Decimal(match[1]) * _FACTORS[match[2]]


def requests_of(container: Mapping[str, Any]) -> Resources:
    """What a container must be given. As in Kubernetes a limit without a request is the request. Raises
    Rejected."""
    resources = container.get("resources") or {}
    wanted = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    cpu, memory, gpus = (parse_quantity(wanted.get(name, 0)) for name in ("cpu", "memory", GPU))
    return Resources(cpu, memory, int(gpus))


def thread_limit(container: Mapping[str, Any]) -> int | None:
    """How many CPU threads a container may keep busy: its limit of cores, rounded up; None without a limit.
    Raises Rejected."""
    limit = ((container.get("resources") or {}).get("limits") or {}).get("cpu")
    return None if limit is None else max(1, math.ceil(parse_quantity(limit)))


def shortage(wanted: Resources, used: Resources, capacity: Resources) -> str:
    """Why `wanted` does not fit beside `used`, in the words of the Kubernetes scheduler; "" when it fits."""
    total = wanted + used
    checks = (
        ("cpu", total.cpu > capacity.cpu),
        ("memory", total.memory > capacity.memory),
        (GPU, total.gpus > capacity.gpus),
    )
    lacking = [f"1 Insufficient {name}" for name, is_lacking in checks if is_lacking]
    return f"0/1 nodes are available: {', '.join(lacking)}." if lacking else ""


def local_capacity() -> Resources:
    """What this machine has: the cores that this process may use, its memory, and its NVIDIA devices."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Resources(Decimal(cores), Decimal(memory), len(list(Path("/dev").glob("nvidia[0-9]*"))))
