"""What tests of families share: a platform that trains one, and real data: the UCI digits. One thread,
because more slow each other down on a busy machine."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from families.trainings import Trained, Training, train_once
from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.cluster import MemoryCluster
from knoll.adapters.memory.events import MemoryEvents
from knoll.adapters.memory.store import MemoryStore
from knoll.adapters.predictors_http import HttpPredictors
from knoll.families import FAMILIES, FamilyPlace
from knoll.families.base import Family
from knoll.ports import Platform
from knoll.settings import Settings

# torch tells each step of an export at DEBUG, which would hide why a test failed
logging.getLogger("torch.__trace").propagate = False


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trained:
    """Train a family: its class, the config as a Model has it, and the files by key. The family needs no line
    in `FAMILIES` yet. Each call has a platform of its own, so it finds no run and no file of another one."""

    def run(family: type[Family[Any]], config: Mapping[str, Any], files: Mapping[str, bytes]) -> Training:
        monkeypatch.setitem(FAMILIES, family.name, FamilyPlace(f"{family.__module__}:{family.__name__}"))
        clock, settings = MemoryClock(), Settings(home=tmp_path)
        cluster = MemoryCluster(settings.namespace, clock)
        platform = Platform(MemoryStore(), cluster, MemoryEvents(), HttpPredictors(), clock, settings)
        return train_once(family.name, config, files, platform)

    return run


@pytest.fixture(scope="session")
def digits(every_digit: Path) -> dict[str, bytes]:
    files = sorted(every_digit.rglob("*.png"))
    return {path.relative_to(every_digit).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
