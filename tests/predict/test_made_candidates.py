"""The candidates that tests make are what they are called. Rollout takes them for a trainer's."""

import base64
import time
from dataclasses import replace

import pytest

from knoll.adapters.memory.platform import memory_platform
from knoll.codecs import decode, encode
from knoll.errors import InvalidVersion
from knoll.keys import make_key, read_signer
from knoll.models import parse_model
from knoll.ports import Platform
from knoll.predict.graph import Graph, warm_up
from knoll.predict.loading import Version, fetch_version
from knoll.records.version_folder import version_folder
from knoll.rollout.candidates import next_candidate
from knoll.rollout.slot import Slot
from knoll.rollout.trial import judged
from support.candidates import LABELS, Kind, marked, picture, publish_candidate
from support.models import model_document

SIGNING, STAMPING = make_key(), make_key()


@pytest.fixture
def platform() -> Platform:
    """A platform that asks for signatures and stamps."""
    signed, stamped = (read_signer(one).public.pem for one in (SIGNING, STAMPING))
    made = memory_platform()
    keys = {"verify_key": signed, "stamp_key": STAMPING, "stamp_verify_key": stamped}
    return replace(made, settings=made.settings.model_copy(update=keys))


def published(kind: Kind, platform: Platform, of: tuple[str, str] | None = None) -> Version:
    """The candidate, verified as a predictor does it."""
    bucket = replace(platform.bucket, sign_key=SIGNING)
    sealed = publish_candidate(kind, "shop", bucket, of=of)
    place = version_folder("shop", sealed.manifest.version, bucket).uri
    return fetch_version(platform.store, place, "shop", sealed.sha256, platform.settings.verify_key)


def answer(graph: Graph, body: bytes) -> object:
    inputs = decode([{"b64": base64.b64encode(body).decode()}], graph.signature)
    (found,) = encode(graph.run(inputs), graph.signature)
    return found["label"]


def test_a_rollout_begins_with_each_of_them(platform: Platform) -> None:
    model = parse_model(model_document("shop", gate={"metric": "accuracy", "atLeast": 0.9}))
    slot = Slot()
    for kind in ("good", "broken", "failing", "slow", "wrong"):
        version = published(kind, platform).manifest.version
        assert next_candidate(model, slot, "", platform) == version
        begun = judged(model, slot, version, platform)
        assert (begun.candidate, begun.phase) == (version, "Deploying")
        slot = replace(slot, champion=version, pins=begun.pins)


def test_a_predictor_serves_them_as_they_are_called(platform: Platform) -> None:
    """Also what is made of one that is there."""
    good = published("good", platform)
    made = {kind: published(kind, platform, of=("shop", "v000001")) for kind in ("failing", "wrong")}
    graphs = {kind: Graph(one, 1) for kind, one in {"good": good, **made}.items()}
    for kind, version in {"good": good, **made}.items():
        warm_up(graphs[kind], version)
    for number, label in enumerate(LABELS):
        shown = picture(number, 99)
        assert answer(graphs["good"], shown) == answer(graphs["failing"], shown) == label
        assert answer(graphs["good"], marked(shown)) == label
        assert answer(graphs["wrong"], shown) == LABELS[(number + 1) % 3]
        with pytest.raises(Exception, match="indices element out of data bounds"):
            answer(graphs["failing"], marked(shown))
    with pytest.raises(InvalidVersion, match=r"model\.onnx cannot be loaded"):
        Graph(published("broken", platform), 1)


def test_a_slow_one_takes_much_longer(platform: Platform) -> None:
    def least(graph: Graph) -> float:
        taken = []
        for _ in range(30):
            began = time.perf_counter()
            answer(graph, picture(0, 1))
            taken.append(time.perf_counter() - began)
        return min(taken)

    good, slow = (Graph(published(kind, platform), 1) for kind in ("good", "slow"))
    assert answer(slow, picture(2, 1)) == "high"
    assert least(slow) > 2 * least(good)
