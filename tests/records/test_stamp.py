"""A stamp counts for one record, and only if one of our keys has made it."""

import json
from dataclasses import field, fields, make_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import with_config

from knoll.adapters.memory.store import MemoryStore
from knoll.errors import NewerSchema, Rejected, Unavailable
from knoll.ports import Bucket
from knoll.records.checkpoint import load_checkpoint
from knoll.records.claim import Claim, claim_uri, find_claim, load_claim, write_claim
from knoll.records.evidence import Report, find_reports, load_report, report_uri, write_report
from knoll.records.golden import load_golden
from knoll.records.labels import load_labels
from knoll.records.late_cause import load_late_cause
from knoll.records.outcome import Outcome, find_outcome, load_outcome, outcome_uri, write_outcome
from knoll.records.record import LENIENT
from knoll.records.recorded import load_recorded
from knoll.records.rollout import (
    RolloutStep,
    find_last_step,
    list_steps,
    load_step,
    rollout_step_uri,
    write_step,
)
from knoll.records.run import load_run, write_run
from knoll.records.stamp import UNSIGNED, UNSTAMPED, is_stamped, stamped, stamped_reader
from knoll.records.strays import find_strays
from knoll.rollout.memory import slot_from_records
from knoll.rollout.slot import Slot
from support.keys import private_key, signer_of

ROOT = "s3://knoll-models"
GOLDEN = Path(__file__).parent / "golden" / "knoll-0.3" / "bucket"
REPORT = Report("digits", "v000002", "pod-0", 5, 1)
RUN = load_run((GOLDEN / "runs" / "flowers-0123456789abcdef0123.json").read_bytes())


def bucket(number: int = 0, keys: str = "") -> Bucket:
    """An empty bucket of a function whose key has that number. Trainers of its platform sign with it, too."""
    public = keys or signer_of(number).public.pem
    return Bucket(MemoryStore(), ROOT, private_key(number), public, verify_key=public)


GOLDEN_STEP = load_step((GOLDEN / "rollouts" / "digits" / "v000002" / "000001.json").read_bytes())
STEP = stamped(replace(GOLDEN_STEP, stamp=""), bucket())  # with all fields that it has today


@pytest.mark.parametrize(
    ("key", "load"),
    [
        ("rollouts/digits/v000002/000001.json", load_step),
        ("evidence/digits/v000002/pod-0.0000000000000006.json", load_report),
        ("runs/flowers-0123456789abcdef0123.json", load_run),
        ("labels/digits/v000002/pod-0.0000000000000017.json", load_labels),
        ("recorded/digits/v000001/01767225600.0123456789abcdef.json", load_recorded),
        ("checkpoints/flowers-0123456789abcdef0123/000000420/checkpoint.json", load_checkpoint),
        ("outcomes/flowers-0123456789abcdef0123.json", load_outcome),
        ("claims/digits/v000001", load_claim),
        ("causes/digits-2a52718dd56db67d0e2f.json", load_late_cause),
        ("golden/digits/95cd3daa3c69f6434031091e9ecc634a932139b7718f2e60434ac80547cbae1d.json", load_golden),
    ],
)
def test_a_stamp_of_an_older_release_counts_and_the_same_record_gets_it_again(key: str, load: Any) -> None:
    body = (GOLDEN / key).read_bytes()
    assert is_stamped(load(body), bucket())
    unstamped = json.dumps({name: one for name, one in json.loads(body).items() if name != "stamp"})
    assert stamped(load(unstamped.encode()), bucket()).encode() == body


def grown(kind: type[Any]) -> type[Any]:
    """The class of a newer knoll, whose records have one more field."""
    added = [("added", str, field(default="as ever"))]
    return with_config(LENIENT)(
        make_dataclass(kind.__name__, added, bases=(kind,), frozen=True, kw_only=True)
    )


def unstamped(record: Any) -> dict[str, Any]:
    """The fields of a record by their names in code, without its stamp."""
    return {one.name: getattr(record, one.name) for one in fields(record) if one.name != "stamp"}


each_kind = pytest.mark.parametrize(
    ("record", "load"),
    [(STEP, load_step), (REPORT, load_report), (RUN, load_run)],
    ids=lambda one: type(one).__name__,
)


@each_kind
@pytest.mark.parametrize("added", ["as ever", "since 7.3"])
def test_a_stamp_of_a_newer_release_counts_although_its_record_has_grown(
    record: Any, load: Any, added: str
) -> None:
    body = stamped(grown(type(record))(**unstamped(record), added=added), bucket()).encode()
    assert is_stamped(load(body), bucket())
    for forged in ({"added": "by a stranger"}, {"another": 1}, {"model": "others"}):
        assert not is_stamped(load(json.dumps({**json.loads(body), **forged}).encode()), bucket())
    less = {name: one for name, one in json.loads(body).items() if name != "added"}
    assert not is_stamped(load(json.dumps(less).encode()), bucket())
    assert not is_stamped(replace(load(body), model="others"), bucket())


@each_kind
def test_a_newer_release_believes_the_stamp_of_a_record_that_has_not_grown(record: Any, load: Any) -> None:
    newer = stamped_reader(grown(type(record)), "record")
    body = stamped(replace(record, stamp=""), bucket()).encode()
    assert is_stamped(newer(body), bucket())
    assert not is_stamped(newer(body.replace(b"{", b'{"added": "forged",', 1)), bucket())


@each_kind
def test_a_name_that_a_record_has_twice_forges_no_stamp(record: Any, load: Any) -> None:
    """Parsers differ in which of the two they take."""
    body = stamped(replace(record, stamp=""), bucket()).encode()
    twins = body.replace(b"{", b'{"model": "others",', 1), body[:-1] + b', "model": "others"}'
    read = [load(one) for one in twins]
    assert [is_stamped(one, bucket()) for one in read] == [one.model == record.model for one in read]


@pytest.mark.parametrize(("record", "write"), [(STEP, write_step), (REPORT, write_report)])
def test_what_a_newer_release_has_stamped_is_not_written_over(record: Any, write: Any) -> None:
    ours = bucket()
    assert write(grown(type(record))(**unstamped(record), added="since 7.3"), ours)
    (there,) = ours.store.list(f"{ROOT}/")
    before = ours.store.get(there.uri)
    assert not write(replace(record, stamp=""), ours)
    assert ours.store.get(there.uri) == before


@pytest.mark.parametrize("name", [one.name for one in fields(RolloutStep) if one.name != "stamp"])
def test_a_record_that_was_changed_has_no_stamp(name: str) -> None:
    other = {"str": "forged", "int": 7}.get(str(RolloutStep.__annotations__.get(name, "str")), {"a": 1})
    changed: Any = 7 if name == "schema" else other
    assert not is_stamped(replace(STEP, **{name: changed}), bucket())


@pytest.mark.parametrize("stamp", ["", "no base64!", "QUJD", STEP.stamp[:-4], STEP.stamp.swapcase()])
def test_what_is_no_stamp_of_ours_does_not_count(stamp: str) -> None:
    assert not is_stamped(replace(STEP, stamp=stamp), bucket())


def test_only_keys_that_are_accepted_count_and_without_keys_every_record_does() -> None:
    both = signer_of(1).public.pem + signer_of(0).public.pem
    assert is_stamped(STEP, bucket(1, both))
    assert not is_stamped(STEP, bucket(1))
    assert is_stamped(replace(STEP, stamp=""), Bucket(MemoryStore(), ROOT))
    assert stamped(replace(STEP, stamp=""), Bucket(MemoryStore(), ROOT)).stamp == ""


def test_a_function_without_a_key_writes_nothing_that_others_would_not_believe() -> None:
    without = Bucket(MemoryStore(), ROOT, "", signer_of(0).public.pem)
    with pytest.raises(Unavailable, match="KNOLL_STAMP_KEY"):
        write_step(STEP, without)
    assert not list(without.store.list(f"{ROOT}/"))


def test_a_stray_in_the_place_of_a_step_is_written_over_and_a_step_never_is() -> None:
    ours = bucket()
    uri = rollout_step_uri(ROOT, "digits", "v000002", 1)
    bare = replace(STEP, stamp="")
    for stray in (b"rubbish", replace(bare, reason="forged").encode()):
        ours.store.put(uri, stray)
        assert write_step(bare, ours)
        assert load_step(ours.store.get(uri)) == STEP
    assert not write_step(bare, ours)
    assert not write_step(replace(bare, reason="another"), ours)
    assert load_step(ours.store.get(uri)) == STEP


def test_a_step_from_before_the_keys_is_stamped_and_not_told_again() -> None:
    ours, bare = bucket(), replace(STEP, stamp="")
    ours.store.put(rollout_step_uri(ROOT, "digits", "v000002", 1), bare.encode())
    assert not write_step(bare, ours)
    assert load_step(ours.store.get(rollout_step_uri(ROOT, "digits", "v000002", 1))) == STEP


def test_what_claims_to_be_of_a_newer_knoll_without_its_stamp_is_a_stray() -> None:
    """It neither stops a rollout nor keeps a true record out."""
    ours = bucket()
    place = rollout_step_uri(ROOT, "digits", "v000002", 1)
    for one, uri in ((STEP, place), (REPORT, report_uri(ROOT, REPORT))):
        for stamp in ("", stamped(one, bucket(1)).stamp, 7, "no base64!"):
            ours.store.put(uri, json.dumps({"schema": 99, "stamp": stamp}).encode())
            assert list(list_steps("digits", ours)) == []
            assert find_last_step("digits", "v000002", ours) is None
            assert find_reports("digits", "v000002", ours) == {}
            ((named, why),) = ((found.key, found.why) for found in find_strays(ours))
            assert (f"{ROOT}/{named}", why) == (uri, UNSTAMPED)
        ours.store.delete(uri)
    ours.store.put(place, b'{"schema": 99}')
    assert write_step(replace(STEP, stamp=""), ours)
    assert list(list_steps("digits", ours)) == [STEP]


@pytest.mark.parametrize(
    "name", ["00000099.json", "v000003/000001.json", "v000002/1.json", "v000002/000001.js"]
)
def test_without_keys_a_step_of_a_newer_knoll_has_the_name_of_one_and_a_claimed_version(name: str) -> None:
    bare = Bucket(MemoryStore(), ROOT)
    for version in ("v000001", "v000002"):
        write_claim("digits", version, Claim(RUN.id.replace("flowers", "digits")), bare)
    bare.store.put(f"{ROOT}/rollouts/digits/{name}", b'{"schema": 99}')
    assert list(list_steps("digits", bare)) == []
    assert slot_from_records("digits", bare) == Slot()
    (stray,) = find_strays(bare)
    assert (stray.key, stray.fix) == (f"rollouts/digits/{name}", "")
    bare.store.put(rollout_step_uri(ROOT, "digits", "v000002", 1), b'{"schema": 99}')
    with pytest.raises(NewerSchema, match="schema 99"):
        slot_from_records("digits", bare)


def test_a_step_that_a_newer_knoll_has_stamped_is_left_to_it() -> None:
    ours, uri = bucket(), rollout_step_uri(ROOT, "digits", "v000002", 1)
    newer = stamped(replace(STEP, stamp="", schema=2, needs="7.3"), ours).encode()
    ours.store.put(uri, newer)
    with pytest.raises(NewerSchema, match="schema 2"):
        list(list_steps("digits", ours))
    assert not write_step(replace(STEP, stamp=""), ours)
    assert ours.store.get(uri) == newer
    (found,) = find_strays(ours)
    assert found.fix == "use knoll 7.3 or a newer one"


def test_forged_reports_are_not_counted_and_hide_no_report() -> None:
    ours = bucket()
    forged = [replace(REPORT, requests=9, errors=9), replace(REPORT, replica="other", requests=3)]
    for one in (*forged, replace(REPORT, errors=0)):
        ours.store.put(report_uri(ROOT, one), one.encode())
    assert find_reports("digits", "v000002", ours) == {}
    assert write_report(REPORT, ours)
    assert find_reports("digits", "v000002", ours) == {"pod-0": stamped(REPORT, ours)}
    assert not write_report(replace(REPORT, requests=4), ours)
    for one in forged:
        ours.store.put(report_uri(ROOT, one), one.encode())
    assert find_reports("digits", "v000002", ours)["pod-0"].requests == 5


@pytest.mark.parametrize("requests", [5, 9])
def test_a_report_that_only_a_newer_knoll_understands_is_left_to_it(requests: int) -> None:
    ours, there = bucket(), replace(REPORT, requests=requests)
    uri = report_uri(ROOT, there)
    newer = stamped(replace(there, schema=2, needs="7.3"), ours).encode()
    ours.store.put(uri, newer)
    assert not write_report(REPORT, ours)
    assert [one.uri for one in ours.store.list(f"{ROOT}/")] == [uri]
    assert ours.store.get(uri) == newer


ENDED = Outcome("failed", "2026-01-01T00:00:00+00:00", run=RUN.id)


def trainer() -> Bucket:
    """The bucket of a trainer, which has the key of versions alone."""
    public = [signer_of(number).public.pem for number in (0, 1)]
    return Bucket(MemoryStore(), ROOT, "", public[0], private_key(1), public[1])


def test_a_trainer_signs_its_claims_and_outcomes_with_the_key_of_versions() -> None:
    ours = trainer()
    assert write_claim("digits", "v000001", Claim(RUN.id), ours)
    assert write_outcome(RUN.id, ENDED, ours)
    found = find_claim("digits", "v000001", ours), find_outcome(RUN.id, ours)
    assert all(one and one.stamp and is_stamped(one, ours) for one in found)
    function = replace(ours, stamp_key=private_key(), sign_key="")
    assert is_stamped(stamped(ENDED, function), ours)


def test_outcomes_and_claims_from_before_the_keys_count() -> None:
    """Older releases signed neither runs nor their ends."""
    ours, bare = trainer(), replace(trainer(), sign_key="", stamp_verify_key="", verify_key="")
    bare = replace(bare, store=ours.store)
    write_claim("digits", "v000001", Claim(RUN.id), bare)
    write_run(replace(RUN, stamp=""), bare)
    write_outcome(RUN.id, ENDED, bare)
    assert find_claim("digits", "v000001", ours) == Claim(RUN.id)
    assert find_outcome(RUN.id, ours) == ENDED


@pytest.mark.parametrize("stamp", ["", stamped(ENDED, bucket(2)).stamp, 7])
def test_outcomes_and_claims_of_a_newer_schema_count_only_if_they_are_signed(stamp: Any) -> None:
    ours = trainer()
    write_run(RUN, ours)
    places = outcome_uri(ROOT, RUN.id), claim_uri(ROOT, "digits", "v000001")
    for uri in places:
        ours.store.put(uri, json.dumps({"schema": 99, "stamp": stamp}).encode())
    assert find_outcome(RUN.id, ours) is None
    with pytest.raises(Rejected, match=UNSIGNED):
        find_claim("digits", "v000001", ours)
    found = {f"{ROOT}/{one.key}": one.why for one in find_strays(ours)}
    assert {uri: found[uri] for uri in places} == dict.fromkeys(places, UNSIGNED)
    newer = stamped(replace(ENDED, schema=2), ours), stamped(Claim(RUN.id, schema=2), ours)
    for uri, one in zip(places, newer, strict=True):
        ours.store.put(uri, one.encode())
    with pytest.raises(NewerSchema, match=RUN.id):
        find_outcome(RUN.id, ours)
    with pytest.raises(NewerSchema, match="claims/digits/v000001"):
        find_claim("digits", "v000001", ours)


def test_without_keys_an_outcome_of_a_newer_schema_counts_if_its_run_was_opened() -> None:
    bare = Bucket(MemoryStore(), ROOT)
    bare.store.put(outcome_uri(ROOT, RUN.id), b'{"schema": 99}')
    spoilt = find_outcome(RUN.id, bare)
    assert spoilt is not None
    assert spoilt.superseded
    write_run(RUN, bare)
    with pytest.raises(NewerSchema):
        find_outcome(RUN.id, bare)
