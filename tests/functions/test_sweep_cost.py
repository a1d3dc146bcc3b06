"""What a tick costs does not depend on how much has happened before it."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def sweep(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The benchmark, whose worlds are used here on a small scale."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    spec = importlib.util.spec_from_file_location("benchmark_sweep", BENCHMARKS / "sweep.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "benchmark_sweep", module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("gate", ["marker", "quiet"])
def test_a_tick_makes_the_same_requests_after_two_runs_and_after_two_hundred(sweep: Any, gate: str) -> None:
    """With listings of ten objects a request, so that listing what is long over would show."""
    few, many = (sweep.make_world(3, runs, gate, page=10) for runs in (2, 200))
    for world in (few, many):
        sweep.tick(world)
    requests = sweep.tick(many)
    assert requests == sweep.tick(few)
    assert requests["store.put"] == 3, "the models are rolled out, and rollout has looked at each"
