"""What a release of knoll has written stays readable for ever, with the values that it had.

Each folder of golden/ is the work of one release: `bucket` is a model bucket, `slots` has a Model's status in
each phase of a rollout, `wishes` what each verb leaves on a Model, and `events` one event of each type. That
release has written them. Nobody edits those of released versions, whose digests are in released.sha256.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args

import pytest

from knoll import __version__
from knoll.dead_letters.letters import read_dead_letters
from knoll.events import DATASET_LANDED, event_from_json, event_to_json, types
from knoll.kube.annotations import ROLLOUT_WISH
from knoll.records.checkpoint import STATE, TENSORS
from knoll.records.outcome import list_superseded
from knoll.records.record import Record
from knoll.records.samples import load_samples
from knoll.rollout.counted import Evidence
from knoll.rollout.hooks import Hooked, hooked_fields
from knoll.rollout.slot import Slot, slot_from_status
from knoll.rollout.steering import steering_to_status
from knoll.rollout.wishes import Verb, Wish, known_wish
from knoll.wiring.stages import STAGES
from records.kinds import GOLDEN, KINDS, ROOT, STORED, golden_bucket, kind_of
from schedules.broker import subscribers
from schedules.declared import model_document
from schedules.world import World

RELEASES = sorted(folder.name for folder in GOLDEN.iterdir())
RELEASED = GOLDEN.parent / "released.sha256"  # as sha256sum writes it
UNRELEASED = "knoll-0.3"  # its files may change until that version is released
_PHASES = {
    **dict.fromkeys(("Barred", "Untried", "Held", "Refused", "NoRoom", "Asked"), "Idle"),
    **dict.fromkeys(("Paused", "Edited", "Resumed", "Hooked"), "Canary"),
    "SteppingBack": "RollingBack",
}


def _files(what: str) -> list[Path]:
    found = (path for release in RELEASES for path in sorted((GOLDEN / release / what).rglob("*")))
    return [path for path in found if path.is_file()]


def _name(path: Path) -> str:
    return path.relative_to(GOLDEN).as_posix()


def _key(path: Path) -> str:
    return path.relative_to(GOLDEN).as_posix().split("/", 2)[2]


def _records() -> list[Path]:
    """All but empty hints, and the states of trainings, which tests/trainer/test_golden_state.py reads."""
    return [
        path
        for path in _files("bucket")
        if not _key(path).startswith("superseded/") and path.name not in (STATE, TENSORS)
    ]


def _said(path: Path) -> Any:
    """What the file says, in the words of today: knoll 0.1 had other forms for four kinds."""
    text = path.read_text()
    place = _key(path).split("/")[0]
    if place == "claims" and not text.startswith("{"):
        return {"run": text}
    said = json.loads(text)
    if place == "checksums":
        return {
            f"{uri} {etag}": sha256
            for uri, etag, sha256 in (said if isinstance(said, list) else said["sha256"])
        }
    if path.name == "samples.json" and isinstance(said, list):
        return {"samples": said}
    if place == "progress" and ": " in said["state"]:
        state, _, reason = said["state"].partition(": ")
        return {**said, "state": state, "reason": reason}
    return said


def _values(read: Any) -> Any:
    """What was read, as JSON has it."""
    if is_dataclass(read) and not isinstance(read, type):
        return json.loads(json.dumps(read.fields() if isinstance(read, Record) else asdict(read)))
    return {" ".join(key): value for key, value in read.items()}


def _lost(said: Any, read: Any, place: str = "") -> Iterator[str]:
    """What the file says, and is not read so."""
    if isinstance(said, dict) and isinstance(read, dict):
        for name, value in said.items():
            yield from _lost(value, read.get(name), f"{place}.{name}")
    elif isinstance(said, list) and isinstance(read, list) and len(said) == len(read):
        for number, pair in enumerate(zip(said, read, strict=True)):
            yield from _lost(*pair, f"{place}.{number}")
    elif said != read:
        yield f"{place}: {said} is read as {read}"


@pytest.mark.parametrize("release", RELEASES)
def test_nobody_edits_what_a_released_version_wrote(release: str) -> None:
    """No file is changed, added or taken away."""
    listed = [line.split("  ", 1) for line in RELEASED.read_text().splitlines()]
    digests = {name: digest for digest, name in listed if name.startswith(f"{release}/")}
    found = [path for path in (GOLDEN / release).rglob("*") if path.is_file()]
    if release == UNRELEASED:
        assert digests == {}, "it is released: name the next folder that may change"
    else:
        assert digests == {_name(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def test_the_folder_that_may_change_is_of_the_version_being_made() -> None:
    version = __version__.rpartition(".")[0]
    assert RELEASES[-1] == UNRELEASED == f"knoll-{version}"


@pytest.mark.parametrize("path", _records(), ids=_name)
def test_a_record_is_read_with_the_values_that_it_had(path: Path) -> None:
    kind = kind_of(_key(path))
    assert kind is not None, "no reader is known: add the kind to records.kinds"
    assert list(_lost(_said(path), _values(kind.read(path.read_bytes())))) == []


@pytest.mark.parametrize("release", RELEASES)
def test_dead_letters_have_all_deaths_and_resends(release: str) -> None:
    """One letter is an event, the other one a body that died again after its resend."""
    event, body = sorted(
        read_dead_letters(golden_bucket(release)), key=lambda letter: letter.last.event is None
    )
    assert event.last.event is not None
    assert (event.last.event.type, event.last.event.data) == ("dev.knoll.dataset.landed", {"model": "digits"})
    assert (event.last.reason, event.last.code, event.last.destination) == ("why", "422", "knoll-train")
    assert (event.state, event.resends[0].by, event.resends[0].number) == ("Replayed", "ada", 1)
    assert event.resends[0].published_at
    assert event.resends[0].cures == (event.last.name,)
    assert [death.resend for death in body.deaths] == ["", f"{body.id}.1"]
    assert {(death.body, death.meant_for) for death in body.deaths} == {(b'{"Records": "none"}', "ingest")}
    assert body.state == "Dead"


@pytest.mark.parametrize("release", RELEASES)
def test_a_wish_for_a_resend_is_read(release: str) -> None:
    """It is all that is left to do for a letter whose resend was not yet published."""
    bucket = golden_bucket(release)
    for one in list(bucket.store.list(f"{ROOT}/dead-letters/")):
        if "/replay-" in one.uri:
            bucket.store.delete(one.uri)
    for letter in read_dead_letters(bucket):
        assert letter.wanted is not None
        assert (letter.state, letter.wanted.by, letter.wanted.number) == ("Wanted", "ada", 1)
        assert set(letter.wanted.cures) <= {death.name for death in letter.deaths}


@pytest.mark.parametrize(
    "path", [one for one in _files("bucket") if _key(one).startswith("superseded/")], ids=_name
)
def test_the_hint_of_a_superseded_run_is_found(path: Path) -> None:
    run = path.stem
    assert list_superseded(run.rpartition("-")[0], golden_bucket(path.relative_to(GOLDEN).parts[0])) == {run}


@pytest.mark.parametrize("path", [one for one in _files("bucket") if one.name == "samples.json"], ids=_name)
def test_samples_are_requests_with_their_answers(path: Path) -> None:
    samples = load_samples(path.read_bytes()).samples
    assert len(samples) == 9
    assert all(one.instance["b64"] and one.prediction["label"] in "012" for one in samples)


@pytest.mark.parametrize("path", _files("slots"), ids=_name)
def test_a_slot_is_read_with_the_values_that_it_had(path: Path) -> None:
    status = json.loads(path.read_text())
    rollout = status.get("rollout") or {}
    slot = slot_from_status(status)
    assert slot.phase == _PHASES.get(path.stem, path.stem)
    for name in ("champion", "previous", "candidate"):
        assert getattr(slot, name) == status.get(name, ""), name
    for name in ("step", "percent", "attempt"):
        assert getattr(slot, name) == rollout.get(name, 0), name
    assert slot.steps_back == rollout.get("stepsBack", False)
    for name in ("since", "seen"):
        assert getattr(slot, name) == rollout.get(name, ""), name
    assert slot.quarantine == status.get("quarantine", {})
    assert slot.pins == status.get("manifestSha256", {})
    assert slot.signers == status.get("signedBy", {})
    held, compared = status.get("held"), rollout.get("comparison")
    assert (asdict(slot.held) if slot.held else None) == held
    assert (asdict(slot.no_room) if slot.no_room else None) == status.get("noRoom")
    assert (slot.comparison.fields() if slot.comparison else None) == compared
    for name in ("transition", "decided"):
        made = getattr(slot, name)
        assert list(_lost(rollout.get(name), asdict(made) if made else None)) == []
    assert (hooked_fields(slot.hooked) if slot.hooked != Hooked() else None) == rollout.get("hooks")
    assert slot.proven == status.get("proven", "")
    steering = steering_to_status(slot.steering, {}).get("steering")
    assert list(_lost(status.get("steering"), steering)) == []


@pytest.mark.parametrize("path", _files("wishes"), ids=_name)
def test_a_wish_for_a_rollout_is_read_with_the_values_that_it_had(path: Path) -> None:
    document = {"metadata": {"annotations": {ROLLOUT_WISH: path.read_text()}}}
    wish = known_wish(document, Slot())
    assert wish is not None
    assert wish.verb == path.stem
    assert asdict(wish) == json.loads(path.read_text())


def test_each_verb_and_each_field_of_a_wish_has_a_golden_file() -> None:
    newest = [path for path in _files("wishes") if RELEASES[-1] in path.parts]
    assert {path.stem for path in newest} == set(get_args(Verb))
    said = [json.loads(path.read_text()) for path in newest]
    assert {name for one in said for name, value in one.items() if value} == (
        {one.name for one in fields(Wish)} - {"needs"}
    )


@pytest.mark.parametrize("path", _files("slots"), ids=_name)
def test_what_a_slot_counted_is_still_counted(path: Path) -> None:
    """An upgrade in the midst of a canary forgets no request and no failure."""
    status = json.loads(path.read_text())
    said = (status.get("rollout") or {}).get("evidence") or {}
    evidence = slot_from_status(status).evidence
    counts = evidence.counts
    assert (counts.requests, counts.errors) == (said.get("requests", 0), said.get("errors", 0))
    assert counts.in_step == said.get("inStep", 0)
    assert evidence.replayed == tuple(said.get("replays", (0, 0)))
    assert evidence.before == said.get("before", 0)
    instances = {name: list(pair) for name, pair in evidence.replicas.items()}
    assert instances == said.get("instances", {})


def test_each_type_of_event_that_knoll_sends_has_a_golden_file() -> None:
    sent = (value for value in vars(types).values() if isinstance(value, str))
    ours = {value for value in sent if value.startswith("dev.knoll.")}
    assert {path.stem for path in (GOLDEN / RELEASES[-1] / "events").iterdir()} == ours


def test_each_kind_of_record_has_a_golden_file() -> None:
    keys = [_key(path) for path in _files("bucket") if RELEASES[-1] in path.parts]
    assert {kind.name for kind in map(kind_of, keys) if kind} == {kind.name for kind in KINDS}
    assert any(key.startswith("removing/") for key in keys)


@pytest.mark.parametrize("path", _files("events"), ids=_name)
def test_an_event_is_read_and_taken_by_those_whom_it_wakes(path: Path) -> None:
    """None of them refuses it, in a world where the things are that it tells of."""
    said = json.loads(path.read_text())
    event = event_from_json(said)
    assert event_to_json(event) == said
    assert event.type == path.stem
    world = World({name: model_document(name) for name in ("beans", "digits", "leaves", "flowers")})
    before = golden_bucket(path.parts[-3])
    for one in before.store.list(f"{ROOT}/"):
        world.store.put(one.uri, before.store.get(one.uri))
    for function in subscribers(event):
        STAGES[function].handle(event, world.platform)
    if event.type == DATASET_LANDED:
        assert event.data["runId"] in {job["metadata"]["name"] for job in world.live_jobs()}


def test_each_field_of_a_record_stands_in_a_golden_file_of_the_newest_release() -> None:
    """But `needs`, which only a record of a newer schema has."""
    said: dict[type, set[str]] = {}
    for path in _files("bucket"):
        kind = kind_of(_key(path))
        if kind and RELEASES[-1] in path.parts and path.read_bytes()[:1] == b"{":
            said.setdefault(type(kind.read(path.read_bytes())), set()).update(json.loads(path.read_text()))
    for record, names in said.items():
        if is_dataclass(record):
            assert {STORED.get(one.name, one.name) for one in fields(record)} - {"needs"} <= names, record


def test_each_field_of_a_slot_has_a_value_in_a_golden_file_of_the_newest_release() -> None:
    """But the counts of each replica, which only knoll 0.1 kept there."""
    said: dict[type, set[str]] = {}
    newest = [json.loads(path.read_text()) for path in _files("slots") if RELEASES[-1] in path.parts]
    for status in newest:
        _note_fields(slot_from_status(status), said)
    said[Evidence].add("replicas")
    for kind, names in said.items():
        assert names == {one.name for one in fields(kind)}, kind
    assert any("disbelievedReports" in status for status in newest)


def _note_fields(read: Any, said: dict[type, set[str]]) -> None:
    """Add the fields that have a value to those of their class."""
    names = said.setdefault(type(read), set())
    for one in fields(read):
        value = getattr(read, one.name)
        if is_dataclass(value):
            _note_fields(value, said)
        if value and value not in ((0, 0), (0, 0, 0)):
            names.add(one.name)
