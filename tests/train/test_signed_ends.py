"""With keys, a run that functions have opened ends only by a signed outcome: the keys of the bucket alone end
none."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from knoll.adapters.memory.events import MemoryEvents
from knoll.caches import Caches
from knoll.errors import Unavailable
from knoll.events import DATASET_LANDED, TRAINING_FAILED, TRAINING_SUCCEEDED, new_event
from knoll.exits import SUCCEEDED
from knoll.ports import Platform
from knoll.records.claim import Claim, write_claim
from knoll.records.inbox import inbox, list_inbox
from knoll.records.outcome import Outcome, find_outcome, has_outcome, outcome_uri
from knoll.records.run import list_runs, read_run, run_uri
from knoll.records.stamp import UNSIGNED, stamped
from knoll.records.strays import find_strays
from knoll.retention.plan import make_plan
from knoll.train import handler as train
from knoll.trainer.ending import end_run
from knoll.views.run import read_run as view_run
from support.keys import private_key, signer_of
from train.test_handler import jobs
from train.test_unasked import ROOT, end_of, tick, upload, world

FUNCTIONS, TRAINERS = (signer_of(number).public.pem for number in (0, 1))
LATER = "2036-01-01T00:00:00+00:00"


def keyed() -> Platform:
    """A platform whose functions have one key, and whose trainers have another."""
    return world(stamp_key=private_key(), stamp_verify_key=FUNCTIONS, verify_key=TRAINERS)


def with_keys(platform: Platform, **keys: str) -> Platform:
    """The same platform, as another process sees it."""
    return replace(platform, settings=platform.settings.model_copy(update=keys))


def trainer(platform: Platform) -> Platform:
    return with_keys(platform, stamp_key="", sign_key=private_key(1))


def _success(run: str, _: Platform) -> bytes:
    return Outcome("succeeded", LATER, "v000001", manifest_sha256="0" * 64, run=run).encode()


def _failure(run: str, _: Platform) -> bytes:
    return Outcome("failed", LATER, reason="forged", run=run).encode()


def _superseded(run: str, _: Platform) -> bytes:
    return Outcome("skipped", LATER, superseded=True, run=run).encode()


def _signed_by_a_stranger(run: str, platform: Platform) -> bytes:
    ended = Outcome("failed", LATER, run=run)
    return stamped(ended, replace(platform.bucket, stamp_key=private_key(7))).encode()


def _of_another_run(_: str, platform: Platform) -> bytes:
    return stamped(Outcome("failed", LATER, run=f"digits-{'a' * 20}"), platform.bucket).encode()


def _garbage(*_: object) -> bytes:
    return b"garbage"


def _nothing(*_: object) -> bytes:
    return b""


def _newer(*_: object) -> bytes:
    return b'{"schema": 99, "needs": "9.9"}'


Forged = Callable[[str, Platform], bytes]
each_forged = pytest.mark.parametrize(
    "forged",
    [_success, _failure, _superseded, _signed_by_a_stranger, _of_another_run, _garbage, _nothing, _newer],
)


def told(platform: Platform) -> list[str]:
    """The ends of runs that were published."""
    assert isinstance(platform.events, MemoryEvents)
    ends = (TRAINING_FAILED, TRAINING_SUCCEEDED)
    return [event.type for event in platform.events.taken if event.type in ends]


def end_job(platform: Platform, run: str, end: str) -> None:
    status = {"conditions": [{"type": end, "status": "True"}]}
    platform.cluster.update({**platform.cluster.get("Job", run), "status": status}, status=True)


def runs(platform: Platform) -> set[str]:
    return {run for run, _ in list_runs("digits-", platform.bucket)}


@each_forged
def test_a_forged_outcome_ends_no_run_and_is_named(forged: Forged) -> None:
    platform = keyed()
    run = upload(platform, "0")
    platform.store.put(outcome_uri(ROOT, run), forged(run, platform))
    tick(platform)
    assert find_outcome(run, platform.bucket) is None
    assert not has_outcome(run, platform.bucket)
    assert view_run(platform, run).state == "Pending"
    assert [one.run for one in list_inbox(platform.bucket)] == jobs(platform) == [run]
    (named,) = find_strays(platform.bucket)
    assert (f"{ROOT}/{named.key}", named.fix) == (outcome_uri(ROOT, run), "")


@each_forged
@pytest.mark.parametrize("state", ["succeeded", "rejected"])
def test_the_end_that_its_trainer_tells_takes_the_place_of_a_forged_one(forged: Forged, state: str) -> None:
    platform = keyed()
    run = upload(platform, "0")
    platform.store.put(outcome_uri(ROOT, run), forged(run, platform))
    version = {"succeeded": "v000001"}.get(state, "")
    ended = Outcome(state, "now", version)  # type: ignore[arg-type]
    code = end_run(read_run(run, platform.bucket), ended, trainer(platform))
    assert (code == SUCCEEDED) == (state == "succeeded")
    end_job(platform, run, "Complete")
    tick(platform)
    assert (end_of(platform, run).state, end_of(platform, run).version) == (state, version)
    assert len(told(platform)) == 1
    assert list(platform.store.list(inbox(ROOT))) == []
    tick(platform)
    assert runs(platform) == {run}


@each_forged
def test_the_end_of_a_job_that_failed_takes_the_place_of_a_forged_one(forged: Forged) -> None:
    platform = keyed()
    run = upload(platform, "0")
    platform.store.put(outcome_uri(ROOT, run), forged(run, platform))
    end_job(platform, run, "Failed")
    tick(platform)
    end = end_of(platform, run)
    assert (end.state, end.superseded) == ("failed", False)
    assert "forged" not in end.reason
    assert end.stamp
    assert told(platform) == [TRAINING_FAILED]
    assert list(platform.store.list(inbox(ROOT))) == []
    assert UNSIGNED not in [one.why for one in find_strays(platform.bucket)]


@each_forged
def test_an_outcome_that_was_there_before_its_run_takes_no_turn(forged: Forged) -> None:
    """Whoever knows the data and the Model knows the id of their run."""
    foretold, platform = upload(world(), "0"), keyed()
    platform.store.put(outcome_uri(ROOT, foretold), forged(foretold, platform))
    assert upload(platform, "0") == foretold
    assert jobs(platform) == [foretold]
    waits = upload(platform, "0", "1")
    platform.store.put(outcome_uri(ROOT, waits), forged(waits, platform))
    end_run(read_run(foretold, platform.bucket), Outcome("failed", "now"), trainer(platform))
    end_job(platform, foretold, "Complete")
    tick(platform)
    assert set(jobs(platform)) == {foretold, waits}


@each_forged
def test_what_is_written_over_a_true_outcome_is_mended_by_another_training(forged: Forged) -> None:
    """By a process that has not seen the run yet, as when somebody deletes the outcome."""
    platform = keyed()
    run = upload(platform, "0")
    end_run(read_run(run, platform.bucket), Outcome("succeeded", "now", "v000001"), trainer(platform))
    end_job(platform, run, "Complete")
    tick(platform)
    platform.cluster.delete("Job", run)
    platform.store.put(outcome_uri(ROOT, run), forged(run, platform))
    platform = replace(platform, caches=Caches())
    tick(platform)
    assert jobs(platform) == [run]
    end_run(read_run(run, platform.bucket), Outcome("succeeded", "now", "v000001"), trainer(platform))
    assert end_of(platform, run).version == "v000001"


@pytest.mark.parametrize("forged", [_success, _failure])
def test_data_whose_record_and_outcome_were_forged_gets_another_run(forged: Forged) -> None:
    """The record has no stamp any more, as if an older release had written both."""
    platform = keyed()
    run = upload(platform, "0")
    bare = replace(read_run(run, platform.bucket), stamp="")
    platform.store.put(run_uri(ROOT, run), bare.encode())
    platform.store.put(outcome_uri(ROOT, run), forged(run, platform))
    end_job(platform, run, "Failed")
    tick(platform)
    tick(platform)
    (again,) = runs(platform) - {run}
    assert again in jobs(platform)


def test_outcomes_of_an_older_release_count_and_nothing_is_trained_again() -> None:
    """It stamped neither runs nor outcomes."""
    platform = world()
    run = upload(platform, "0")
    write_claim("digits", "v000001", Claim(run), platform.bucket)
    end_run(read_run(run, platform.bucket), Outcome("succeeded", "now", "v000001"), platform)
    end_job(platform, run, "Complete")
    tick(platform)
    upgraded = with_keys(platform, stamp_key=private_key(), stamp_verify_key=FUNCTIONS, verify_key=TRAINERS)
    tick(upgraded)
    assert end_of(upgraded, run).version == "v000001"
    assert runs(upgraded) == {run}
    assert list(find_strays(upgraded.bucket)) == []


@pytest.mark.parametrize("keys", [{"verify_key": TRAINERS}, {"stamp_verify_key": FUNCTIONS}])
def test_without_one_of_the_two_keys_unsigned_outcomes_count(keys: dict[str, str]) -> None:
    """Then somebody who ends runs has no key."""
    platform = world(stamp_key=private_key(), **keys)  # type: ignore[arg-type]
    run = upload(platform, "0")
    platform.store.put(outcome_uri(ROOT, run), _failure(run, platform))
    assert end_of(platform, run).reason == "forged"


def test_an_outcome_that_is_settled_outlives_the_key_of_its_trainer() -> None:
    platform = keyed()
    run = upload(platform, "0")
    end_run(read_run(run, platform.bucket), Outcome("succeeded", "now", "v000001"), trainer(platform))
    end_job(platform, run, "Complete")
    later = with_keys(platform, verify_key=signer_of(2).public.pem)
    assert find_outcome(run, later.bucket) is None
    tick(platform)
    assert end_of(later, run).version == "v000001"
    tick(later)
    assert runs(later) == {run}


def test_train_ends_no_run_without_a_key() -> None:
    platform = keyed()
    run = upload(platform, "0")
    end_job(platform, run, "Failed")
    keyless = with_keys(platform, stamp_key="")
    event = new_event(TRAINING_FAILED, source="/test", time=platform.clock.now(), data={"runId": run})
    with pytest.raises(Unavailable, match="KNOLL_STAMP_KEY"):
        train.handle(event, keyless)
    tick(platform)
    assert end_of(platform, run).state == "failed"


def test_gc_keeps_the_entry_of_a_run_that_only_a_forged_outcome_ends() -> None:
    platform = keyed()
    upload(platform, "0")
    waits = upload(platform, "0", "1")
    platform.store.put(outcome_uri(ROOT, waits), _failure(waits, platform))
    clock = platform.clock
    clock.move(3 * 24 * 3600)  # type: ignore[attr-defined]
    assert [one.kind for one in make_plan(platform, [], 1).leftovers] == []


def test_an_event_starts_a_run_whose_outcome_is_forged() -> None:
    platform = keyed()
    run = upload(platform, "0")
    platform.cluster.delete("Job", run)
    platform.store.put(outcome_uri(ROOT, run), _failure(run, platform))
    event = new_event(DATASET_LANDED, source="/test", time=platform.clock.now(), data={"runId": run})
    train.handle(event, platform)
    assert jobs(platform) == [run]
