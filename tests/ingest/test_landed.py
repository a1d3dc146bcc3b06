"""When is the data complete? Tables of listings and what is decided over them."""

from datetime import UTC, datetime, timedelta

import pytest

from knoll.ingest.landed import KnownData, Landed, Waiting, decide, may_land
from knoll.models import Model, parse_model
from knoll.ports import ObjectInfo
from knoll.records.dataset import Dataset, DatasetObject

START = datetime(2026, 1, 1, tzinfo=UTC)


def model(**landed: object) -> Model:
    return parse_model(
        {
            "apiVersion": "knoll.dev/v1alpha1",
            "kind": "Model",
            "metadata": {"name": "digits"},
            "spec": {"family": "image-classifier", "dataset": {"uri": "s3://data/digits/", "landed": landed}},
        }
    )


def listing(**seconds: float) -> list[ObjectInfo]:
    """Objects under the prefix by name, with when they were written; `__` stands for a slash and `_dot_` for
    a dot."""
    names = {name: name.replace("__", "/").replace("_dot_", ".") for name in seconds}
    return [
        ObjectInfo(f"s3://data/digits/{names[name]}", f"etag-{name}", 1, START + timedelta(seconds=at))
        for name, at in seconds.items()
    ]


def dataset(names: str) -> Dataset:
    """What has landed before: the objects with these one-letter names."""
    return Dataset(
        "digits",
        "s3://data/digits/",
        tuple(DatasetObject(f"s3://data/digits/{name}", f"etag-{name}", 1) for name in names),
    )


def later(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("objects", "landed"),
    [
        ({}, False),
        ({"_SUCCESS": 5}, False),
        ({"a_dot_png": 1, "b_dot_png": 2}, False),
        ({"a_dot_png": 1, "b_dot_png": 2, "_SUCCESS": 3}, True),
        ({"a_dot_png": 3, "b_dot_png": 3, "_SUCCESS": 3}, True),
        ({"a_dot_png": 4, "b_dot_png": 2, "_SUCCESS": 3}, False),
    ],
)
def test_a_marker_lands_the_data_only_if_nothing_is_newer(objects: dict[str, float], landed: bool) -> None:
    verdict = decide(model(when="marker"), listing(**objects), later(10), KnownData())
    assert isinstance(verdict, Landed if landed else Waiting), verdict


def test_a_second_upload_in_progress_waits_and_names_the_file_that_is_newer_than_the_marker() -> None:
    verdict = decide(model(when="marker"), listing(a=1, _SUCCESS=2, b=7), later(10), KnownData())
    assert isinstance(verdict, Waiting)
    assert "s3://data/digits/b is newer than the marker" in verdict.what


def test_the_dataset_holds_neither_marker_nor_folder_keys_nor_hidden_files() -> None:
    verdict = decide(
        model(when="marker"),
        listing(a=1, sub__=1, _dot_hidden=1, sub__b=1, _SUCCESS=2),
        later(10),
        KnownData(),
    )
    assert isinstance(verdict, Landed)
    assert [one.uri for one in verdict.datasets[0].objects] == [
        "s3://data/digits/a",
        "s3://data/digits/sub/b",
    ]


@pytest.mark.parametrize("when", ["marker", "quiet"])
def test_what_is_no_data_is_counted_beside_the_dataset_and_does_not_change_its_digest(when: str) -> None:
    """Nor does it keep the data waiting: a folder that a system wrote later is not newer data."""
    own = {"tall___MG_1_dot_JPG": 1, "wide___DSC1_dot_JPG": 1}
    plain = decide(model(when=when, quiet="5s"), listing(**own, _SUCCESS=2), later(10), KnownData())
    beside = {"_dot_ipynb_checkpoints__1_dot_png": 9, "tall__Thumbs_dot_db": 9, "tall___dot_x_dot_png": 9}
    verdict = decide(
        model(when=when, quiet="5s"), listing(**own, **beside, _SUCCESS=2), later(10), KnownData()
    )
    assert isinstance(plain, Landed)
    assert isinstance(verdict, Landed)
    (dataset,) = verdict.datasets
    assert dataset.digest == plain.datasets[0].digest
    assert len(dataset.objects) == 2
    assert {one.reason: one.examples for one in dataset.skipped if "marker" not in one.reason} == {
        "hidden": ("tall/.x.png",),
        "in a hidden folder": (".ipynb_checkpoints/1.png",),
        "made by the operating system": ("tall/Thumbs.db",),
    }


def test_data_that_has_nothing_but_such_files_waits_and_says_so() -> None:
    verdict = decide(model(when="marker"), listing(_dot_a=1, _SUCCESS=2), later(10), KnownData())
    assert isinstance(verdict, Waiting)
    assert "no data under s3://data/digits/; skipped 1 file, hidden: .a" in verdict.what


@pytest.mark.parametrize(
    ("objects", "now", "before", "landed"),
    [
        ({"a": 0}, 29, "", False),
        ({"a": 0}, 30, "", True),
        ({"a": 0, "b": 20}, 45, "", False),
        ({"a": 0, "b": 590}, 601, "", True),  # the oldest change has waited long enough
        ({"a": 590}, 601, "", False),  # an overwritten object has the age of its last write
        ({"a": 0}, 30, "ab", True),  # a removal does not wait
        ({"a": 0, "b": 590}, 601, "a", False),  # only b is new since the last landing
        ({"a": 590, "b": 0}, 601, "ab", False),  # the same bytes again are no change
    ],
)
def test_quiet_lands_after_a_pause_or_the_longest_wait(
    objects: dict[str, float], now: float, before: str, landed: bool
) -> None:
    verdict = decide(
        model(when="quiet", quiet="30s", maxWait="10m"),
        listing(**objects),
        later(now),
        KnownData(landed=dataset(before)),
    )
    assert isinstance(verdict, Landed if landed else Waiting), verdict


@pytest.mark.parametrize(("before", "landed"), [("", True), ("ab", True), ("abc", False), ("abcde", False)])
def test_quiet_lands_without_a_pause_when_enough_objects_have_changed(before: str, landed: bool) -> None:
    """One run gets all objects, those included that had landed before; what it waits for is said."""
    rule = model(when="quiet", quiet="30s", maxObjects=3)
    verdict = decide(rule, listing(a=0, b=1, c=2, d=3, e=4), later(5), KnownData(landed=dataset(before)))
    if landed:
        assert isinstance(verdict, Landed)
        assert len(verdict.datasets[0].objects) == 5
    else:
        assert isinstance(verdict, Waiting)
        assert (
            f"5 objects are there, {5 - len(before)} changed; waiting for 30s without a write" in verdict.what
        )
        assert ("or until the oldest change is 10m old" in verdict.what) is (before != "abcde")
        assert verdict.what.endswith(", or for 3 changed objects")


def test_object_makes_each_object_a_dataset_of_its_own_oldest_first() -> None:
    verdict = decide(model(when="object"), listing(b=1, a=2), later(10), KnownData())
    assert isinstance(verdict, Landed)
    assert [[one.uri[-1] for one in dataset.objects] for dataset in verdict.datasets] == [["b"], ["a"]]


def test_the_digest_is_of_the_data_and_not_of_the_time_it_came() -> None:
    first = decide(model(when="quiet"), listing(a=0, b=1), later(100), KnownData())
    again = decide(model(when="quiet"), list(reversed(listing(a=50, b=60))), later(200), KnownData())
    other = decide(model(when="quiet"), listing(a=0, c=1), later(100), KnownData())
    assert isinstance(first, Landed)
    assert isinstance(again, Landed)
    assert isinstance(other, Landed)
    assert first.datasets[0].digest == again.datasets[0].digest != other.datasets[0].digest


@pytest.mark.parametrize(
    ("when", "uri", "looks"),
    [
        ("marker", "s3://data/digits/_SUCCESS", True),
        ("marker", "s3://data/digits/a.png", False),
        ("marker", "s3://data/digits-old/_SUCCESS", False),
        ("object", "s3://data/digits/a.npz", True),
        ("object", "s3://data/digits/.a", False),
        ("quiet", "s3://data/digits/a.png", False),
        ("manifest", "s3://data/digits/manifest.json", True),
        ("manifest", "s3://data/digits/a.png", False),
        ("manifest", "s3://data/digits/sub/manifest.json", False),
    ],
)
def test_only_an_object_that_can_complete_a_dataset_is_worth_a_look(when: str, uri: str, looks: bool) -> None:
    assert may_land(model(when=when), uri) is looks
