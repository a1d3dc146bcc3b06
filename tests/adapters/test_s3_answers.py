"""What helps is told by what the server said: keys are named only if it refused them."""

import io
import tracemalloc

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    PaginationError,
    ProfileNotFound,
    ReadTimeoutError,
)
from botocore.response import StreamingBody

from knoll.adapters.s3_answers import AWS, body_of, client_fault, no_answer, refusal

PLACE = "http://store:9000"


@pytest.mark.parametrize(
    ("place", "status", "code", "word"),
    [
        (PLACE, 403, "InvalidAccessKeyId", "a pair of keys that this server knows"),
        (PLACE, 403, "AccessDenied", "the right to use this bucket"),
        (PLACE, 503, "SlowDown", "read its log"),
        (PLACE, 400, "BadDigest", "it does not take this request"),
        (AWS, 403, "AccessDenied", "AWS_PROFILE"),
    ],
)
def test_a_refusal_says_what_helps(place: str, status: int, code: str, word: str) -> None:
    error = refusal("s3://data/a", place, status, code, "GetObject")
    assert f"it answered {status} {code}" in str(error)
    assert word in error.fix


def test_a_server_that_does_not_answer_has_not_refused_our_keys() -> None:
    assert "key" not in no_answer(PLACE)


def test_nobody_is_told_to_start_the_store_that_the_platform_starts_again() -> None:
    assert "knoll up starts its store again" in no_answer(PLACE, is_own=True)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ConnectTimeoutError(endpoint_url=PLACE), "no connection within 5 s"),
        (ReadTimeoutError(endpoint_url=PLACE), "connected, and no answer within 60 s"),
        (
            EndpointConnectionError(endpoint_url=PLACE, error=OSError("[Errno 111] Connection refused")),
            "no connection: nothing listens there",
        ),
        (EndpointConnectionError(endpoint_url=PLACE), "no connection"),
        (NoCredentialsError(), "this machine has no keys for it"),
        (ProfileNotFound(profile="x"), "~/.aws has no profile of the name in AWS_PROFILE"),
        (PaginationError(message="x"), "the client of S3 has ended with PaginationError"),
    ],
)
def test_why_the_client_has_no_answer_is_told_in_our_words(error: BotoCoreError, told: str) -> None:
    assert client_fault(error, 5, 60) == told


@pytest.mark.parametrize("knows_ranges", [True, False])
@pytest.mark.parametrize("part", [range(4), range(3, 7), range(8, 20), range(10, 20)])
def test_a_part_is_read_from_a_server_that_knows_no_ranges(part: range, knows_ranges: bool) -> None:
    """It sends the whole object, with 200."""
    whole = b"0123456789"
    wanted = whole[part.start : part.stop]
    sent = wanted if knows_ranges else whole
    answer = {
        "Body": StreamingBody(io.BytesIO(sent), len(sent)),
        "ResponseMetadata": {"HTTPStatusCode": 206 if knows_ranges else 200},
    }
    assert body_of(answer, part) == wanted


def test_no_more_than_a_part_is_held_of_what_such_a_server_sends() -> None:
    whole = io.BytesIO(bytes(64 * 2**20))
    answer = {"Body": StreamingBody(whole, 64 * 2**20), "ResponseMetadata": {"HTTPStatusCode": 200}}
    tracemalloc.start()
    try:
        assert len(body_of(answer, range(50 * 2**20, 51 * 2**20))) == 2**20
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()
    assert whole.closed
