"""On a real platform: of many uploads in a row the newest is trained next, and what a user has deleted does
not come back."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from knoll.ports import Document
from knoll.records.outcome import outcome_uri
from knoll.views.run import RunView
from knoll.views.runs import read_runs
from loop.conftest import Laptop, Until

pytestmark = [pytest.mark.attack, pytest.mark.loop, pytest.mark.timeout(400)]

LONG = {"epochs": 400, "batchSize": 8, "seed": 1}
SHORT = {"epochs": 1, "batchSize": 16, "seed": 1}


def declare(laptop: Laptop, config: Document) -> None:
    laptop.declare(
        "digits", training__config=config, gate={"metric": "accuracy", "atLeast": 0.1, "minAgreement": 0}
    )


def runs(laptop: Laptop) -> dict[str, RunView]:
    """The runs of digits by id, as `knoll runs` shows them."""
    return {one.run.id: one for one in read_runs(laptop.platform, "digits", 200)}


def test_of_a_hundred_uploads_in_a_row_the_newest_trains_within_a_minute(
    own: Laptop, digits: Callable[..., Path], tmp_path: Path, until: Until
) -> None:
    declare(own, SHORT)
    pictures = sorted(digits(tmp_path / "some").rglob("*.png"))
    store, place = own.platform.store, "s3://datasets/digits/"
    for one in pictures:
        store.put(f"{place}{one.parent.name}/{one.name}", one.read_bytes())
    first = f"{place}{pictures[0].parent.name}/{pictures[0].name}"
    for other in pictures[:100]:
        store.put(first, other.read_bytes())
        store.put(f"{place}_SUCCESS", b"")
    until(lambda: "Landed" in str(own.model().get("dataset")), 20)

    def newest() -> str:
        digest = own.model()["dataset"]["digest"]
        found = (one for one in runs(own).values() if one.run.dataset_digest == digest)
        return next((one.state for one in found), "")

    until(lambda: newest() in ("Running", "Succeeded"), 60)
    until(lambda: newest() == "Succeeded", 120)
    until(lambda: {one.state for one in runs(own).values()} <= {"Succeeded", "Superseded"}, 20)


def test_runs_of_a_deleted_model_end_and_do_not_start_again_with_the_next_one(
    own: Laptop, digits: Callable[..., Path], tmp_path: Path, until: Until
) -> None:
    """One run trains and one waits when the Model is deleted; then it is applied again, and the platform is
    started again."""
    own.knoll("delete", "digits", "--yes")
    declare(own, LONG)
    until(lambda: any(one.state == "Running" for one in runs(own).values()), 60)
    before = set(runs(own))
    folder = digits(tmp_path / "more", start=40, count=10)
    own.knoll("upload", "digits", str(folder))
    until(lambda: any(one.state == "Queued" for one in runs(own).values()), 30)
    old = {id for id, one in runs(own).items() if one.state in ("Running", "Queued")}
    own.knoll("delete", "digits", "--yes")
    declare(own, SHORT)
    own.down()
    own.up()
    until(lambda: all(runs(own)[id].state == "Superseded" for id in old), 30)
    until(lambda: set(runs(own)) > before | old, 30)
    (new,) = set(runs(own)) - before - old
    until(lambda: runs(own)[new].state == "Succeeded", 60)
    own.wait_for_champion(runs(own)[new].version)
    for id in old:
        outcome = json.loads(own.platform.store.get(outcome_uri(own.root, id)))
        assert outcome["superseded"]
        assert "deleted" in outcome["reason"]
        assert outcome["version"] == ""
