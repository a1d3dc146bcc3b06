"""A stranger rewrites the files of the champion, its manifest included: no other bytes are served, and the
version before serves."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from knoll.names import join
from knoll.records.manifest import entry_of, manifest_uri, version_uri
from loop.conftest import Laptop, Until
from loop.test_loop import FAST, picture

pytestmark = [pytest.mark.attack, pytest.mark.loop, pytest.mark.timeout(400)]


def test_a_forged_champion_gives_way_to_the_version_before(
    laptop: Laptop, digits: Callable[..., Path], tmp_path: Path, until: Until
) -> None:
    laptop.declare("digits", **FAST, rollout={"steps": [50], "minRequests": 4, "bake": "1s"})
    laptop.knoll("upload", "digits", str(digits(tmp_path / "some")))
    laptop.wait_for_champion("v000001")
    laptop.knoll("upload", "digits", str(digits(tmp_path / "more", start=40)))
    laptop.wait_for_champion("v000002")
    assert laptop.knoll("verify", "digits")

    forge(laptop, "v000002")
    until(lambda: laptop.model().get("champion") == "v000001", 60)
    laptop.wait_for_champion("v000001")
    assert "v000002 is not what was trained" in laptop.model()["quarantine"]["v000002"]
    seven = [picture(tmp_path / "some", "7")]
    until(lambda: laptop.predict("digits", seven).headers.get("x-model-version") == "v000001", 60)
    answer = laptop.predict("digits", seven)
    assert answer.status_code == 200
    assert answer.json()["predictions"][0]["label"] == "7"
    assert "manifest" in laptop.knoll("verify", "digits", "v000002", code=1)
    assert "dev.knoll.rollout.fellback" in laptop.knoll("events")


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
