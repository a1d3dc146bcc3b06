"""Each benchmark runs: tiny, for some seconds, or only in its pure parts where it needs a cluster. It ends
with one line for each goal."""

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NAMES = sorted(path.stem for path in BENCHMARKS.glob("*.py"))


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mapping[str, ModuleType]]:
    """All modules of the folder benchmarks/, imported as its scripts import each other."""
    before = {name: sys.modules.pop(name) for name in NAMES if name in sys.modules}
    monkeypatch.syspath_prepend(BENCHMARKS)
    yield {name: importlib.import_module(name) for name in NAMES}
    for name in NAMES:
        sys.modules.pop(name, None)
    sys.modules.update(before)


def run(script: str, *options: str) -> list[dict[str, Any]]:
    """The goals that a benchmark prints last, after a table."""
    command = [sys.executable, str(BENCHMARKS / script), *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240)
    lines = ended.stdout.splitlines()
    goals = [json.loads(line) for line in lines if line.startswith("{")]
    assert goals, ended.stderr
    assert lines[-len(goals) :] == [json.dumps(goal) for goal in goals]
    assert "┏" in lines[0], "no table"
    for goal in goals:
        assert list(goal) == ["goal", "value", "target", "met"]
        assert goal["met"] == (goal["value"] <= goal["target"])
    assert ended.returncode == int(not all(goal["met"] for goal in goals)), ended.stderr
    return goals


def test_sweep_runs() -> None:
    goals = run("sweep.py", "--runs", "20", "--models", "10", "--latency", "0")
    assert len(goals) == 8
    assert all(goal["met"] for goal in goals)


@pytest.mark.loop
@pytest.mark.xdist_group("machine")
def test_burst_runs() -> None:
    """The receiver is killed twice here, too. Memory and seconds are not judged at this size."""
    goals = {
        goal["goal"]: goal
        for goal in run("burst.py", "--objects", "10", "--uploaded", "1", "--quota", "10", "--seed", "7")
    }
    assert len(goals) == 6
    assert goals["datasets lost"]["value"] == goals["runs too many"]["value"] == 0
    assert goals["live Jobs"]["met"]


def test_the_results_of_a_cluster_are_compared_with_those_of_its_peers(
    scripts: Mapping[str, ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    cluster, results = scripts["cluster"], scripts["results"]
    names = (cluster._OURS, cluster._STOCK, cluster._JOB, cluster._JOB_SINK)
    seconds = ((1.0, 9.0, 1.1), (1.0, 1.0, 1.2), (0.4, 0.3, 0.2), (0.05, 0.05, 9.0))
    measured = {name: results.Measured(name, taken) for name, taken in zip(names, seconds, strict=True)}
    goals = cluster._goals(measured)
    results.show_table(list(measured.values()), goals)
    printed = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["value"] for line in printed[-2:]] == [1.1, 6.0]
    assert [json.loads(line)["met"] for line in printed[-2:]] == [True, False]


def test_without_a_cluster_the_benchmark_says_why_it_is_skipped(
    scripts: Mapping[str, ModuleType], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "argv", ["cluster.py"])
    scripts["cluster"].main()
    assert capsys.readouterr().out == "Skipped: no cluster: kubectl is not on the PATH\n"


def test_p95_is_the_value_that_95_of_100_do_not_exceed(scripts: Mapping[str, ModuleType]) -> None:
    measured = scripts["results"].Measured("what", tuple(float(one) for one in range(100, 0, -1)))
    assert (measured.p95, measured.median) == (95.0, 50.5)
