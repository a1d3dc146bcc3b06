"""Which versions go: what is used, new, untried or unsettled stays, whatever the clock says."""

from datetime import UTC, datetime, timedelta

import pytest

from knoll.names import version_name
from knoll.ports import Document, ObjectInfo
from knoll.retention.decide import to_remove
from knoll.retention.folders import VersionFiles, folders_of
from knoll.retention.leftovers import Runs, find_leftovers
from knoll.retention.uses import Uses, find_uses
from knoll.rollout.slot import Slot

NOW = datetime(2026, 1, 10, tzinfo=UTC)
RUN, OTHER = "digits-00000000000000000001", "digits-00000000000000000002"


def folder(number: int, *, is_version: bool = True, hours: float = 100) -> VersionFiles:
    return VersionFiles("digits", version_name(number), 3, 100, NOW - timedelta(hours=hours), is_version)


def info(uri: str, hours: float = 100) -> ObjectInfo:
    return ObjectInfo(uri, "etag", 10, NOW - timedelta(hours=hours))


def removed(
    *folders: VersionFiles,
    uses: Uses,
    unsettled: dict[str, str] | None = None,
    keep: int = 2,
    now: datetime = NOW,
) -> list[int]:
    verdicts = to_remove(folders, uses, unsettled or {}, keep, now)
    assert all(one.reason for one in verdicts)
    return [one.folder.number for one in verdicts if one.is_removed]


def test_versions_that_are_old_tried_and_unused_go() -> None:
    uses = Uses({"v000002": "champion", "v000003": "pinned"}, tried=6)
    assert removed(*map(folder, range(1, 9)), uses=uses) == [1, 4, 5, 6]


def test_a_version_of_a_run_that_is_not_settled_stays() -> None:
    """Its trainer may be killed and come again, and is to find it."""
    assert removed(*map(folder, range(1, 6)), uses=Uses({}, 9), unsettled={"v000002": RUN}) == [1, 3]


def test_all_versions_stay_of_a_model_that_has_never_tried_one() -> None:
    assert removed(*map(folder, range(1, 9)), uses=Uses({}, 0), keep=1) == []


def test_what_has_no_manifest_neither_counts_as_new_nor_goes_within_a_day() -> None:
    left = [folder(number, is_version=False, hours=hours) for number, hours in ((7, 25), (8, 23))]
    assert removed(*map(folder, range(1, 4)), *left, uses=Uses({}, 3)) == [1, 7]


@pytest.mark.parametrize("jump", [timedelta(days=-4000), timedelta(days=4000)])
def test_a_clock_that_jumps_removes_nothing_that_is_being_published(jump: timedelta) -> None:
    """The claim's run has no outcome yet, so it is in use for ever."""
    assert (
        removed(
            folder(7, is_version=False, hours=0), uses=Uses({}, 6), unsettled={"v000007": RUN}, now=NOW + jump
        )
        == []
    )


def test_the_slot_and_every_name_in_the_model_is_a_use() -> None:
    """Whoever pins a version by an annotation, or any field to come, keeps it; words of a reason do not
    count."""
    slot = Slot(champion="v000004", previous="v000003", candidate="v000006", quarantine={"v000005": "bad"})
    model: Document = {
        "metadata": {"annotations": {"pin": "v000001, v000002"}},
        "status": {"aliases": [{"stable": "v000007"}], "quarantine": {"v000005": "v000008 is better"}},
    }
    uses = find_uses(model, slot, [], "s3://m/models/digits/")
    assert sorted(map(int, (name[1:] for name in uses.reasons))) == [1, 2, 3, 4, 6, 7]
    assert (uses.tried, uses.refused, uses.reasons["v000004"]) == (4, frozenset({"v000005"}), "champion")


def test_whatever_serves_a_version_uses_it() -> None:
    """Whoever made it, and in whichever field it names the version; a Revision without a route serves
    nothing."""

    def serving(kind: str, name: str, uri: str, state: str = "", **status: str) -> Document:
        return {
            "kind": kind,
            "metadata": {
                "name": name,
                "labels": {"serving.knative.dev/routingState": state} if state else {},
            },
            "spec": {"some": ["--version-uri", uri]},
            "status": status,
        }

    place = "s3://m/models/digits/"
    documents = [
        serving("InferenceService", "theirs", f"{place}v000001/", rolledOut="theirs-2"),
        serving("Revision", "theirs-1", f"{place}v000002/", "reserve"),
        serving("Revision", "theirs-2", f"{place}v000003", "reserve"),
        serving("Revision", "ours-1", f"{place}v000004/", "active"),
        serving("Revision", "ours-2", f"{place}v000005/"),
        serving("Revision", "else-1", "s3://m/models/digits-2/v000006/"),
    ]
    assert sorted(find_uses({}, Slot(), documents, place).reasons) == [
        "v000001",
        "v000003",
        "v000004",
        "v000005",
    ]


def test_only_folders_that_are_named_as_versions_are_looked_at() -> None:
    keys = [
        "a/v000001/manifest.json",
        "a/v000001/x/manifest.json",
        "a/v000002/x/manifest.json",
        "a/notes.txt",
        "a/v000003",
        "a/old/f",
        "b/v000001/f",
    ]
    found = folders_of([(key, info(f"s3://m/models/{key}")) for key in sorted(keys)])
    assert [(one.model, one.version, one.files, one.is_version) for one in found] == [
        ("a", "v000001", 2, True),
        ("a", "v000002", 1, False),
        ("b", "v000001", 1, False),
    ]


def test_records_go_a_day_after_their_run_has_ended() -> None:
    """Without an outcome, or with a live Job, no record is too old."""
    entries = {RUN: info("inbox/1", 30), OTHER: info("inbox/2", 30)}

    def left(outcome_hours: float, live: tuple[str, ...] = ()) -> list[tuple[str, str]]:
        runs = Runs({RUN: NOW - timedelta(hours=outcome_hours)}, entries)
        return [(one.kind, one.name) for one in find_leftovers(runs, entries, live, NOW)]

    assert left(25) == [("inbox", RUN), ("progress", RUN)]
    assert left(23) == [("inbox", RUN)]
    assert left(25, live=(RUN,)) == []
    assert find_leftovers(Runs({}, entries), entries, (), NOW + timedelta(days=4000)) == []
