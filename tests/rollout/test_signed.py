"""With a key, only what it has signed is rolled out; what served before goes on."""

from dataclasses import replace
from pathlib import Path

import pytest

from knoll.events import TRAINING_SUCCEEDED
from knoll.records.attestation import attest
from knoll.records.manifest import entry_of, manifest_uri, version_uri
from rollout.test_integrity import promote_second
from rollout.world import World, make_world, promote_first
from support.keys import private_key, signer_of

ROOT = "s3://knoll-models"
OURS, NEXT, FOREIGN = (signer_of(number) for number in range(3))
ATTESTATION = version_uri(ROOT, "digits", "v000002") + "attestation.json"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A platform whose champion is from before it had a key."""
    made = make_world(tmp_path, stamp_key=private_key(7))
    promote_first(made)
    accept(made, OURS.public.pem)
    return made


def accept(world: World, keys: str) -> None:
    world.platform = replace(
        world.platform, settings=world.platform.settings.model_copy(update={"verify_key": keys})
    )


def key_of_server(world: World) -> str:
    service = world.service()
    assert service is not None
    (container,) = service["spec"]["predictor"]["containers"]
    return next((one["value"] for one in container.get("env", []) if one["name"] == "KNOLL_VERIFY_KEY"), "")


def test_a_champion_from_before_the_key_serves_on_under_its_pin(world: World) -> None:
    before = world.service()
    world.tell(TRAINING_SUCCEEDED)
    after = world.service()
    assert before is not None
    assert after is not None
    assert before["spec"] == after["spec"]
    assert (world.status()["champion"], key_of_server(world)) == ("v000001", "")


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("unsigned", "it is not signed"),
        ("foreign", "KNOLL_VERIFY_KEY has no such key"),
        ("moved", "its attestation is for another version"),
        ("changed", "manifest.json is not the one that was signed"),
    ],
)
def test_a_version_that_our_key_has_not_signed_is_never_tried(world: World, why: str, words: str) -> None:
    """Its claim, run, outcome and manifest are all as a trainer writes them."""
    world.publish("v000002", 0.99, FOREIGN if why == "foreign" else None)
    sha256 = entry_of(world.platform.store.get(manifest_uri(ROOT, "digits", "v000002"))).sha256
    if why == "moved":
        world.platform.store.put(ATTESTATION, attest("digits", "v000001", sha256, OURS).encode())
    if why == "changed":
        world.platform.store.put(ATTESTATION, attest("digits", "v000002", "0" * 64, OURS).encode())
    world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["champion"], world.status()["candidate"]) == ("v000001", "")
    assert words in world.status()["quarantine"]["v000002"]
    assert world.records()[-1] == "2 Reject 0"


def test_a_signed_version_is_rolled_out_and_its_predictor_gets_the_one_key(world: World) -> None:
    accept(world, NEXT.public.pem + OURS.public.pem)
    world.publish("v000002", 0.96, OURS)
    world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["candidate"], key_of_server(world)) == ("v000002", OURS.public.pem)
    assert world.status()["signedBy"] == {"v000002": OURS.public.id}


def test_the_predictor_of_a_key_that_is_dropped_serves_on_under_its_pin(world: World) -> None:
    """The new key comes and goes without a new Revision; only the loss of its own key makes one."""
    promote_second(world, OURS)
    made = world.served()
    accept(world, OURS.public.pem + NEXT.public.pem)
    world.tell(TRAINING_SUCCEEDED)
    assert (world.served(), key_of_server(world)) == (made, OURS.public.pem)
    accept(world, NEXT.public.pem)
    for _ in range(3):
        world.tell(TRAINING_SUCCEEDED)
    assert world.status()["champion"] == "v000002"
    assert world.status()["damage"] == ""


def test_a_champion_that_loses_its_signature_gives_way_to_the_version_before(world: World) -> None:
    """Its predictor would refuse it at the next cold start."""
    promote_second(world, OURS)
    world.platform.store.delete(ATTESTATION)
    for _ in range(3):
        world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["champion"], world.status()["phase"]) == ("v000001", "Idle")
    assert "it is not signed" in world.status()["quarantine"]["v000002"]


def forget(world: World) -> None:
    """Delete the Model and apply it again."""
    document = world.platform.cluster.get("Model", "digits")
    world.platform.cluster.update({**document, "status": {}}, status=True)
    world.tell(TRAINING_SUCCEEDED)


def test_a_model_that_comes_back_knows_who_had_signed_its_champion(world: World) -> None:
    promote_second(world, OURS)
    forget(world)
    assert (world.status()["champion"], key_of_server(world)) == ("v000002", OURS.public.pem)


def test_a_model_that_comes_back_believes_no_record_of_an_unsigned_champion(world: World) -> None:
    """Whoever writes to the bucket can write such records, and nothing else says that it served."""
    forget(world)
    world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["champion"], world.service()) == ("", None)
    assert "it is not signed" in world.status()["quarantine"]["v000001"]


@pytest.mark.parametrize("body", ["foreign", "of another version", "empty"])
def test_a_champion_whose_signature_is_exchanged_gives_way_and_returns_by_a_trial(
    world: World, body: str
) -> None:
    promote_second(world, OURS)
    store = world.platform.store
    whole = store.get(ATTESTATION)
    sha256 = world.status()["manifestSha256"]["v000002"]
    forged = {
        "foreign": attest("digits", "v000002", sha256, FOREIGN).encode(),
        "of another version": attest("digits", "v000001", sha256, OURS).encode(),
        "empty": b"",
    }
    store.put(ATTESTATION, forged[body])
    for _ in range(3):
        world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["champion"], world.status()["phase"]) == ("v000001", "Idle")
    assert "v000002" in world.status()["quarantine"]
    store.put(ATTESTATION, whole)
    world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["candidate"], world.status()["quarantine"]) == ("v000002", {})


@pytest.mark.parametrize("model", ["digits", "beans"])
def test_a_signed_version_that_was_copied_elsewhere_is_never_tried(world: World, model: str) -> None:
    """An older one in the place of a newer one, or one of another Model: each with its own good signature."""
    promote_second(world, OURS)
    world.publish("v000003", 0.97, OURS)
    store, place = world.platform.store, version_uri(ROOT, "digits", "v000003")
    if model == "digits":
        old = version_uri(ROOT, "digits", "v000002")
        for one in store.list(old):
            store.put(place + one.uri.removeprefix(old), store.get(one.uri))
    else:
        uri = manifest_uri(ROOT, "digits", "v000003")
        store.put(uri, store.get(uri).replace(b'"digits"', b'"beans"'))
        sha256 = entry_of(store.get(uri)).sha256
        store.put(place + "attestation.json", attest(model, "v000003", sha256, OURS).encode())
    world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["champion"], world.status()["candidate"]) == ("v000002", "")
    assert "v000003" in world.status()["quarantine"]
