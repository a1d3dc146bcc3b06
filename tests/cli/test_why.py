"""`knoll why` tells the trail of a version from its event to its verdict, with the numbers of each step.

The file why.txt is what it prints. `GOLDEN_WRITE=1` writes it.
"""

import os
from dataclasses import replace
from io import StringIO
from pathlib import Path

from rich.console import Console

from cli.declared import Records
from knoll.adapters.memory.platform import memory_platform
from knoll.cli.render.trail import trail_tree
from knoll.rollout.comparison import Comparison
from knoll.views.trail import Trail, read_trail, trail_document
from support.models import model_document

GOLDEN = Path(__file__).parent / "why.txt"
FIRST = {"e": 3.25, "failAt": 400.0, "support": 1.9, "passAt": 100.0, "judged": 50, "margin": 0.02}
LAST = {**FIRST, "e": 512.4, "judged": 74}
LATENCY = {"e": 1.0, "failAt": 1333.3, "support": 1.0, "passAt": 0.0, "judged": 50, "margin": None}


def trail() -> Trail:
    """v000002 was compared with v000001, got a quarter of the traffic, and failed."""
    platform = memory_platform()
    gate = {"metric": "accuracy", "atLeast": 0.9}
    platform.cluster.create(model_document("digits", gate=gate))
    records, version = Records(platform), "v000002"
    run = records.run(2)
    records.outcome(run, version=version)
    records.version(run, version)
    compared = Comparison(version, "v000001", samples=64, asked=64, agreed=61).fields()
    records.step(1, "Start", 0, version, "the gate is passed", evidence={})
    records.step(2, "Shift", 5, version, "ready", comparison=compared, evidence={})
    verdicts = {"errors": FIRST, "latencyP95": LATENCY, "ofTomorrow": FIRST}
    records.step(3, "Shift", 25, version, "50 requests at 5 %", verdict=verdicts, comparison=compared)
    records.step(4, "Rollback", 0, version, "errors: E 512, the bound is 400", verdict={"errors": LAST})
    records.status(champion="v000001", quarantine={version: "errors: E 512, the bound is 400"})
    return read_trail(platform, "digits", version)


def test_a_rollback_is_explained_from_its_event_to_its_verdict() -> None:
    printed = StringIO()
    Console(file=printed, width=110).print(trail_tree(trail()))
    lines = [line.rstrip() for line in printed.getvalue().splitlines()]
    if "GOLDEN_WRITE" in os.environ:
        GOLDEN.write_text("\n".join(lines) + "\n")
    assert GOLDEN.read_text().splitlines() == lines


def test_the_upload_is_the_event_also_if_a_tick_has_opened_the_run() -> None:
    cause = {"id": "e-1", "type": "com.amazonaws.s3.ObjectCreated:Put", "subject": "digits/_SUCCESS"}
    late = replace(trail(), late_cause=cause)
    printed = StringIO()
    Console(file=printed, width=200).print(trail_tree(late))
    assert "event    com.amazonaws.s3.ObjectCreated:Put digits/_SUCCESS (id e-1)" in printed.getvalue()
    assert "a tick saw the data first" in printed.getvalue()
    assert trail_document(late)["event"] == cause


def test_the_gate_is_shown_as_it_was_when_it_decided() -> None:
    """Whatever the Model asks for by now."""
    checks = {
        "accuracy": {"value": 0.98, "champion": 0.97, "atLeast": 0.9, "maxRegression": 0.01},
        "recall of 7": {"value": 0.5, "atLeast": 0.8, "fault": "recall of 7 is 0.5"},
    }
    found = trail()
    refused = replace(found, steps=[replace(found.steps[0], action="Reject", gate=checks)])
    printed = StringIO()
    Console(file=printed, width=110).print(trail_tree(refused))
    assert "gate     Refused" in printed.getvalue()
    assert "accuracy 0.98 (champion 0.97, atLeast 0.9, maxRegression 0.01): passed" in printed.getvalue()
    assert "recall of 7 0.5 (atLeast 0.8): refused" in printed.getvalue()
    assert trail_document(refused)["checks"] == checks


def test_programs_get_the_comparison_the_numbers_of_each_step_and_the_verdict() -> None:
    told = trail_document(trail())
    assert told["comparison"]["agreement"] == 61 / 64
    assert told["rollout"][2]["verdict"]["errors"] == FIRST
    assert told["verdict"] == {
        "version": "v000002",
        "verdict": "RolledBack",
        "reason": "errors: E 512, the bound is 400",
    }
