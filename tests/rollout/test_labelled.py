"""Which counts of labels are kept: those that a Revision of the Model has proved."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from knoll.events import PREDICTOR_LABELLED, TRAINING_SUCCEEDED, new_event
from knoll.proofs import LABELS_PURPOSE, REPORT_PURPOSE, prove
from knoll.records.labels import Window, find_labels
from knoll.rollout import handler
from knoll.rollout.labelled import read_labels
from knoll.views.labels import labels_words, read_label_counts
from rollout.world import World, make_world, promote_first
from support.keys import private_key

WINDOWS: list[Window] = [(60, 3, 1), (120, 2, 0)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """v000002 is on trial beside v000001."""
    world = make_world(tmp_path, stamp_key=private_key(3))
    promote_first(world)
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000002", 20)
    return world


def send(world: World, data: dict[str, Any]) -> None:
    event = new_event(
        PREDICTOR_LABELLED, source="/x", time=world.time.now(), data={"model": "digits", **data}
    )
    assert handler.handle(event, world.platform) is None


def said(world: World, version: str, windows: list[Window] = WINDOWS, **changes: Any) -> dict[str, Any]:
    """What the predictor of the candidate reports of answers of a version."""
    data = {"version": version, "instance": "pod", "by": "v000002", **changes}
    data["windows"] = [list(one) for one in windows]
    event = new_event(PREDICTOR_LABELLED, source="", time=world.time.now(), data=data)
    covered = read_labels("digits", event).covered()
    return {**data, "proof": prove(world.revision_key(), LABELS_PURPOSE, covered)}


def counted(world: World) -> str:
    return labels_words(read_label_counts(world.platform, "digits", ("v000002", "v000001")))


def test_one_predictor_tells_of_the_answers_of_all_versions(world: World) -> None:
    send(world, said(world, "v000002"))
    send(world, said(world, "v000001", [(60, 9, 0)]))
    assert counted(world) == "v000002: 5 of 6 right; v000001: 9 of 9 right"


def test_late_and_doubled_counts_do_no_harm_and_replicas_add_up(world: World) -> None:
    for windows in ([(60, 3, 1)], WINDOWS, [(60, 3, 1)], WINDOWS):
        send(world, said(world, "v000002", windows))
    send(world, said(world, "v000002", [(60, 1, 0)], instance="another"))
    assert counted(world) == "v000002: 6 of 7 right"


def test_forged_counts_are_not_kept_and_told(world: World) -> None:
    """Neither without a proof, nor with one of other counts, of another purpose or by no version of now."""
    honest = said(world, "v000002")
    claim = b"anything"
    forged = [
        {**honest, "proof": None},
        {**honest, "proof": "0" * 64},
        {**honest, "proof": prove(world.revision_key(), REPORT_PURPOSE, claim)},
        {**honest, "windows": [[60, 0, 900]]},
        {**honest, "version": "v000001"},
        {**honest, "instance": "another"},
        {**honest, "by": "v000001"},
        {**honest, "by": "v000009"},
        {**honest, "version": "v000009"},
    ]
    for one in forged:
        send(world, one)
    assert counted(world) == ""
    assert "no proof by the key" in world.status()["disbelievedReports"]["reason"]
    send(world, honest)
    assert counted(world) == "v000002: 5 of 6 right"


@pytest.mark.parametrize(
    "change",
    [
        {"instance": "a/b"},
        {"version": "../v000001"},
        {"by": None},
        {"windows": None},
        {"compared": 1, "different": 2},
        {"compared": -1},
        {"compared": True},
        {"windows": [[60, 1, 0]] * 501},
        {"windows": [[120, 1, 0], [60, 1, 0]]},
        {"windows": [[60, -1, 0]]},
        {"windows": [[60, 1.5, 0]]},
        {"windows": [[60, True, 0]]},
        {"windows": [[60, 2**40, 0]]},
        {"windows": [[60, 1]]},
        {"windows": {"60": [1, 0]}},
    ],
)
def test_what_is_no_count_is_not_read(world: World, change: dict[str, Any]) -> None:
    """It is told as a report that is not believed, and becomes no dead letter."""
    send(world, {**said(world, "v000002"), **change})
    assert counted(world) == ""
    assert world.status()["disbelievedReports"]["count"] == 1


def test_without_a_key_no_count_is_kept(tmp_path: Path) -> None:
    """Ids cannot be proved then, so nobody can have joined a label."""
    world = make_world(tmp_path)
    promote_first(world)
    send(world, {"version": "v000001", "by": "v000001", "instance": "x", "windows": [[60, 1, 0]]})
    assert counted(world) == ""


def test_all_predictors_of_a_model_share_the_key_of_its_answers(world: World) -> None:
    """That of a Revision is another one for each; the Secret holds both."""
    secrets = world.platform.cluster.list("Secret")
    assert len({one["data"]["key"] for one in secrets}) == 2
    (answers,) = {one["data"]["answers"] for one in secrets}
    assert answers not in {one["data"]["key"] for one in secrets}
    isvc = world.service()
    assert isvc is not None
    names = {one["name"] for one in isvc["spec"]["predictor"]["containers"][0]["env"]}
    assert {"KNOLL_REVISION_KEY", "KNOLL_ANSWER_KEY"} <= names


def test_the_labels_of_a_version_go_with_it(world: World) -> None:
    from knoll.records.removal import remove_files

    send(world, said(world, "v000001"))
    uris = [one.uri for one in world.platform.store.list("s3://knoll-models/labels/")]
    assert uris == ["s3://knoll-models/labels/digits/v000001/pod.0000000000000006.json"]
    found = find_labels("digits", "v000001", world.platform.bucket)["pod"]
    assert replace(found, stamp="").fields()["windows"] == tuple(WINDOWS)
    world.platform.store.delete("s3://knoll-models/models/digits/v000001/manifest.json")
    remove_files("digits", "v000001", world.platform.bucket)
    assert not [*world.platform.store.list("s3://knoll-models/labels/")]
