"""The benchmark runs on this cluster: cold starts and events beside their peers, in one run, printed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]


def test_cold_starts_and_events_are_measured_beside_their_peers(installation: Any) -> None:
    """How fast they are on this machine at this moment is told and not judged; that all of them were measured is."""
    command = [sys.executable, str(ROOT / "benchmarks" / "cluster.py"), "--rounds", "1", "--events", "5", "-o", "json"]
    ended = subprocess.run(command, env=dict(installation.environment), capture_output=True, text=True, timeout=850)
    assert ended.returncode == 0, ended.stderr
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    for line in lines:
        print(json.dumps(line))
    goals = [one for one in lines if "goal" in one]
    told = json.dumps([one for one in lines if "goal" not in one])
    assert all(
        peer in told for peer in ("stock kserve", "JobSink", "knoll, a real version", "event to Job, from zero", "event to Job, warm")
    )
    assert {one["target"] for one in goals} == {1.2, 3.0}
    assert all(one["value"] > 0 for one in goals)
