"""Each benchmark runs: tiny, for some seconds, or only in its pure parts where it needs a cluster. It ends
with one line for each goal."""

import importlib
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from knoll.rollout.evidence.two_sample import Batch, Rule, TwoSample
from trainer.cheap import few_pictures

BENCHMARKS, TESTS = Path(__file__).parents[2] / "benchmarks", Path(__file__).parents[1]
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
    """The goals of a benchmark that is a process of its own."""
    command = [sys.executable, str(BENCHMARKS / script), *options]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    return goals_of(ended.stdout, ended.returncode, ended.stderr)


def goals_of(printed: str, code: int, told: str = "") -> list[dict[str, Any]]:
    """The goals that a benchmark has printed last, after a table, before it ended with this exit code."""
    lines = printed.splitlines()
    goals = [json.loads(line) for line in lines if line.startswith("{")]
    assert goals, told
    assert lines[-len(goals) :] == [json.dumps(goal) for goal in goals]
    assert "┏" in lines[0], "no table"
    for goal in goals:
        assert list(goal) == ["goal", "value", "target", "met"]
        assert goal["met"] == (goal["value"] <= goal["target"])
    assert code == int(not all(goal["met"] for goal in goals)), told
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


def test_rollout_runs(tmp_path: Path) -> None:
    """Runs that are this short find nothing; what is never promoted is not promoted here either. The tables
    are written between the markers of a page."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- measured: rollout -->\nold\n<!-- end -->\nafter\n")
    goals = run("rollout.py", "--runs", "2", "--length", "0.01", "--page", str(page))
    assert len(goals) == 80
    assert all(goal["met"] for goal in goals if goal["goal"].startswith("part promoted"))
    written = page.read_text()
    assert written.startswith("before\n<!-- measured: rollout -->\n\nAt least 2 runs a row, seed 1")
    assert written.endswith("\n<!-- end -->\nafter\n")
    assert written.count("goals are met") == 9


@pytest.mark.loop
@pytest.mark.xdist_group("machine")
def test_router_runs() -> None:
    """Real predictors answer, by way of a router too. Its times are not judged at this size."""
    goals = run("router.py", "--rounds", "1")
    assert len(goals) == 5
    assert goals[-1]["met"], "the memory of a router"


@pytest.mark.loop
@pytest.mark.xdist_group("machine")
def test_training_runs(scripts: Mapping[str, ModuleType], capsys: pytest.CaptureFixture[str]) -> None:
    """Its seconds are not judged at this size. The weights are those of a plain loop."""
    with few_pictures():
        code = scripts["training"].main(["--examples", "64", "--rounds", "1"])
    goals = goals_of(capsys.readouterr().out, code)
    assert len(goals) == 9
    assert all(goal["met"] for goal in goals if "any bit" in goal["goal"])


@pytest.mark.loop
@pytest.mark.xdist_group("machine")
def test_switch_runs() -> None:
    """One bad version and one good one. Seconds are not judged at this size."""
    goals = run("switch.py", "--rollouts", "2", "--requests", "200", "--rate", "20")
    assert [goal["met"] for goal in goals if not goal["goal"].startswith("seconds")] == [True] * 5


@pytest.mark.loop
@pytest.mark.xdist_group("machine")
def test_serving_runs() -> None:
    """Both servers give equal answers. Times are not judged at this size."""
    goals = run("serving.py", "--starts", "1", "--rounds", "1", "--requests", "8")
    assert len(goals) == 3 + 2 * 8


def test_the_simulated_rule_is_the_rule(scripts: Mapping[str, ModuleType]) -> None:
    """At every request and by reports, until the same one, for all arms and shares."""
    rule, reports = scripts["rollout_rule"], scripts["rollout_reports"]
    chance = np.random.default_rng(1)
    for delta, share, rates in ((0.0025, 0.05, (0.02, 0.2)), (0.05, 0.5, (0.4, 0.6)), (0.0025, 0.25, (0, 0))):
        of_candidate = chance.random((400, 3)) < share
        bad = chance.random((400, 3)) < np.where(of_candidate, rates[1], rates[0])
        found = rule.judge(of_candidate, bad, rule.Rule(delta, 0.02, share), 1e9)
        for run_of in range(3):
            state = TwoSample()
            for one, is_bad in zip(of_candidate[:, run_of], bad[:, run_of], strict=True):
                state = state.after_request(Rule(delta, 0.02), bool(one), bool(is_bad), share)
            assert found.value[run_of] == pytest.approx(state.stakes.value, rel=1e-3)
            assert found.support[run_of] == pytest.approx(math.exp(state.support), rel=1e-3)
        made = list(reports.traffic(chance, 3, 40, 10, share, rates))
        judged = reports.judge_reports(made, delta, 0.02, 30.0)
        for run_of in range(3):
            expected, state = [rule.NEVER, rule.NEVER], TwoSample()
            for number, report in enumerate(made):
                state = state.after_batch(Rule(delta, 0.02), Batch(*(int(one[run_of]) for one in report)))
                if expected[0] == rule.NEVER and state.most >= 30:
                    expected[0] = number
                if expected[1] == rule.NEVER and state.most_support >= math.log(100):
                    expected[1] = number
            assert [judged.failed_at[run_of], judged.passed_at[run_of]] == expected


def test_the_rules_of_peers_are_those_of_their_documents(scripts: Mapping[str, ModuleType]) -> None:
    """At one request a second of the candidate: Flagger rolls back after so many failed checks, promotes
    after five good ones, and takes no traffic for a fault. Argo's fourth failed measurement aborts."""
    peers, never = scripts["rollout_peers"], scripts["rollout_rule"].NEVER
    ones = np.ones((2400, 1), np.int64)
    all_bad, all_good, silence = (
        (ones, ones, ones, 0 * ones),
        (ones, 0 * ones, ones, 0 * ones),
        (0 * ones,) * 4,
    )
    for rule, seconds in ((lambda one: peers.flagger(one, 15, 15), 225), (peers.argo, 1200)):
        assert (rule(all_bad).rolled_back[0] + 1, rule(all_bad).promoted[0]) == (seconds, never)
    assert peers.flagger(all_good, 15, 15).promoted[0] + 1 == 75
    assert peers.argo(all_good).promoted[0] + 1 == 2400
    assert peers.flagger(silence, 60, 10).rolled_back[0] + 1 == 600
    assert peers.argo(silence).rolled_back[0] + 1 == 1500
    assert peers.fixed_sample(all_bad).rolled_back[0] + 1 == 500
    assert peers.fixed_sample(all_good).promoted[0] + 1 == 500
