"""`knoll rollout replay` puts past rollouts through another policy.

The file rollout_replay.txt is what it prints. `GOLDEN_WRITE=1` writes it.
"""

import json
import os
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from cli.declared import Knoll, Records
from knoll.adapters.memory.platform import memory_platform
from knoll.cli.policy_file import read_policy
from knoll.cli.render.hindsight import hindsight_picture
from knoll.ports import Platform
from knoll.rollout.comparison import Comparison
from knoll.views.hindsight import read_hindsight
from support.models import model_document

GOLDEN = Path(__file__).parent / "rollout_replay.txt"
STRICTER = """\
rollout: {steps: [20], minRequests: 100, idle: hold, progressDeadline: 10s}
gate: {minAgreement: 0.95}
"""
PASSED = {"e": 1.2, "failAt": 400.0, "support": 104.0, "passAt": 100.0, "judged": 240, "margin": 0.02}
FAILED = {**PASSED, "e": 512.4, "support": 1.0, "judged": 31}


def past(records: Records) -> None:
    """Versions have been promoted though they answered otherwise, rolled back, promoted after few requests,
    after many, and aborted."""
    versions = {
        "v000001": (58, 300, PASSED),
        "v000002": (64, 31, FAILED),
        "v000003": (64, 50, PASSED),
        "v000004": (64, 300, PASSED),
    }
    for version, (agreed, requests, errors) in versions.items():
        compared = Comparison(version, "v000000", samples=64, asked=64, agreed=agreed).fields()
        records.step(1, "Start", 0, version, "the gate is passed", champion="v000000", evidence={})
        records.step(2, "Shift", 50, version, "ready", comparison=compared, evidence={})
        counts = {"requests": requests, "inStep": requests, "errors": 0, "replayed": 0}
        if errors is FAILED:
            reason = "9 of 31 requests failed (errors: E 512, the bound is 400)"
            records.step(3, "Rollback", 0, version, reason, evidence=counts, verdict={"errors": errors})
            continue
        records.step(3, "Bake", 100, version, "passed", evidence=counts, verdict={"errors": errors})
        at = "2026-01-01T00:09:00+00:00"
        records.step(4, "Promote", 100, version, "baked for 300 s", evidence=counts, at=at)
    records.step(1, "Start", 0, "v000005", champion="v000000")
    records.step(2, "Rollback", 0, "v000005", "never became ready: ExitCode65")
    records.step(3, "Start", 0, "v000005", champion="v000000")
    records.step(30, "Shift", 50, "v000005", "ready", evidence={})
    records.step(31, "Rollback", 0, "v000005", "aborted by ann", wish="w", by="ann")


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(STRICTER)
    return path


def test_each_past_rollout_is_told_with_what_the_policy_would_have_made_of_it(policy: Path) -> None:
    platform = memory_platform()
    platform.cluster.create(model_document("digits"))
    past(Records(platform))
    printed = StringIO()
    view = read_hindsight(platform, "", read_policy(str(policy)))
    Console(file=printed, width=110).print(hindsight_picture(view))
    lines = [line.rstrip() for line in printed.getvalue().splitlines()]
    if "GOLDEN_WRITE" in os.environ:
        GOLDEN.write_text("\n".join(lines) + "\n")
    assert GOLDEN.read_text().splitlines() == lines


def test_programs_get_each_rollout_and_how_many_would_have_ended_otherwise(
    knoll: Knoll, platform: Platform, records: Records, model_file: Path, policy: Path
) -> None:
    knoll("apply", "-f", model_file)
    past(records)
    told = json.loads(knoll("rollout", "replay", "digits", "--policy", policy, "-o", "json").stdout)
    assert [(one["version"], one["ended"], one["would"], one["differs"]) for one in told["rollouts"]] == [
        ("v000001", "Promoted", "Held", True),
        ("v000002", "RolledBack", "RolledBack", False),
        ("v000003", "Promoted", "Unknown", None),
        ("v000004", "Promoted", "Promoted", False),
        ("v000005", "RolledBack", "RolledBack", False),
        ("v000005", "RolledBack", "RolledBack", False),
    ]
    assert (told["otherwise"], told["unknown"]) == (1, 1)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("rollout: {minRequest: 5}", "policy.yaml:1: rollout.minRequest: there is no such field"),
        ("rollout:\n  minRequests: 0", "policy.yaml:2: rollout.minRequests: must be at least 1, not 0"),
        ("gate:\n  atLeast: 0.9", "policy.yaml:2: gate.atLeast: is no part of a policy"),
        ("kind: Model", "policy.yaml:1: kind: there is no such field; the fields are rollout, gate"),
        ("[]", "a policy is a YAML object with rollout and gate"),
        ("", "there must be one policy in it, not 0"),
        ("rollout: [", "not YAML"),
    ],
)
def test_a_policy_with_a_fault_is_refused_with_the_line_of_the_fault(
    knoll: Knoll, platform: Platform, policy: Path, text: str, fault: str
) -> None:
    policy.write_text(text)
    refused = knoll("rollout", "replay", "--policy", policy)
    assert refused.exit_code == 1
    assert fault in refused.stderr
    assert "correct the file and run the command again" in refused.stderr


def test_a_model_that_was_never_there_and_a_file_that_is_missing_are_not_found(
    knoll: Knoll, platform: Platform, policy: Path
) -> None:
    assert knoll("rollout", "replay", "nothing", "--policy", policy).exit_code == 4
    assert knoll("rollout", "replay", "--policy", "nothing.yaml").exit_code == 4
    assert "No rollout has ended yet." in knoll("rollout", "replay", "--policy", policy).stdout
