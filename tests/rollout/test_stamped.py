"""With keys, rollout believes no step and no report that it has not stamped, however well it fits."""

from dataclasses import replace
from pathlib import Path

import pytest

from knoll.events import ROLLOUT_PROMOTED, TRAINING_SUCCEEDED
from knoll.records.evidence import Report, report_uri
from knoll.records.rollout import RolloutStep, rollout_step_uri
from knoll.records.strays import find_strays
from rollout.test_integrity import promote_second
from rollout.test_signed import forget
from rollout.world import World, fail_canary, make_world
from support.keys import private_key, signer_of

ROOT = "s3://knoll-models"
OURS = signer_of()
LATE = "2036-01-01T00:00:00+00:00"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """The champion is v000002, v000003 was rolled back, and all are signed."""
    made = make_world(tmp_path, OURS.public.pem, private_key(7))
    made.publish("v000001", 0.95, OURS)
    made.tell(TRAINING_SUCCEEDED)
    made.observe("v000001", 20)
    made.time.move(61)
    made.tell(TRAINING_SUCCEEDED)
    promote_second(made, OURS)
    made.publish("v000003", 0.97, OURS)
    made.tell(TRAINING_SUCCEEDED)
    fail_canary(made)
    assert (made.status()["champion"], made.status()["phase"]) == ("v000002", "Idle")
    assert list(made.status()["quarantine"]) == ["v000003"]
    return made


def forge(world: World, version: str, action: str, number: int = 900) -> str:
    """A step that says all that rollout would say, later than all others; its key."""
    step = RolloutStep("digits", version, version, number, action, LATE, 100, "forged")
    uri = rollout_step_uri(ROOT, "digits", version, number)
    pin = world.status().get("manifestSha256", {}).get(version, "")
    world.platform.store.put(uri, replace(step, manifest_sha256=pin, signed_by=OURS.public.id).encode())
    return uri.removeprefix(f"{ROOT}/")


@pytest.mark.parametrize(
    ("version", "action"),
    [
        ("v000001", "Promote"),
        ("v000003", "Promote"),
        ("v000003", "Start"),
        ("v000002", "Fallback"),
        ("v000002", "Rollback"),
        ("v000002", "Reject"),
    ],
)
def test_a_model_that_comes_back_believes_no_step_that_rollout_has_not_stamped(
    world: World, version: str, action: str
) -> None:
    """Whether it is forged while the Model is there, or after it was deleted."""
    before = world.status()
    key = forge(world, version, action)
    for _ in range(2):
        forget(world)
        after = world.status()
        assert (after["champion"], after["quarantine"]) == (before["champion"], before["quarantine"])
        forge(world, version, action, 901)
    named = {one.key: one.why for one in find_strays(world.platform.bucket)}
    assert named[key] == "no function of this platform has stamped it"


def test_a_step_that_claims_to_be_of_a_newer_knoll_stops_no_model_that_comes_back(world: World) -> None:
    before = world.status()
    for name in ("00000099", "v000001/000900", "v000009/000001"):
        world.platform.store.put(f"{ROOT}/rollouts/digits/{name}.json", b'{"schema": 99, "x": 1}')
    forget(world)
    after = world.status()
    assert (after["champion"], after["quarantine"]) == (before["champion"], before["quarantine"])


def test_a_forged_promotion_of_a_version_to_come_does_not_keep_it_from_its_trial(world: World) -> None:
    """Rollout takes what was promoted, and is newer than the champion, for a version that gave way."""
    forge(world, "v000004", "Promote")
    world.publish("v000004", 0.97, OURS)
    world.tell(TRAINING_SUCCEEDED)
    assert world.status()["candidate"] == "v000004"


def test_steps_that_are_forged_in_advance_keep_no_true_step_out(world: World) -> None:
    world.publish("v000004", 0.97, OURS)
    world.tell(TRAINING_SUCCEEDED)
    number = world.status()["rollout"]["transition"]["number"]
    for ahead in range(1, 6):
        forge(world, "v000004", "Rollback", number + ahead)
    for requests in (20, 40):
        world.observe("v000004", requests)
    world.time.move(61)
    world.tell(TRAINING_SUCCEEDED)
    assert world.status()["champion"] == "v000004"
    told = [one.data["version"] for one in world.sink.taken if one.type == ROLLOUT_PROMOTED]
    assert told == ["v000001", "v000002", "v000004"]
    forget(world)
    assert world.status()["champion"] == "v000004"


@pytest.mark.parametrize("errors", [0, 1000])
def test_forged_reports_neither_promote_a_candidate_nor_roll_it_back(world: World, errors: int) -> None:
    world.publish("v000004", 0.97, OURS)
    world.tell(TRAINING_SUCCEEDED)
    before = world.status()
    for instance in ("pod-v000004", "another"):
        report = Report("digits", "v000004", instance, 1000, errors)
        world.platform.store.put(report_uri(ROOT, report), report.encode())
    world.tell(TRAINING_SUCCEEDED)
    after = world.status()
    assert (after["candidate"], after["phase"]) == ("v000004", before["phase"])
    assert after["rollout"]["evidence"]["requests"] == 0
    world.observe("v000004", 20)
    assert world.status()["rollout"]["percent"] == 50


def test_signed_versions_without_stamped_steps_come_back_by_a_trial(world: World) -> None:
    """Where versions are signed and no key stamps records, nothing says truly what has served."""
    settings = world.platform.settings.model_copy(update={"stamp_key": "", "stamp_verify_key": ""})
    world.platform = replace(world.platform, settings=settings)
    forge(world, "v000001", "Promote")
    forget(world)
    world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["champion"], world.status()["candidate"]) == ("", "v000003")
