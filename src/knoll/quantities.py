"""Amounts: Kubernetes quantities such as 2, 500m or 2Gi, and counts in words."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from knoll.errors import Rejected

__all__ = [
    "DEFAULT_RESOURCES",
    "DISK",
    "GPU",
    "PREDICTOR_BASE",
    "PREDICTOR_RESOURCES",
    "TRAINER_BASE",
    "counted",
    "in_words",
    "is_quantity",
    "memory_of",
    "parse_quantity",
    "quantity_text",
    "resources_in_words",
]

DISK = "ephemeral-storage"  # the resource name of the disk of a Pod
GPU = "nvidia.com/gpu"  # the resource name of a GPU
DEFAULT_RESOURCES = {"cpu": "1", "memory": "2Gi"}  # of a training, if its Model asks for nothing else
PREDICTOR_RESOURCES = {"cpu": "50m", "memory": "512Mi"}  # of a predictor
TRAINER_BASE = 320 * 2**20  # bytes of a trainer process before it reads data: Python and torch
PREDICTOR_BASE = 128 * 2**20  # of a predictor before it loads a version

_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(m|[kMGTPE]|[KMGTPE]i|)")
_FACTORS = {"": Decimal(1), "m": Decimal("0.001"), "k": Decimal(1000), "Ki": Decimal(1024)}
_FACTORS |= {letter: Decimal(1000) ** power for power, letter in enumerate("MGTPE", 2)}
_FACTORS |= {f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("MGTPE", 2)}


def counted(number: int, thing: str) -> str:
    """1, "file" -> "1 file"; 2, "file" -> "2 files"."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def in_words(size: int) -> str:
    """Bytes as a quantity with few digits: 2147483648 -> 2Gi, 1610612736 -> 1.5Gi, 5 -> 1Mi."""
    if size >= 2**30:
        return f"{size / 2**30:.1f}".removesuffix(".0") + "Gi"
    return f"{-(-size // 2**20)}Mi"


def resources_in_words(resources: Mapping[str, Any]) -> str:
    """Cores and memory: {"cpu": "50m", "memory": "512Mi"} -> "0.05 cores, 512Mi of memory"."""
    cores = float(parse_quantity(resources["cpu"]))
    return f"{cores:g} {'core' if cores == 1 else 'cores'}, {resources['memory']} of memory"


def quantity_text(number: float) -> str:
    """A number as a quantity has it: 1.5 -> "1.5", 1e3 -> "1000"."""
    return f"{Decimal(str(number)).normalize():f}"


def is_quantity(text: str) -> bool:
    """Whether the text is a quantity."""
    return _QUANTITY.fullmatch(text) is not None


def parse_quantity(quantity: str | int | float) -> Decimal:
    """A quantity in its base unit: "500m" -> 0.5, "2Gi" -> 2147483648. Raises Rejected for anything else."""
    match = _QUANTITY.fullmatch(str(quantity))
    if not match:
        raise Rejected(f"{quantity!r} is not a quantity such as 500m, 2 or 4Gi")
    return Decimal(match[1]) * _FACTORS[match[2]]


def memory_of(resources: Mapping[str, Any]) -> int:
    """The bytes of memory that the resources of a training ask for."""
    return int(parse_quantity({**DEFAULT_RESOURCES, **resources}["memory"]))
