"""The random generators of a process, of which a training may use any: torch's, Python's and numpy's."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy
import torch

from knoll.errors import Rejected

__all__ = ["borrowed_generators", "generators", "restore_generators", "seed_generators"]


def seed_generators(seed: int) -> None:
    """Begin all of them anew."""
    torch.manual_seed(seed % 2**63)
    random.seed(seed)
    numpy.random.seed(seed % 2**32)


@contextmanager
def borrowed_generators(seed: int, device: torch.device) -> Iterator[None]:
    """They begin anew in this block, and go on behind it as if it had used none."""
    before, of_numpy = random.getstate(), numpy.random.get_state()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        try:
            seed_generators(seed)
            yield
        finally:
            random.setstate(before)
            numpy.random.set_state(of_numpy)


def generators(device: torch.device) -> str:
    """Their state as JSON."""
    name, keys, *rest = numpy.random.get_state(legacy=True)
    found: dict[str, Any] = {
        "torch": _text(torch.get_rng_state()),
        "cuda": _text(torch.cuda.get_rng_state(device)) if device.type == "cuda" else "",
        "python": random.getstate(),
        "numpy": [name, numpy.asarray(keys).tolist(), *rest],
    }
    return json.dumps(found)


def restore_generators(state: str, device: torch.device) -> None:
    """Give them that state. Raises Rejected if it is none."""
    try:
        found = json.loads(state)
        version, words, gauss = found["python"]
        random.setstate((version, tuple(words), gauss))
        name, keys, *rest = found["numpy"]
        numpy.random.set_state((name, numpy.array(keys, numpy.uint32), *rest))
        torch.set_rng_state(_tensor(found["torch"]))
        if device.type == "cuda" and found["cuda"]:
            torch.cuda.set_rng_state(_tensor(found["cuda"]), device)
    except (ValueError, TypeError, LookupError, RuntimeError) as error:
        raise Rejected("the state of its random generators cannot be read") from error


def _text(state: torch.Tensor) -> str:
    return state.numpy().tobytes().hex()


def _tensor(text: str) -> torch.Tensor:
    return torch.tensor(bytearray.fromhex(text), dtype=torch.uint8)
