"""What helps is told by what the server said: keys are named only if it refused them."""

import pytest

from knoll.adapters.s3_answers import AWS, no_answer, refusal

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
