"""The rule `manifest`: what it takes, what it waits for, and that it says so."""

import json
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knoll.ingest.landed import KnownData, Landed, Waiting, decide
from knoll.ingest.manifest import MOST_BYTES, ManifestEntry, dump_manifest, read_manifest
from knoll.models import Model, parse_model
from knoll.ports import ObjectInfo

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PREFIX = "s3://data/digits/"
MODEL: Model = parse_model(
    {
        "apiVersion": "knoll.dev/v1alpha1",
        "kind": "Model",
        "metadata": {"name": "digits"},
        "spec": {"family": "image-classifier", "dataset": {"uri": PREFIX, "landed": {"when": "manifest"}}},
    }
)
ONE, TWO = sha256(b"one").hexdigest(), sha256(b"two").hexdigest()
ENTRY = {"path": "1/a.png", "sha256": ONE}


def listing(*names: str, size: int = 3) -> list[ObjectInfo]:
    return [ObjectInfo(PREFIX + name, f"etag-{name}", size, NOW) for name in names]


def read(**known: str) -> dict[tuple[str, str], str]:
    """What is known of sha256, by the name of the object."""
    return {(PREFIX + name, f"etag-{name}"): value for name, value in known.items()}


def verdict(
    manifest: object, objects: list[ObjectInfo], known: dict[tuple[str, str], str]
) -> Landed | Waiting:
    return decide(MODEL, objects, NOW, KnownData(manifest=json.dumps(manifest).encode(), sha256=known))


def test_the_data_lands_when_all_that_is_listed_is_there_with_its_sha256() -> None:
    """Those objects are the dataset, and no others; each keeps its etag and sha256. What else lies there is
    counted, also what is listed and is no data."""
    entries = [{"path": one, "sha256": sha, "size": 3} for one, sha in (("b", TWO), ("_a", ONE), (".d", ONE))]
    found = verdict(entries, listing("_a", "b", "c", ".d", "manifest.json"), read(_a=ONE, b=TWO, c=TWO))
    assert isinstance(found, Landed)
    (dataset,) = found.datasets
    assert [(one.uri, one.etag, one.sha256) for one in dataset.objects] == [
        (PREFIX + "_a", "etag-_a", ONE),
        (PREFIX + "b", "etag-b", TWO),
    ]
    assert [(one.reason, one.examples) for one in dataset.skipped] == [
        ("hidden", (".d",)),
        ("not in the manifest", ("c",)),
    ]


@pytest.mark.parametrize(
    ("objects", "known", "reason"),
    [
        (listing(), {}, "no data under s3://data/digits/"),
        (
            listing("a"),
            {},
            "1 object is there, the manifest s3://data/digits/manifest.json is not: write it last",
        ),
        (
            listing("a", "manifest.json"),
            read(a=ONE),
            "s3://data/digits/b is in the manifest and not in the bucket: upload what",
        ),
        (
            listing("manifest.json"),
            {},
            "a is in the manifest and not in the bucket (the first of 2 faults): upload",
        ),
        (
            listing("a", "b", "manifest.json", size=4),
            {},
            "s3://data/digits/b has 4 bytes, and 3 in the manifest",
        ),
        (
            listing("a", "b", "manifest.json"),
            read(a=TWO),
            f"s3://data/digits/a has sha256 {TWO}, and {ONE} in the manifest",
        ),
    ],
)
def test_what_is_missing_or_different_is_named(
    objects: list[ObjectInfo], known: dict[tuple[str, str], str], reason: str
) -> None:
    """A reason to wait is one that the user can act on; nothing is read for a dataset that cannot land."""
    found = verdict([{"path": "a", "sha256": ONE}, {"path": "b", "sha256": TWO, "size": 3}], objects, known)
    assert isinstance(found, Waiting)
    assert reason in found.what
    assert not found.unread


def test_objects_whose_sha256_nobody_knows_are_asked_for() -> None:
    """An object that was overwritten has another etag, and is read again."""
    known = {(PREFIX + "a", "etag-of-before"): ONE, **read(b=ONE)}
    found = verdict(
        [{"path": "a", "sha256": ONE}, {"path": "b", "sha256": ONE}],
        listing("a", "b", "manifest.json"),
        known,
    )
    assert isinstance(found, Waiting)
    assert [one.uri for one in found.unread] == [PREFIX + "a"]
    assert "the sha256 of 1 of 2 is still to be read" in found.what


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "it is not JSON"),
        (b"1/a.png " + ONE.encode(), "it is not JSON"),
        (b"\xff\xfe", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        ({"files": [ENTRY]}, "write a list"),
        ([], "it lists nothing"),
        ([ENTRY, ENTRY], "it lists '1/a.png' twice"),
        ([{"path": "1/a.png"}], "[0].sha256: must be given"),
        (
            [ENTRY, {**ENTRY, "path": "b", "etag": "x"}],
            "[1].etag: there is no such field: write path, sha256 and size",
        ),
        ([{**ENTRY, "sha256": ONE.upper()}], "[0].sha256: write 64 lower-case hex digits"),
        ([{**ENTRY, "sha256": ONE[:40]}], "[0].sha256: write 64 lower-case hex digits"),
        ([{**ENTRY, "sha256": ONE + "\n"}], "[0].sha256: write 64 lower-case hex digits"),
        ([{**ENTRY, "size": -1}], "[0].size"),
        ([{**ENTRY, "size": "3"}], "[0].size"),
        ([{**ENTRY, "path": 3}], "[0].path"),
        *(
            ([{**ENTRY, "path": path}], "[0].path: write a path under the prefix")
            for path in ("", "/a", "../a", "a/../b", "./a", "a//b", "a/")
        ),
        ([{**ENTRY, "path": "manifest.json"}], "the manifest lists itself"),
    ],
)
def test_a_wrong_manifest_is_waited_for_and_told_what_is_wrong_with_it(body: object, words: str) -> None:
    """The next manifest may be right, so nothing is rejected for good."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = decide(MODEL, listing("1/a.png", "manifest.json"), NOW, KnownData(manifest=raw))
    assert isinstance(found, Waiting)
    assert words in found.what
    assert not found.unread


def test_a_manifest_that_is_too_large_is_not_read() -> None:
    found = decide(MODEL, listing("a", "manifest.json", size=MOST_BYTES + 1), NOW, KnownData())
    assert isinstance(found, Waiting)
    assert "is larger than" in found.what


@given(
    st.binary()
    | st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)).map(
        json.dumps
    )
)
def test_whatever_lies_there_is_a_manifest_or_told_what_is_wrong_with_it(body: bytes | str) -> None:
    """No bytes of a bucket stop ingest."""
    raw = body if isinstance(body, bytes) else body.encode()
    found = decide(MODEL, listing("manifest.json"), NOW, KnownData(manifest=raw))
    assert isinstance(found, Waiting)
    assert "the manifest s3://data/digits/manifest.json is wrong: " in found.what


def test_what_is_written_is_what_is_read() -> None:
    entries = [ManifestEntry(path="1/ü a.png", sha256=ONE, size=3), ManifestEntry(path="b", sha256=TWO)]
    assert read_manifest(dump_manifest(entries)) == entries
    assert read_manifest(b"\xef\xbb\xbf" + dump_manifest(entries)) == entries
