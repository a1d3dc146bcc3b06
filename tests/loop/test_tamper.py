"""A stranger has the keys of the bucket, and rewrites the champion or adds a version: no other bytes are
served."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from knoll.laptop.signing import STAMPING, find_or_make_pair
from knoll.names import join, run_id, version_name
from knoll.records.claim import Claim, list_claims, write_claim
from knoll.records.manifest import (
    entry_of,
    find_manifest,
    manifest_uri,
    read_file,
    version_uri,
    write_file,
    write_manifest,
)
from knoll.records.outcome import Outcome, write_outcome
from knoll.records.run import read_run, write_run
from loop.conftest import Laptop, Until
from loop.test_loop import FAST, picture

pytestmark = [
    pytest.mark.attack,
    pytest.mark.loop,
    pytest.mark.timeout(400),
    pytest.mark.xdist_group("tamper"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, digits: Callable[..., Path]) -> Path:
    """The digits of the first version."""
    return digits(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def laptop(
    tmp_path_factory: pytest.TempPathFactory, data: Path, digits: Callable[..., Path], until: Until
) -> Iterator[Laptop]:
    """A platform whose champion is v000002, after v000001."""
    one = Laptop(tmp_path_factory.mktemp("home"), until)
    one.up()
    try:
        one.declare("digits", **FAST, rollout={"steps": [50], "minRequests": 4, "bake": "1s"})
        one.knoll("upload", "digits", str(data))
        one.wait_for_champion("v000001")
        one.knoll("upload", "digits", str(digits(tmp_path_factory.mktemp("more"), start=40)))
        one.wait_for_champion("v000002")
        assert "signed by key" in one.knoll("verify", "digits")
        yield one
    finally:
        one.down()


def test_a_version_of_a_stranger_is_refused_because_no_key_has_signed_it(
    laptop: Laptop, data: Path, until: Until
) -> None:
    """All else is as knoll writes it, stamps too: that is what the reason says."""
    champion = laptop.model()["champion"]
    version = plant(laptop, champion)
    until(lambda: version in laptop.model()["quarantine"], 60)
    assert laptop.model()["quarantine"][version] == "it is not signed: it has no attestation.json"
    assert (laptop.model()["champion"], laptop.model()["candidate"]) == (champion, "")
    assert "it is not signed" in laptop.knoll("why", "digits", version)
    assert "it is not signed" in laptop.knoll("verify", "digits", version, code=1)
    assert laptop.predict("digits", [picture(data, "7")]).headers["x-model-version"] == champion


def test_only_processes_of_trainings_have_the_key_to_sign(laptop: Laptop, data: Path) -> None:
    assert laptop.predict("digits", [picture(data, "7")]).status_code == 200
    predictors = laptop.children("knoll.wiring.predictor")
    assert predictors
    for pid in predictors:
        variables = Path(f"/proc/{pid}/environ").read_bytes()
        assert b"KNOLL_VERIFY_KEY=-----BEGIN PUBLIC KEY-----" in variables
        assert b"KNOLL_SIGN_KEY" not in variables


def test_a_forged_champion_gives_way_to_the_version_before_until_it_is_whole(
    laptop: Laptop, data: Path, until: Until
) -> None:
    store, place = laptop.platform.store, version_uri(laptop.root, "digits", "v000002")
    whole = {one.uri: store.get(one.uri) for one in store.list(place)}
    store.put(place + ".DS_Store", b"a stray file does no harm")
    forge(laptop, "v000002")
    until(lambda: laptop.model().get("champion") == "v000001", 60)
    laptop.wait_for_champion("v000001")
    assert "v000002 is not what was trained" in laptop.model()["quarantine"]["v000002"]
    seven = [picture(data, "7")]
    until(lambda: laptop.predict("digits", seven).headers.get("x-model-version") == "v000001", 60)
    answer = laptop.predict("digits", seven)
    assert answer.status_code == 200
    assert answer.json()["predictions"][0]["label"] == "7"
    assert "manifest" in laptop.knoll("verify", "digits", "v000002", code=1)
    assert "dev.knoll.rollout.fellback" in laptop.knoll("events")
    assert "v000001 (v000002 damaged)" in " ".join(laptop.knoll("models").split())
    for uri, body in whole.items():
        store.put(uri, body)
    until(lambda: laptop.model().get("champion") == "v000002", 120)
    assert "v000002" not in laptop.model()["quarantine"]


def plant(laptop: Laptop, champion: str) -> str:
    """Write the next version, with the bytes of the champion and all stamps, but without a signature; its
    name."""
    bucket = replace(laptop.platform.bucket, stamp_key=find_or_make_pair(laptop.home / STAMPING).private)
    version = version_name(1 + len([*list_claims("digits", bucket)]))
    origin = find_manifest("digits", champion, bucket)
    assert origin is not None
    made_of = read_run(origin.run, bucket)
    run = replace(made_of, id=run_id("digits", made_of.dataset_digest, version))
    write_run(run, bucket)
    write_claim("digits", version, Claim(run.id), bucket)
    for name in origin.files:
        write_file("digits", version, name, read_file("digits", champion, name, bucket), bucket)
    made = write_manifest(replace(origin, version=version, run=run.id), bucket)
    at = laptop.platform.clock.now().isoformat()
    outcome = Outcome("succeeded", at, version, metrics=origin.metrics, manifest_sha256=made.sha256)
    write_outcome(run.id, outcome, bucket)
    return version


def forge(laptop: Laptop, version: str) -> None:
    """Exchange the labels in signature and samples, and write a manifest that fits."""
    store, place = laptop.platform.store, version_uri(laptop.root, "digits", version)
    uri = manifest_uri(laptop.root, "digits", version)
    manifest = json.loads(store.get(uri))
    signature = json.loads(store.get(join(place, "signature.json")))
    options = signature["outputs"][0]["options"]
    options["labels"] = [*options["labels"][1:], options["labels"][0]]
    body = json.dumps(signature).encode()
    manifest["files"]["signature.json"] = vars(entry_of(body))
    store.put(join(place, "signature.json"), body)
    store.put(uri, json.dumps(manifest).encode())
