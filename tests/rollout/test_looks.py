"""What a look at the InferenceService tells the slot, and what then may be done; without a cluster."""

from dataclasses import replace
from typing import Any

import pytest

from knoll import __version__
from knoll.ports import Document
from knoll.rollout.edits import follows, slot_after_look, spec_with_additions, without_edits
from knoll.rollout.slot import Slot
from knoll.rollout.steering import Edit, Steering
from knoll.rollout.steps import NotYet, Rollback, Shift, Step

AT = "2026-01-01T12:00:00+00:00"
WANTED = {"spec": {"predictor": {"labels": {"knoll.dev/version": "v000002"}, "minReplicas": 0, "timeout": 9}}}
KNOWN = Steering(paused="ann", written=4, written_uid="a")
EDIT = Edit(5, ("predictor.minReplicas",), "kubectl", AT)
TOLD = "kubectl has changed predictor.minReplicas of the InferenceService"
OVER = "predictor.minReplicas of the InferenceService is as wanted again"
UNDONE = "it failed; the change of predictor.minReplicas is undone"
CANARY = Slot(champion="v000001", candidate="v000002", phase="Canary", percent=20, steering=KNOWN)


def service(generation: int, uid: str = "a", release: str = __version__, **predictor: Any) -> Document:
    """An InferenceService as it is wanted, but for some fields; kubectl has written it last."""
    metadata = {
        "generation": generation,
        "uid": uid,
        "annotations": {"knoll.dev/release": release},
        "managedFields": [{"manager": "kubectl", "time": "2026-01-01T11:00:00Z"}],
    }
    return {"metadata": metadata, "spec": {"predictor": {**WANTED["spec"]["predictor"], **predictor}}}


def seen(written: int, uid: str = "a", edit: Edit | None = None) -> Steering:
    return replace(KNOWN, written=written, written_uid=uid, edit=edit)


@pytest.mark.parametrize(
    ("name", "before", "live", "after", "noted"),
    [
        ("one that is gone has no generation", seen(4, edit=EDIT), None, seen(0, ""), ()),
        ("what knoll has written is as wanted", KNOWN, service(4), KNOWN, ()),
        ("a default that came later is no edit", KNOWN, service(6, more=1), seen(6), ()),
        ("nor is what was read before the write", KNOWN, service(3), KNOWN, ()),
        ("before a write its generation is noted", KNOWN, service(4, minReplicas=3), seen(5), ()),
        ("unless one is under way", KNOWN, service(2, minReplicas=3), KNOWN, ()),
        ("or of which nothing is known", seen(0, ""), service(7, minReplicas=3), seen(8), ()),
        ("a later one is an edit", KNOWN, service(5, minReplicas=3), seen(4, edit=EDIT), ("Edit", TOLD)),
        (
            "even the first one of all",
            seen(1),
            service(2, minReplicas=3),
            seen(1, edit=replace(EDIT, generation=2)),
            ("Edit", TOLD),
        ),
        (
            "also by a slot without a uid",
            seen(4, ""),
            service(5, minReplicas=3),
            seen(4, edit=EDIT),
            ("Edit", TOLD),
        ),
        ("another release may write it", KNOWN, service(5, release="0.0.1", minReplicas=3), seen(6), ()),
        ("another object has other generations", KNOWN, service(5, "b", minReplicas=3), seen(6, "b"), ()),
        ("also if it is as wanted", seen(9), service(5, "b"), seen(5, "b"), ()),
        (
            "what was read before an edit tells nothing",
            seen(4, edit=EDIT),
            service(4),
            seen(4, edit=EDIT),
            (),
        ),
        ("an edit stays", seen(4, edit=EDIT), service(5, minReplicas=3), seen(4, edit=EDIT), ()),
        (
            "if it is not the edited field, it is over",
            seen(4, edit=EDIT),
            service(5, timeout=1),
            seen(5),
            ("Unedit", OVER),
        ),
        ("as when it is as wanted again", seen(4, edit=EDIT), service(6), seen(6), ("Unedit", OVER)),
        ("and when its object is gone", seen(4, edit=EDIT), service(1, "b", minReplicas=3), seen(2, "b"), ()),
        (
            "an edit after it takes its place",
            seen(4, edit=replace(EDIT, by="helm")),
            service(6, minReplicas=3),
            seen(4, edit=replace(EDIT, generation=6)),
            ("Edit", TOLD),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_look_tells_what_knoll_and_what_others_have_written(
    name: str, before: Steering, live: Document | None, after: Steering, noted: tuple[str, ...]
) -> None:
    expected = replace(CANARY, steering=after)
    if noted:
        action, reason = noted
        expected = expected.noted(action, AT, reason, "v000002")
    assert slot_after_look(replace(CANARY, steering=before), live, WANTED, AT) == expected, name


def test_where_nothing_is_wanted_nothing_is_known() -> None:
    assert slot_after_look(CANARY, service(5, minReplicas=3), None, AT).steering == seen(0, "")


def test_an_edit_at_rest_is_told_of_the_champion_and_ends_for_it() -> None:
    rest = replace(CANARY, candidate="", phase="Idle")
    edited = slot_after_look(rest, service(5, minReplicas=3), WANTED, AT)
    ended = slot_after_look(edited, service(6), WANTED, AT)
    for slot in (edited, ended):
        assert slot.transition is not None
        assert slot.transition.version == "v000001"


def test_a_rollback_takes_an_edit_back_when_it_sees_it() -> None:
    rolling = replace(CANARY, phase="RollingBack")
    after = slot_after_look(rolling, service(5, minReplicas=3), WANTED, AT)
    assert after == replace(rolling, steering=seen(5)).noted("Edit", AT, f"{TOLD}; it is undone", "v000002")


@pytest.mark.parametrize(
    ("fields", "by"),
    [
        (None, "somebody"),
        ([], "somebody"),
        ([{"time": "2026-01-01T00:00:01Z"}], "somebody"),
        ([{"manager": "helm", "time": "2026-01-01T00:00:02Z"}, {"manager": "knoll"}], "helm"),
        (
            [
                {"manager": "knoll", "time": "2026-01-01T00:00:01Z"},
                {"manager": "a\nb", "time": "2026-01-01T00:00:02Z", "subresource": ""},
                {"manager": "kserve", "time": "2026-01-01T00:00:03Z", "subresource": "status"},
            ],
            "a\\x0ab",
        ),
    ],
)
def test_an_edit_names_who_has_written_anything_but_the_status_last(fields: Any, by: str) -> None:
    live = service(5, minReplicas=3)
    live["metadata"]["managedFields"] = fields
    edit = slot_after_look(CANARY, live, WANTED, AT).steering.edit
    assert edit is not None
    assert edit.told == TOLD.replace("kubectl", by)


@pytest.mark.parametrize(
    ("phase", "step", "allowed"),
    [
        ("Canary", Shift(1, 50, "enough"), NotYet(TOLD)),
        ("Canary", Rollback("it failed", "hooks"), Rollback(UNDONE, "hooks")),
        ("Baking", Rollback("it failed"), Rollback(UNDONE)),
        ("Deploying", Rollback("it failed"), NotYet(TOLD)),
    ],
)
def test_an_edit_holds_all_but_the_rollback_of_a_version_with_traffic(
    phase: Any, step: Step, allowed: Step
) -> None:
    edited = replace(CANARY, phase=phase, steering=seen(4, edit=EDIT))
    assert without_edits(edited, step) == allowed
    assert without_edits(replace(CANARY, phase=phase), step) == step


@pytest.mark.parametrize(
    ("release", "changes", "needs_no_write"),
    [
        (__version__, {}, True),
        (__version__, {"more": 1}, True),
        (__version__, {"minReplicas": 3}, False),
        ("99.0.0", {"minReplicas": 3}, True),
        ("99.0.0", {"labels": {"knoll.dev/version": "v000001"}}, False),
        ("99.0.0", {"canaryTrafficPercent": 5}, False),
    ],
)
def test_what_a_newer_knoll_has_written_stays_until_something_else_is_asked_for(
    release: str, changes: dict[str, Any], needs_no_write: bool
) -> None:
    assert follows(service(4, release=release, **changes), WANTED) == needs_no_write


def test_a_write_keeps_what_others_have_added() -> None:
    live = {
        "transformer": {"a": 1},
        "predictor": {"tolerations": [], "canaryTrafficPercent": 5, "minReplicas": 3},
    }
    assert spec_with_additions(live, WANTED["spec"]) == {
        "transformer": {"a": 1},
        "predictor": {"tolerations": [], **WANTED["spec"]["predictor"]},
    }
