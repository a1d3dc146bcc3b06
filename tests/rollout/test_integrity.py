"""A version that is not what was pinned is not served, and the one before it takes its place."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from knoll.events import ROLLOUT_STARTED, TICK, TRAINING_SUCCEEDED, new_event
from knoll.keys import Signer
from knoll.records.claim import Claim, claim_uri
from knoll.records.manifest import manifest_uri, version_uri
from knoll.records.outcome import Outcome, outcome_uri
from knoll.records.rollout import RolloutStep, rollout_step_uri
from knoll.records.run import run_uri
from knoll.rollout import handler
from knoll.views.models import find_model
from knoll.views.verdicts import read_verdict
from rollout.world import MODEL, World, make_world, promote_canary, promote_first, with_policy

ROOT = "s3://knoll-models"


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = make_world(tmp_path)
    promote_first(made)
    return made


def promote_second(world: World, signer: Signer | None = None) -> None:
    world.publish("v000002", 0.96, signer)
    world.tell(TRAINING_SUCCEEDED)
    promote_canary(world)


def forge(world: World, version: str) -> None:
    """Rewrite the manifest, as one who may write to the bucket."""
    uri = manifest_uri(ROOT, "digits", version)
    found = json.loads(world.platform.store.get(uri))
    world.platform.store.put(uri, json.dumps(found | {"metrics": {"accuracy": 1.0}}).encode())


def spoil(world: World, version: str, body: bytes) -> None:
    world.platform.store.put(version_uri(ROOT, "digits", version) + "samples.json", body)


def test_the_predictor_is_told_which_manifest_is_the_right_one(world: World) -> None:
    service, pin = world.service(), world.status()["manifestSha256"]["v000001"]
    assert service is not None
    given = service["spec"]["predictor"]["containers"][0]["args"]
    assert given[given.index("--manifest-sha256") + 1] == pin


@pytest.mark.parametrize("damage", ["manifest", "size", "bytes", "gone"])
def test_the_version_before_a_damaged_champion_serves_and_nothing_flaps(world: World, damage: str) -> None:
    promote_second(world)
    good = world.platform.store.get(version_uri(ROOT, "digits", "v000002") + "samples.json")
    if damage == "manifest":
        forge(world, "v000002")
    elif damage == "gone":
        world.platform.store.delete(manifest_uri(ROOT, "digits", "v000002"))
    else:
        spoil(world, "v000002", good + b" " if damage == "size" else good.replace(b"3", b"4"))
    for _ in range(4):
        world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["champion"], world.status()["phase"]) == ("v000001", "Idle")
    assert "v000002" in world.status()["quarantine"]
    assert world.served() == ("v000001", None)
    assert [one.type.rpartition(".")[2] for one in world.sink.taken].count("fellback") == 1
    assert world.records()[-1].startswith("2 Fallback")


def test_a_stray_file_in_the_folder_of_the_champion_changes_nothing(world: World) -> None:
    promote_second(world)
    world.platform.store.put(version_uri(ROOT, "digits", "v000002") + ".DS_Store", b"x")
    world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["champion"], world.status()["quarantine"]) == ("v000002", {})


def test_a_version_that_gave_way_is_tried_again_when_its_bytes_are_back(world: World) -> None:
    promote_second(world)
    uri = version_uri(ROOT, "digits", "v000002") + "samples.json"
    good = world.platform.store.get(uri)
    for other in (good + b" ", good + b"  "):
        world.platform.store.put(uri, other)
        for _ in range(3):
            world.tell(TRAINING_SUCCEEDED)
        assert (world.status()["champion"], world.status()["candidate"]) == ("v000001", "")
    world.platform.store.put(uri, good)
    for _ in range(2):
        world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["candidate"], world.status()["quarantine"]) == ("v000002", {})
    for requests in (20, 40):
        world.observe("v000002", 40 + requests)
    world.time.move(61)
    world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["champion"], world.status()["previous"]) == ("v000002", "v000001")
    before = dict(world.status())
    world.platform.cluster.delete("Model", "digits")
    world.platform.cluster.create(MODEL)
    world.tell(TRAINING_SUCCEEDED)
    assert world.status()["champion"] == "v000002"
    assert world.status()["quarantine"] == before["quarantine"] == {}


@pytest.mark.parametrize("body", [b"spoilt", None])
def test_a_candidate_whose_samples_are_spoilt_goes_and_comes_back_when_they_are_whole(
    world: World, body: bytes | None
) -> None:
    store, uri = world.platform.store, version_uri(ROOT, "digits", "v000002") + "samples.json"
    model = world.platform.cluster.get("Model", "digits")
    world.platform.cluster.update(with_policy(model, idle="replay"))
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    good = store.get(uri)
    store.put(uri, body) if body else store.delete(uri)
    for _ in range(4):
        world.time.move(5)
        world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["champion"], world.status()["candidate"]) == ("v000001", "")
    assert "its samples cannot be read" in world.status()["quarantine"]["v000002"]
    store.put(uri, good)
    world.tell(TRAINING_SUCCEEDED)
    assert world.status()["candidate"] == "v000002"


@pytest.mark.parametrize("is_spoilt", [True, False])
def test_a_champion_that_its_predictor_refuses_gives_way(world: World, is_spoilt: bool) -> None:
    """The look reads every byte then. If they are as pinned, the version is tried again at once."""
    promote_second(world)
    service = world.service()
    assert service is not None
    revision = service["status"]["components"]["predictor"]["latestCreatedRevision"]
    labels = {
        "app.kubernetes.io/managed-by": "knoll",
        "app.kubernetes.io/component": "predictor",
        "knoll.dev/version": "v000002",
        "serving.knative.dev/revision": revision,
    }
    end = {"terminated": {"exitCode": 65, "message": "model.onnx differs"}}
    server = {"name": "kserve-container", "ready": False, "lastState": end}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod", "labels": labels}, "spec": {}}
    cluster = world.platform.cluster
    cluster.update({**cluster.create(pod), "status": {"containerStatuses": [server]}}, status=True)
    if is_spoilt:
        spoil(world, "v000002", b"other bytes")
    handler.sweep(new_event(TICK, source="/test", time=world.time.now()), world.platform)
    assert (world.status()["champion"], world.status()["phase"]) == ("v000001", "RollingBack")
    assert world.records()[-1].startswith("2 Fallback")
    world.kserve()
    for _ in range(3):
        world.tell(TRAINING_SUCCEEDED)
    tried = ("", True) if is_spoilt else ("v000002", False)
    assert (world.status()["candidate"], "v000002" in world.status()["quarantine"]) == tried


def test_a_champion_alone_holds_and_says_so_until_it_is_put_back(world: World) -> None:
    """The same holds if the version before it is damaged, too: that one never returns by itself."""
    promote_second(world)
    uri = manifest_uri(ROOT, "digits", "v000002")
    good = world.platform.store.get(uri)
    forge(world, "v000001")
    forge(world, "v000002")
    for _ in range(4):
        world.tell(TRAINING_SUCCEEDED)
    assert world.status()["champion"] == "v000002"
    assert "is pinned; v000001 cannot take its place" in world.status()["damage"]
    assert [one.type.rpartition(".")[2] for one in world.sink.taken].count("damaged") == 1
    world.platform.store.put(uri, good)
    world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["damage"], world.status()["champion"]) == ("", "v000002")


def test_a_champion_that_is_mended_is_called_damaged_no_more(world: World) -> None:
    """Neither in the Model nor in its run, and the records say when: once, however often it is looked at."""
    uri = manifest_uri(ROOT, "digits", "v000001")
    good = world.platform.store.get(uri)
    forge(world, "v000001")
    world.tell(TRAINING_SUCCEEDED)
    assert find_model(world.platform, "digits").verdict.name == "Damaged"
    assert read_verdict(world.platform, "digits", "v000001").name == "Damaged"
    world.platform.store.put(uri, good)
    for _ in range(3):
        world.tell(TRAINING_SUCCEEDED)
    told = [find_model(world.platform, "digits").verdict, read_verdict(world.platform, "digits", "v000001")]
    assert [one.name for one in told] == ["Promoted"] * 2
    assert not any(one.is_bad for one in told)
    assert [one.split()[1] for one in world.records()[-2:]] == ["Damage", "Mend"]


STEP = RolloutStep("digits", "v000900", "v000900", 1, "Promote", "2036-01-01T00:00:00+00:00", 100, "forged")


@pytest.mark.parametrize(
    ("steps", "others"),
    [
        ([STEP], {}),
        ([STEP], {claim_uri(ROOT, "digits", "v000900"): Claim("v000001").encode()}),
        ([replace(STEP, action="Fallback")], {}),
        ([replace(STEP, action="Reject", rollout="v000002", version="v000002")], {}),
        ([replace(STEP, rollout="v000001", version="v000001", number=9, manifest_sha256="0" * 64)], {}),
        (
            [replace(STEP, rollout="v000001", version="v000001", action="Start", manifest_sha256="0" * 64)],
            {},
        ),
        ([replace(STEP, rollout="v000001", version="v000001", number=9, at="2036-01-01T00:00:00")], {}),
        (
            [replace(STEP, rollout="v000002", version="v000002")],
            {claim_uri(ROOT, "digits", "v000002"): Claim("v000001").encode()},
        ),
        (
            [replace(STEP, rollout="v000002", version="v000002")],
            {
                claim_uri(ROOT, "digits", "v000002"): Claim("r").encode(),
                outcome_uri(ROOT, "r"): Outcome("succeeded", "now", "v000002", run="v000001").encode(),
            },
        ),
    ],
)
def test_a_model_that_comes_back_believes_no_step_that_never_happened(
    world: World, steps: Sequence[RolloutStep], others: Mapping[str, bytes]
) -> None:
    """Claims, runs and outcomes tell which version can have been promoted."""
    store, cluster = world.platform.store, world.platform.cluster
    pin = world.status()["manifestSha256"]["v000001"]
    store.put(
        outcome_uri(ROOT, "v000001"), Outcome("succeeded", "now", "v000001", manifest_sha256=pin).encode()
    )
    for step in steps:
        store.put(rollout_step_uri(ROOT, "digits", step.rollout, step.number), step.encode())
    for uri, body in others.items():
        store.put(uri, body)
    cluster.delete("Model", "digits")
    cluster.create(MODEL)
    world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["champion"], world.status()["manifestSha256"]) == ("v000001", {"v000001": pin})
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    assert world.status()["candidate"] == "v000002" or others


def test_a_step_that_lies_where_the_next_record_belongs_silences_no_rollout(world: World) -> None:
    store = world.platform.store
    for number in range(1, 4):
        store.put(rollout_step_uri(ROOT, "digits", "v000002", number), replace(STEP, number=number).encode())
    store.put(rollout_step_uri(ROOT, "digits", "v000002", 10**30), b"")
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    assert world.status()["candidate"] == "v000002"
    assert [one.data["number"] for one in world.sink.taken if one.type == ROLLOUT_STARTED][-1] == 4


@pytest.mark.parametrize("link", ["outcome", "run", "claim", "order"])
def test_a_version_without_a_whole_chain_behind_it_is_never_tried(world: World, link: str) -> None:
    store = world.platform.store
    version = "v000007" if link == "order" else "v000002"
    world.publish(version, 0.99)
    uris = {
        "outcome": outcome_uri(ROOT, version),
        "run": run_uri(ROOT, version),
        "claim": claim_uri(ROOT, "digits", version),
        "order": claim_uri(ROOT, "digits", "v000006"),
    }
    if link == "outcome":
        forged = Outcome("succeeded", "now", version, manifest_sha256="0" * 64)
        store.put(uris[link], forged.encode())
    else:
        store.delete(uris[link])
    world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["champion"], world.status()["candidate"]) == ("v000001", "")
    is_barred = version in world.status().get("quarantine", {})
    assert is_barred == (link != "claim"), "what nobody has claimed is a stray, and not even refused"
