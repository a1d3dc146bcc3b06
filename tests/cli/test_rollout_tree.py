"""`knoll rollout` shows a rollout as a tree, with the evidence beside its bounds, and plain lines to a pipe.

The files of rollout_tree/ are what it prints. `GOLDEN_WRITE=1` writes them.
"""

import json
import os
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli.declared import Knoll, Records
from knoll.adapters.memory.platform import memory_platform
from knoll.cli.log_bar import log_bar
from knoll.cli.render.rollout_tree import news_lines, tree_lines, tree_picture
from knoll.ports import Platform
from knoll.rollout.evidence import Judgement, Seen, Tally, begin, judge, judgement_to_fields
from knoll.views.rollout_tree import RolloutTree, read_rollout_tree
from support.models import model_document

GOLDEN = Path(__file__).parent / "rollout_tree"
EDGES = (0.01, 0.1)
AT = "2026-01-01T00:00:00+00:00"


def judged(rounds: int, errors: int = 0, slow: int = 2) -> Judgement:
    """So many reports of ten requests of the candidate beside thirty of the champion. Of the ten so many
    failed, and so many are slow."""
    judgement = begin(Tally(1000, 1, 0, EDGES, (500, 450, 50)), Seen())
    for number in range(1, rounds + 1):
        champion = Tally(30 * number, 0, 0, EDGES, (15 * number, 14 * number, number))
        candidate = Tally(
            10 * number, errors * number, 0, EDGES, (4 * number, (6 - slow) * number, slow * number)
        )
        judgement = judge(judgement, Seen(champion, candidate))
    return judgement


def status(**changes: Any) -> dict[str, Any]:
    """v000004 is on trial beside v000003, in the second step."""
    counts = {"requests": 88, "errors": 0, "inStep": 38, "replayed": 20, "refused": 2}
    rollout = {"percent": 25, "step": 1, "since": AT, "seen": AT, "evidence": counts}
    names = {"champion": "v000003", "candidate": "v000004", "previous": "v000002", "phase": "Canary"}
    roles = {name: changes.pop(name) for name in [*changes] if name in names}
    return {**names, **roles, "rollout": {**rollout, **changes}}


def serve(platform: Platform) -> None:
    """Revisions of both, as KServe leaves them."""
    routes = []
    for version, percent in (("v000003", 75), ("v000004", 25)):
        name, ready = f"digits-{version}", [{"type": "Ready", "status": "True"}]
        labels = {"serving.kserve.io/inferenceservice": "digits", "knoll.dev/version": version}
        routes.append({"revisionName": name, "percent": percent})
        kind = {"apiVersion": "serving.knative.dev/v1", "kind": "Revision"}
        made = platform.cluster.create({**kind, "metadata": {"name": name, "labels": labels}})
        platform.cluster.update({**made, "status": {"conditions": ready}}, status=True)
    isvc = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"}
    made = platform.cluster.create({**isvc, "metadata": {"name": "digits"}, "spec": {}})
    served = {"components": {"predictor": {"traffic": routes}}}
    platform.cluster.update({**made, "status": served}, status=True)


def tree(judgement: Judgement | None, **changes: Any) -> RolloutTree:
    """The tree two minutes after the step began."""
    platform = memory_platform()
    platform.clock.move(120)  # type: ignore[attr-defined]
    platform.cluster.create(model_document("digits"))
    serve(platform)
    records = Records(platform)
    records.step(1, "Start", 0, "v000004", "the gate is passed")
    found = judgement_to_fields(judgement) if judgement else None
    records.status(**status(judgement=found, **changes))
    return read_rollout_tree(platform, "digits")


def now() -> Any:
    return memory_platform().clock.now() + timedelta(seconds=120)


def picture(shown: RolloutTree, width: int) -> list[str]:
    printed = StringIO()
    Console(file=printed, width=width).print(tree_picture(shown, now()))
    return [line.rstrip() for line in printed.getvalue().splitlines()]


def is_golden(lines: list[str], name: str) -> bool:
    path = GOLDEN / name
    if "GOLDEN_WRITE" in os.environ:
        path.write_text("\n".join(lines) + "\n")
    return path.read_text().splitlines() == lines


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_tree_fits_the_terminal_and_has_each_arm_beside_its_bound(width: int) -> None:
    found = picture(tree(judged(9)), width)
    assert max(map(len, found)) <= width
    assert is_golden(found, f"{width}.txt")


def test_without_a_terminal_each_fact_is_a_line() -> None:
    assert is_golden([*tree_lines(tree(judged(9)), now())], "lines.txt")


def test_an_arm_that_has_failed_has_a_full_bar_and_says_so() -> None:
    shown = tree(judged(3, errors=5))
    (line,) = (one for one in picture(shown, 120) if " errors " in one and " L " in one)
    assert " fail " in line
    assert "─" not in line.partition("L ")[0].partition("E ")[2]
    assert "v000004 errors: fail, E has reached 400" in news_lines(shown)


def test_in_the_bake_a_suspicion_stands_beside_its_bound() -> None:
    """Nothing is beside the candidate then; the arms keep what they have found."""
    passed = judged(40, slow=0)
    seen = replace(passed.seen, candidate=replace(passed.seen.candidate, requests=401, errors=1))
    baking = {"champion": "v000003", "candidate": "v000004", "phase": "Baking"}
    shown = tree(judge(passed, seen, is_shared=False), **baking)
    (line,) = (one for one in picture(shown, 120) if "suspicion" in one)
    assert shown.suspicion
    assert 2 < shown.suspicion[0] < shown.suspicion[1] == 20
    assert 0 < line.count("█") < len(line.split()[-1])
    assert any(one.startswith("suspicion E ") for one in tree_lines(shown, now()))


def test_without_a_judgement_the_tree_has_the_counts_alone() -> None:
    found = picture(tree(None), 160)
    assert not any(" E " in one or "verdict" in one for one in found)
    assert any("38 of 50 in this step; 88 in all" in one for one in found)
    told = "about 12 requests to the end of the step (38s), about 62 requests to the bake"
    assert any(told in one for one in found)


def test_a_bar_moves_by_the_same_length_with_each_factor() -> None:
    assert [log_bar(value, 10_000, 8).count("█") for value in (0.5, 1, 10, 100, 1000, 10_000, 1e9)] == [
        *(0, 0, 2, 4, 6, 8, 8)
    ]
    assert len(log_bar(7, 100, 13)) == 13


def test_the_command_tells_programs_what_is_judged_and_what_is_needed(
    knoll: Knoll, platform: Platform, records: Records, model_file: Path
) -> None:
    knoll("apply", "-f", model_file)
    serve(platform)
    records.status(**status(judgement=judgement_to_fields(judged(40, slow=0))))
    told = json.loads(knoll("rollout", "digits", "-o", "json").stdout)
    assert [(one["role"], one["percent"]) for one in told["versions"]] == [
        ("champion", 75),
        ("candidate", 25),
        ("previous", 0),
    ]
    arms = {one["arm"]: one for one in told["verdict"]["arms"]}
    assert (told["verdict"]["outcome"], arms["errors"]["outcome"]) == ("pass", "pass")
    assert arms["errors"]["support"] >= arms["errors"]["passAt"] == 100
    assert (told["estimate"]["stepRequests"], told["estimate"]["requests"]) == (12, 62)
    lines = knoll("rollout", "digits").stdout.splitlines()
    assert lines[0].startswith("digits  Canary, step 2 of 3: 25 % for ")
    assert "candidate v000004 25 % ready" in lines


def test_watching_the_tree_ends_with_the_verdict_of_the_rollout(
    knoll: Knoll, records: Records, model_file: Path
) -> None:
    knoll("apply", "-f", model_file)
    records.step(1, "Start", 20, version="v000002")
    records.status(champion="v000001", candidate="v000002", phase="Canary", rollout={"percent": 20})
    assert knoll("rollout", "digits", "-w", "--timeout", "0").exit_code == 3
    records.step(2, "Rollback", 0, version="v000002", reason="errors: E 512, the bound is 400")
    records.status(champion="v000001", phase="Idle", quarantine={"v000002": "errors"})
    ended = knoll("rollout", "digits", "-w", "--timeout", "20")
    assert ended.exit_code == 1
    assert "v000002 Rollback 0 % — errors: E 512, the bound is 400" in ended.stdout
