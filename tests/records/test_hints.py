"""Hints and caches are written over, whatever lies there: otherwise a stranger could stop for ever what needs
them."""

from collections.abc import Callable
from typing import Any

import pytest

from knoll.adapters.memory.store import MemoryStore
from knoll.ports import Bucket
from knoll.records.checksums import checksums_uri, known_checksums, write_checksums
from knoll.records.manifest import Manifest, manifest_uri
from knoll.records.progress import Progress, find_progress, progress_uri, write_progress
from knoll.records.strays import find_strays
from knoll.records.survey import Survey, find_survey, survey_uri, write_survey
from support.keys import signer_of
from support.strays import BODIES, RUN

ROOT = "s3://knoll-models"
AT = "2026-01-01T00:00:00+00:00"
PUBLIC = signer_of().public.pem
CHECKSUMS = {("s3://data/digits/0.png", "etag"): "0" * 64}
MADE = Manifest("digits", "v000001", "f", f"digits-{'0' * 20}", "d", {}, {}, "now", "0", {})
PROGRESS = Progress("training", 7, None, {}, AT)


@pytest.mark.parametrize(
    "keys", [{}, {"verify_key": PUBLIC, "stamp_verify_key": PUBLIC}], ids=["no keys", "keys"]
)
@pytest.mark.parametrize("body", [one for one in BODIES if one != "of another"])
@pytest.mark.parametrize(
    ("uri", "write", "find", "written"),
    [
        (
            checksums_uri(ROOT, "digits"),
            lambda bucket: write_checksums("digits", CHECKSUMS, bucket),
            lambda bucket: known_checksums("digits", bucket),
            CHECKSUMS,
        ),
        (survey_uri(ROOT), lambda bucket: write_survey(Survey(AT), bucket), find_survey, Survey(AT)),
        (
            progress_uri(ROOT, RUN),
            lambda bucket: write_progress(RUN, PROGRESS, bucket),
            lambda bucket: find_progress(RUN, bucket),
            PROGRESS,
        ),
    ],
    ids=["checksums", "survey", "progress"],
)
def test_a_stray_in_the_place_of_a_hint_is_named_and_written_over(
    uri: str,
    write: Callable[[Bucket], None],
    find: Callable[[Bucket], Any],
    written: Any,
    body: str,
    keys: dict[str, str],
) -> None:
    bucket = Bucket(MemoryStore(), ROOT, **keys)
    bucket.store.put(uri, BODIES[body])
    (stray,) = find_strays(bucket)
    assert stray.fix == ""
    assert not find(bucket)
    write(bucket)
    assert find(bucket) == written
    known = ["its run was never opened"] if "progress/" in uri else []
    assert [one.why for one in find_strays(bucket)] == known


@pytest.mark.parametrize(
    ("key", "body", "why"),
    [
        ("models/digits/v000002/model.onnx", b"x", "no run has claimed v000002"),
        ("models/digits/v000002/README.md", b"x", "no run has claimed v000002"),
        ("removing/digits/v000001.json", MADE.encode(), "has its manifest, so it is not being removed"),
        (f"superseded/{RUN}.json", b"{}", "its run was never opened"),
        (f"superseded/{RUN}.json", b"junk", "it cannot be read"),
        (f"progress/{RUN}.json", PROGRESS.encode(), "its run was never opened"),
        ("probes/zz/a", b"x", "no record in probes/ has such a name"),
    ],
)
def test_what_belongs_to_no_version_and_no_run_is_named(key: str, body: bytes, why: str) -> None:
    """Although it is in a right place, and whole."""
    bucket = Bucket(MemoryStore(), ROOT)
    bucket.store.put(f"{ROOT}/claims/digits/v000001", MADE.run.encode())
    bucket.store.put(manifest_uri(ROOT, "digits", "v000001"), MADE.encode())
    bucket.store.put(f"{ROOT}/{key}", body)
    (stray,) = find_strays(bucket)
    assert stray.key == key
    assert why in stray.why
