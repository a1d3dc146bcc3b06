"""Who writes a status keeps what only a newer knoll has written there, in each object of it."""

import copy
import json
from typing import Any

import pytest

from knoll.rollout.slot import slot_from_status, slot_to_status
from records.kinds import GOLDEN
from support.statuses import objects_of

Status = dict[str, Any]
SLOTS = sorted((GOLDEN / "knoll-0.3" / "slots").iterdir())
NEW = {"deep": [1, None]}


def read(name: str) -> Status:
    status: Status = json.loads((GOLDEN / "knoll-0.3" / "slots" / f"{name}.json").read_text())
    return status


def written(status: Status) -> Status:
    """The status after it was read and written once."""
    after: Status = json.loads(json.dumps(slot_to_status(slot_from_status(status), status)))
    return after


def at(place: str, status: Status) -> Status:
    found = status
    for name in place.split(".")[1:]:
        found = found[name]
    return found


@pytest.mark.parametrize("name", [path.stem for path in SLOTS])
def test_a_field_that_is_not_known_stays_in_each_object_of_a_status(name: str) -> None:
    status = written(read(name))
    assert written(status) == status
    grown = copy.deepcopy(status)
    for _, one in list(objects_of(grown)):
        one["addedLater"] = NEW
    after = written(grown)
    lost = [place for place, _ in objects_of(status) if "addedLater" not in at(place, after)]
    assert lost == []


@pytest.mark.parametrize("lacks", ["champion_replays", "compared"])
def test_a_judgement_that_lacks_a_known_field_loses_nothing_else(lacks: str) -> None:
    """Who wrote it may be older than this knoll in one field, and newer in another."""
    status = written(read("Canary"))
    judgement = status["rollout"]["judgement"]
    del judgement["began"][lacks], judgement["seen"][lacks]
    judgement["newArm"] = judgement["began"]["newCount"] = NEW
    after = written(status)["rollout"]["judgement"]
    assert after["newArm"] == after["began"]["newCount"] == NEW
    assert lacks in after["began"]


def test_a_judgement_of_other_traffic_begins_without_what_only_a_newer_knoll_knew() -> None:
    status = written(read("Canary"))
    slot = slot_from_status(status)
    status["rollout"]["judgement"]["newArm"] = NEW
    status["rollout"]["judgement"]["began"]["candidate"]["requests"] += 1
    assert "newArm" not in slot_to_status(slot, status)["rollout"]["judgement"]
