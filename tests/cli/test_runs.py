import json
from pathlib import Path
from typing import Any

import pytest

from cli.declared import Knoll, Records
from knoll.cli.output import TextConsole, guarded_output
from knoll.cli.render.curve import sparkline
from knoll.cli.render.runs import live_picture
from knoll.names import run_id
from knoll.ports import Platform
from knoll.records.dataset import Dataset, DatasetObject
from knoll.records.progress import DataRead, Point, Progress, StepsTaken, write_progress
from knoll.views.runs import RunsView, look_at_runs


def job(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": {"knoll.dev/model": "digits"}},
        "spec": {},
    }


def shown(knoll: Knoll, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(knoll("runs", *words, "-o", "json").stdout)["runs"]
    return found


def test_the_state_follows_job_and_records(knoll: Knoll, platform: Platform, records: Records) -> None:
    """A run is Queued without a Job, Pending with the Job's reason, Running with progress, and then what its
    outcome says."""
    run = records.run()
    records.entry(run)
    assert shown(knoll)[0]["state"] == "Queued"
    document = platform.cluster.create(job(run))
    assert shown(knoll)[0]["state"] == "Pending"
    waiting = {
        "type": "Suspended",
        "status": "True",
        "reason": "NoCores",
        "message": "2 cores wanted, 1 free",
    }
    platform.cluster.update({**document, "status": {"conditions": [waiting]}}, status=True)
    assert "2 cores wanted" in shown(knoll)[0]["reason"]
    records.progress(run, 40, 95)
    assert (one := shown(knoll)[0])["state"] == "Running"
    assert (one["progressPercentage"], one["estimatedRemainingSeconds"], one["metrics"]) == (
        40,
        95,
        {"loss": 0.25},
    )
    assert "1m35s" in knoll("runs", "digits").stdout
    records.outcome(run, "rejected", reason="3/x.png is no picture")
    assert (one := shown(knoll)[0])["state"] == "Rejected"
    assert one["reason"] == "3/x.png is no picture"


def test_a_pod_that_cannot_start_makes_its_run_pending(
    knoll: Knoll, platform: Platform, records: Records
) -> None:
    """The reason that train notes for it is shown, though the Job counts the Pod as active."""
    run = records.run()
    document = platform.cluster.create(job(run))
    platform.cluster.update({**document, "status": {"active": 1}}, status=True)
    assert shown(knoll)[0]["state"] == "Running"
    records.progress(run, 0, 0, state="waiting", reason="ImagePullBackOff: no such image")
    assert (shown(knoll)[0]["state"], shown(knoll)[0]["reason"]) == (
        "Pending",
        "ImagePullBackOff: no such image",
    )


def test_a_run_whose_job_is_not_admitted_is_blocked_until_it_is(
    knoll: Knoll, platform: Platform, records: Records
) -> None:
    """The reason that train notes is shown, and no longer when the Job is there."""
    run = records.run()
    records.entry(run)
    records.progress(run, 0, 0, state="blocked", reason="exceeded quota: none")
    assert (shown(knoll)[0]["state"], shown(knoll)[0]["reason"]) == ("Blocked", "exceeded quota: none")
    platform.cluster.create(job(run))
    assert shown(knoll)[0]["state"] == "Pending"


def test_a_model_is_not_mistaken_for_one_whose_name_it_begins(knoll: Knoll, records: Records) -> None:
    """Runs of `digits-small` are not runs of `digits`."""
    records.run(1, "digits-small")
    run = records.run(2, "digits")
    assert [one["run"] for one in shown(knoll, "digits")] == [run]


@pytest.mark.parametrize(("state", "code"), [("succeeded", 0), ("rejected", 1), ("failed", 1)])
def test_watching_ends_with_the_outcome(
    knoll: Knoll, platform: Platform, model_file: Path, bucket: str, records: Records, state: str, code: int
) -> None:
    """-w returns at once when the run of the data that lies there is over; the exit code tells how it
    ended."""
    knoll("apply", "-f", model_file)
    run = landed_run(platform, bucket)
    records.outcome(records.run(1))
    records.run(2, id=run)
    records.outcome(run, state, reason="because")
    result = knoll("runs", "digits", "-w", "--timeout", "20")
    assert result.exit_code == code, result.output
    assert f"{run} {state.capitalize()}" in result.stdout


def test_watching_knows_the_run_of_the_data_however_old_it_is(
    knoll: Knoll, platform: Platform, model_file: Path, bucket: str, records: Records
) -> None:
    """Going back to data of long ago makes no new run: -w ends with the old one, also when newer ones fill
    the list."""
    knoll("apply", "-f", model_file)
    run = landed_run(platform, bucket)
    records.outcome(records.run(1, id=run))
    records.outcome(records.run(2), "failed", reason="because")
    result = knoll("runs", "digits", "-w", "--limit", "1", "--timeout", "5")
    assert result.exit_code == 0, result.output


def test_watching_waits_for_the_run_of_new_data(
    knoll: Knoll, platform: Platform, model_file: Path, bucket: str, records: Records
) -> None:
    """An old run that has ended does not end -w while newer data has landed and its run is still to come."""
    knoll("apply", "-f", model_file)
    records.outcome(records.run(1))
    landed_run(platform, bucket)
    result = knoll("runs", "digits", "-w", "--timeout", "1")
    assert result.exit_code == 3
    assert "its run is about to start" in result.stdout


def test_watching_tells_what_the_gate_waits_for(
    knoll: Knoll, platform: Platform, model_file: Path, bucket: str
) -> None:
    """Before there is any run, -w says which object is missing."""
    knoll("apply", "-f", model_file)
    platform.store.put(f"s3://{bucket}/digits/0/a.png", b"a")
    result = knoll("runs", "digits", "-w", "--timeout", "1")
    assert result.exit_code == 3
    assert f"the marker s3://{bucket}/digits/_SUCCESS is not" in result.stdout


def test_a_name_that_nothing_has_is_an_error_with_the_names_that_there_are(
    knoll: Knoll, model_file: Path, records: Records
) -> None:
    """`knoll runs` needs a Model or a run of that name: a deleted model's runs are still shown."""
    knoll("apply", "-f", model_file)
    for words in (["nosuch"], ["nosuch", "-w"], ["nosuch", "-o", "json"]):
        result = knoll("runs", *words)
        assert result.exit_code == 4
        assert "Fix: knoll models lists them (digits)" in result.stderr
    assert "No runs yet." in knoll("runs", "digits").stdout
    run = records.run(1, "deleted")
    assert [one["run"] for one in shown(knoll, "deleted")] == [run]


def test_logs_are_found_by_id_prefix_and_model(knoll: Knoll, platform: Platform, records: Records) -> None:
    """The logs of all attempts are printed in order, whichever way the run is named."""
    old, run = records.run(1), records.run(2)
    folder = platform.settings.home / "logs" / "jobs"
    folder.mkdir(parents=True)
    (folder / f"{run}-0.log").write_text("first attempt\n")
    (folder / f"{run}-1.log").write_text("second attempt\n")
    for name in (run, run[:14], "digits"):
        result = knoll("runs", "logs", name)
        assert result.stdout == "first attempt\nsecond attempt\n", (name, result.output, old)
    assert knoll("runs", "logs", "nothing").exit_code == 4


def landed_run(platform: Platform, bucket: str) -> str:
    """Put whole data there; the id of the run that it should lead to."""
    from knoll.models import parse_model

    uri = f"s3://{bucket}/digits/0/a.png"
    etag = platform.store.put(uri, b"a")
    platform.store.put(f"s3://{bucket}/digits/_SUCCESS", b"")
    model = parse_model(platform.cluster.get("Model", "digits"))
    return run_id("digits", Dataset("digits", "", (DatasetObject(uri, etag, 1),)).digest, model.config_digest)


def test_a_run_that_reads_says_how_much(knoll: Knoll, platform: Platform, records: Records) -> None:
    run = records.run()
    document = platform.cluster.create(job(run))
    platform.cluster.update({**document, "status": {"active": 1, "ready": 1}}, status=True)
    reading = DataRead(120, 1797, 2048, 4096)
    write_progress(run, Progress("reading", 2, None, {}, "", reading=reading), platform.bucket)
    assert "reading: 120 of 1797 objects, 2.0 KiB of 4.0 KiB" in knoll("runs").stdout
    assert shown(knoll)[0]["reading"] == {"files": 120, "ofFiles": 1797, "bytes": 2048, "ofBytes": 4096}


def test_the_losses_of_a_run_are_drawn(knoll: Knoll, platform: Platform, records: Records) -> None:
    run = records.run()
    assert knoll("runs", "curve", "digits").exit_code == 4
    points = tuple(Point(percent, {"loss": 100 / percent}) for percent in range(5, 96, 10))
    write_progress(run, Progress("published", 100, 0, {}, "", curve=points), platform.bucket)
    title, *rows, _ = knoll("runs", "curve", "digits").stdout.splitlines()
    assert title == "loss  20 at 5 %, 1.053 at 95 %"
    assert rows[0].startswith("        20 │•")
    assert rows[-1].startswith("     1.053 │ ")
    assert rows[-1].endswith("•")
    told = json.loads(knoll("runs", "curve", run, "-o", "json").stdout)
    assert told["points"][0] == {"progressPercentage": 5, "losses": {"loss": 20.0}}


def test_the_losses_of_a_run_that_trains_are_drawn_below_the_table(
    knoll: Knoll, platform: Platform, records: Records
) -> None:
    """A block for each value; a terminal without blocks gets a character of ASCII for each height."""
    run = records.run()
    document = platform.cluster.create(job(run))
    platform.cluster.update({**document, "status": {"active": 1, "ready": 1}}, status=True)
    points = tuple(Point(9 - value, {"loss": float(value)}) for value in range(8, 0, -1))
    steps = StepsTaken(40, 120, 2, 812.5, 0.25)
    write_progress(run, Progress("training", 40, 60, {}, "", curve=points, steps=steps), platform.bucket)
    assert "training: step 40 of 120, epoch 2, 812 examples/s" in knoll("runs").stdout
    told = {"step": 40, "ofSteps": 120, "epoch": 2, "examplesPerSecond": 812.5, "dataWaitShare": 0.25}
    assert shown(knoll)[0]["steps"] == told
    console = TextConsole(width=160)
    with console.capture() as drawn:
        console.print(live_picture(look_at_runs(platform, "digits", 20, RunsView()), platform.clock.now()))
    line = drawn.get().splitlines()[-1]
    assert line.rstrip() == f"{run}  loss 8 █▇▆▅▄▃▂▁ 1"
    with guarded_output():
        assert sparkline(range(8, 0, -1)).encode("ascii", "knoll.replace") == b"#%*+=-._"
    assert len(sparkline(range(1000))) == 40
