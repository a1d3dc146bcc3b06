"""A Model names only places that a store can have."""

from typing import Any

import pytest
from pydantic import ValidationError

from knoll.models.spec import DatasetSpec, LandedSpec

BUCKET = "s3://datasets/"


@pytest.mark.parametrize(
    ("prefix", "fault"),
    [
        ("../x/", "no part of a key"),
        ("a/./", "no part of a key"),
        ("t15//", "two slashes"),
        ("/", "two slashes"),
        ("a\n/", "line breaks"),
        ("a\x9b/", "control characters"),
        ("\u202ea/", "direction of writing"),
        ("é" * 400 + "/", "768 bytes"),
    ],
)
def test_a_prefix_that_no_store_takes_or_no_screen_shows_is_refused(prefix: str, fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        DatasetSpec.model_validate({"uri": BUCKET + prefix})


@pytest.mark.parametrize("prefix", ["", "a b/", "...x/y../", "é/", ".h/", "a?b/#c/%2e/", "x" * 767 + "/"])
def test_a_prefix_that_a_store_takes_is_read_as_it_is_written(prefix: str) -> None:
    assert DatasetSpec.model_validate({"uri": BUCKET + prefix}).uri == BUCKET + prefix


@pytest.mark.parametrize("field", ["marker", "manifest"])
@pytest.mark.parametrize(
    ("name", "fault"),
    [
        (".", "no part of a key"),
        ("..", "no part of a key"),
        ("a\nb", "line breaks"),
        ("a\u2066b", "direction of writing"),
        ("é" * 128, "255 bytes"),
    ],
)
def test_a_marker_or_manifest_that_no_object_can_be_is_refused(field: str, name: str, fault: str) -> None:
    given: dict[str, Any] = {field: name}
    with pytest.raises(ValidationError, match=fault):
        LandedSpec.model_validate(given)
