"""A version that clients of the champion would not know is refused before any traffic, unless it is meant."""

from dataclasses import replace
from pathlib import Path

import pytest

from knoll.events import TRAINING_SUCCEEDED
from knoll.kube.annotations import ROLLOUT_WISH
from knoll.names import join
from knoll.records.manifest import version_uri
from knoll.records.signature import Signature, Tensor
from knoll.rollout.signature_change import signature_change, why_change_is_refused
from knoll.rollout.wishes import new_wish
from rollout.world import World, make_world, promote_first, with_policy

IMAGE = Tensor("image", "FP32", (-1, 1, 24, 24), "image", {"mode": "L", "width": 24, "height": 24})
CLASSES = Tensor("probabilities", "FP32", (-1, 2), "classes", {"labels": ["a", "b"]})
OLD = Signature((IMAGE,), (CLASSES,))


def with_classes(labels: str) -> Signature:
    output = replace(CLASSES, shape=(-1, len(labels)), options={"labels": list(labels)})
    return Signature((IMAGE,), (output,))


@pytest.mark.parametrize(
    ("new", "told"),
    [
        (OLD, ""),
        (with_classes("ac"), "classes without b and with the new c"),
        (with_classes("abc"), "classes with the new c"),
        (with_classes("ba"), "its classes are in another order"),
        (with_classes("abcdefghij"), "c, d, e, f, g and 3 more"),
        (with_classes("a\x1b"), "with the new \\x1b"),
        (
            Signature((replace(IMAGE, shape=(-1, 1, 32, 32)),), (CLASSES,)),
            "input image has the shape [-1, 1, 32, 32], not [-1, 1, 24, 24]",
        ),
        (
            Signature((replace(IMAGE, datatype="UINT8"),), (CLASSES,)),
            "input image has the datatype UINT8, not FP32",
        ),
        (
            Signature((replace(IMAGE, codec="tensor"),), (CLASSES,)),
            "input image has the codec tensor, not image",
        ),
        (Signature((IMAGE, Tensor("age", "FP32", (-1,))), (CLASSES,)), "inputs with the new age"),
        (
            Signature((IMAGE,), (replace(CLASSES, name="scores"),)),
            "outputs without probabilities and with the new scores",
        ),
    ],
)
def test_each_kind_of_change_is_named(new: Signature, told: str) -> None:
    change = signature_change(OLD, new, "v000001")
    assert told in change
    assert change.startswith("its signature is not that of v000001: ") is bool(told)


@pytest.mark.parametrize("is_forgotten", [False, True])
def test_another_shape_gets_no_traffic_until_it_is_allowed(tmp_path: Path, is_forgotten: bool) -> None:
    """The Model that allows it is enough: no new version has to be trained, also if the Model was deleted
    and applied again."""
    world = make_world(tmp_path)
    sign(world, "v000001", OLD)
    promote_first(world)
    sign(world, "v000002", Signature((replace(IMAGE, shape=(-1, 1, 32, 32)),), (CLASSES,)))
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000001", None)
    assert world.records()[4:] == ["2 Reject 0"]
    assert "[-1, 1, 32, 32]" in world.status()["quarantine"]["v000002"]
    assert world.status()["rollout"]["evidence"]["requests"] == 0, "the champion's are not its own"
    document = world.platform.cluster.get("Model", "digits")
    if is_forgotten:
        world.platform.cluster.delete("Model", "digits")
        world.platform.cluster.create({**document, "metadata": {"name": "digits"}})
        world.tell(TRAINING_SUCCEEDED)
        document = world.platform.cluster.get("Model", "digits")
    world.platform.cluster.update(with_policy(document, allowSignatureChange=True))
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000002", 20)
    world.observe("v000002", 1, errors=0)
    assert world.status()["quarantine"] == {}
    assert "it is allowed that its signature is not that of v000001" in world.reasons()[-2]


def test_what_was_refused_for_another_reason_stays_refused(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    promote_first(world)
    world.publish("v000002", 0.1)
    world.tell(TRAINING_SUCCEEDED)
    document = world.platform.cluster.get("Model", "digits")
    world.platform.cluster.update(with_policy(document, allowSignatureChange=True))
    world.tell(TRAINING_SUCCEEDED)
    assert list(world.status()["quarantine"]) == ["v000002"]
    assert world.records()[4:] == ["2 Reject 0"]


def test_an_abort_in_the_words_of_a_refusal_is_no_refusal(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    promote_first(world)
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    document = world.platform.cluster.get("Model", "digits")
    wish = new_wish("abort", "v000002", why_change_is_refused("ann"), world.time.now().isoformat())
    metadata = {**document["metadata"], "annotations": {ROLLOUT_WISH: wish.encode()}}
    world.platform.cluster.update(with_policy({**document, "metadata": metadata}, allowSignatureChange=True))
    for _ in range(2):
        world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000001", None)
    assert list(world.status()["quarantine"]) == ["v000002"]


def sign(world: World, version: str, signature: Signature) -> None:
    uri = join(version_uri("s3://knoll-models", "digits", version), "signature.json")
    world.platform.store.put(uri, signature.encode())
