"""A run whose outcome does not count, and with which nothing goes on, says so."""

from dataclasses import replace

import pytest

from cli.declared import Records
from knoll.adapters.memory.platform import memory_platform
from knoll.cli.render.runs import runs_lines
from knoll.ports import Platform
from knoll.records.outcome import Outcome, outcome_uri
from knoll.records.run import read_run, run_uri
from knoll.records.stamp import UNSIGNED, stamped
from knoll.settings import Settings
from knoll.views.run import run_document
from knoll.views.runs import RunsView, look_at_runs
from support.keys import private_key, signer_of
from support.models import model_document

AT = "2026-01-01T00:01:00+00:00"
PROMISED = Outcome("succeeded", AT, "v000001")


@pytest.fixture
def platform() -> Platform:
    """A platform with keys, and the Model digits."""
    stamps, versions = signer_of().public.pem, signer_of(9).public.pem
    settings = Settings(stamp_key=private_key(), stamp_verify_key=stamps, verify_key=versions)
    platform = memory_platform(settings=settings)
    platform.cluster.create(model_document("digits"))
    return platform


def opened(platform: Platform) -> str:
    """A run that functions have opened and stamped, and that has left the inbox."""
    records = Records(platform)
    run = records.run()
    body = stamped(read_run(run, platform.bucket), platform.bucket).encode()
    platform.store.put(run_uri(platform.bucket.root, run), body)
    return run


def put_outcome(platform: Platform, run: str, body: bytes) -> None:
    platform.store.put(outcome_uri(platform.bucket.root, run), body)


def of_another_run(platform: Platform, run: str) -> bytes:
    """A genuine outcome, in the place of another run."""
    return stamped(replace(PROMISED, run=f"{run[:-4]}ffff"), platform.bucket).encode()


@pytest.mark.parametrize("is_copied", [False, True])
def test_a_run_whose_outcome_does_not_count_says_so(platform: Platform, is_copied: bool) -> None:
    run = opened(platform)
    body = of_another_run(platform, run) if is_copied else replace(PROMISED, run=run).encode()
    put_outcome(platform, run, body)
    view = look_at_runs(platform, "", 20, RunsView())
    told = f"its outcome does not count: {UNSIGNED}; knoll doctor names it"
    assert runs_lines(view)[0].startswith(f"{run} Unknown ({told})")
    document = run_document(view.runs[0])
    assert (document["state"], document["reason"]) == ("Unknown", told)
    assert (document["outcomeFault"], document["version"], document["wait"]) == (UNSIGNED, "", None)


def test_a_run_without_an_outcome_that_nothing_waits_for_says_so(platform: Platform) -> None:
    opened(platform)
    document = run_document(look_at_runs(platform, "", 20, RunsView()).runs[0])
    why = "it has no outcome, and is not in the inbox, so it gets no Job"
    assert [document[name] for name in ("state", "reason", "outcomeFault")] == ["Unknown", why, ""]


def test_a_run_of_the_inbox_is_queued_whatever_lies_in_the_place_of_its_outcome(platform: Platform) -> None:
    """It is trained, and its outcome is written over that."""
    run = opened(platform)
    Records(platform).entry(run)
    put_outcome(platform, run, replace(PROMISED, run=run).encode())
    assert look_at_runs(platform, "", 20, RunsView()).runs[0].state == "Queued"


def test_a_complete_job_does_not_hide_that_the_outcome_does_not_count(platform: Platform) -> None:
    run = opened(platform)
    put_outcome(platform, run, replace(PROMISED, run=run).encode())
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": run}, "spec": {}}
    complete = {"conditions": [{"type": "Complete", "status": "True"}]}
    platform.cluster.update({**platform.cluster.create(job), "status": complete}, status=True)
    assert look_at_runs(platform, "", 20, RunsView()).runs[0].state == "Unknown"


def test_a_run_that_somebody_opens_again_is_read_again(platform: Platform) -> None:
    run = opened(platform)
    before = look_at_runs(platform, "", 20, RunsView())
    Records(platform).entry(run)
    assert look_at_runs(platform, "", 20, before).runs[0].state == "Queued"
