"""On a real platform: who may write the data exchanges all labels, and then the golden set as well."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from knoll.records.manifest import load_manifest, manifest_uri
from loop.conftest import Laptop, Until
from loop.test_loop import FAST, picture

pytestmark = [pytest.mark.attack, pytest.mark.loop, pytest.mark.timeout(300)]

DATA, EXAM = "s3://datasets/digits/", "s3://exams/digits/"


def read(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.png")}


def flipped(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Ones in the folder 0, and zeros in the folder 1."""
    return {f"{1 - int(key[0])}{key[1:]}": body for key, body in files.items()}


def replace(laptop: Laptop, place: str, files: Mapping[str, bytes]) -> None:
    """What lies there gives way to these files, and a marker says that they are whole."""
    store = laptop.platform.store
    for one in list(store.list(place)):
        store.delete(one.uri)
    for key, body in files.items():
        store.put(place + key, body)
    store.put(f"{place}_SUCCESS", b"")


def test_poisoned_data_does_not_replace_the_champion(
    laptop: Laptop, digits: Callable[..., Path], tmp_path: Path, until: Until
) -> None:
    good, exam = digits(tmp_path / "good", "01"), read(digits(tmp_path / "exam", "01", start=80, count=20))
    laptop.platform.store.ensure_bucket("exams")  # type: ignore[attr-defined]
    replace(laptop, EXAM, exam)
    gate = {"metric": "accuracy", "atLeast": 0.8, "goldenSet": EXAM}
    laptop.declare(
        "digits", **{**FAST, "gate": gate}, rollout={"steps": [50], "minRequests": 4, "bake": "1s"}
    )
    laptop.knoll("upload", "digits", str(good))
    laptop.wait_for_champion("v000001")
    replace(laptop, DATA, flipped(read(good)))
    until(lambda: "v000002" in laptop.model().get("quarantine", {}), 90)
    assert "accuracy on the golden set is 0" in laptop.model()["quarantine"]["v000002"]
    made = load_manifest(laptop.platform.store.get(manifest_uri(laptop.root, "digits", "v000002")))
    assert made.golden is not None
    assert made.metrics["accuracy"] > 0.8 > made.golden.metrics["accuracy"]

    replace(laptop, EXAM, flipped(exam))
    replace(laptop, DATA, flipped(read(digits(tmp_path / "more", "01", start=40))))
    until(lambda: "it has changed" in json.dumps(laptop.outcomes()), 90)
    assert laptop.versions() == ["v000001", "v000002"]
    assert laptop.model()["champion"] == "v000001"
    one = laptop.predict("digits", [picture(tmp_path / "good", "1")]).json()["predictions"][0]
    assert one["label"] == "1"
    links = json.loads(laptop.knoll("verify", "digits", "-o", "json"))["links"]
    assert [one["intact"] for one in links if one["link"] == "golden set"] == [True]
