"""A setting that cannot be is refused at once, in words of ours, with its variable and its value."""

import os

import pytest

from knoll.errors import Rejected
from knoll.settings import Settings, read_settings, variable

_URL = ["localhost:9000", "ftp://here/", "http://", "http://a b/", "http://a:99999/"]
_WAIT = ["-1", "0", "nan", "inf", "1e30", "soon"]
_NAME = ["Upper", "two words", "under_score", "-a"]
_WORD = ["two words", "ü"]
_PORT = ["-1", "65536", "1.5", "http"]
_LABELS = ["pool=gpu", "[1]", '{"pool": 1}', "["]
IMPOSSIBLE = {
    "home": ["~nobody-of-this-name/x"],
    "port": _PORT,
    "url": _URL,
    "s3_endpoint": _URL,
    "own_s3": _URL,
    "s3_region": _WORD,
    "model_bucket": ["Upper", "a", "a..b", "1.2.3.4", "x" * 64, "s3://models"],
    "cluster": ["Local", "kind"],
    "namespace": [*_NAME, "x" * 64],
    "broker": _NAME,
    "gateway_url": _URL,
    "prometheus": _URL,
    "sink": _URL,
    "recorded_share": ["-1", "101", "some"],
    "recorded_redact": ["age", "7", "[1]"],
    "log_share": ["-1", "101", "some"],
    "log_mode": ["none", "All"],
    "source": _WORD,
    "listen_host": _WORD,
    "listen_port": _PORT,
    "body_memory": ["1", "-1", "2Gi"],
    "memory": ["-1", "2Gi"],
    "revision": _WORD,
    "tick": _WAIT,
    "survey": _WAIT,
    "idle": _WAIT,
    "progress_deadline": _WAIT,
    "trainer_image": _WORD,
    "predictor_image": _WORD,
    "trainer_node_selector": _LABELS,
    "predictor_node_selector": _LABELS,
    "quota": ["0", "-1", "many"],
    "queue_name": _NAME,
    "priority_class": _NAME,
    "threads": ["-1", "two"],
    "rank": ["-1", "first"],
    "meeting": _WORD,
    "device": ["GPU", "cuda:one"],
    "cache": ["~nobody-of-this-name/x"],
    "cache_size": ["-1", "2Gi"],
}
# Any text can be one of these. What reads it says if it is none: a key as such, a file that is not there.
ANY_TEXT = {
    *("s3_access_key", "s3_secret_key", "token", "sign_key", "verify_key", "stamp_key", "stamp_verify_key"),
    *("revision_key", "answer_key", "kubeconfig", "kube_context", "eventing", "event_path"),
}


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("KNOLL_", "AWS_", "K_"))]:
        monkeypatch.delenv(name)


def test_each_setting_is_among_these() -> None:
    assert {*IMPOSSIBLE} | ANY_TEXT == {*Settings.model_fields}
    assert not {*IMPOSSIBLE} & ANY_TEXT


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in IMPOSSIBLE.items() for value in values]
)
def test_an_impossible_value_is_refused(field: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable(field), value)
    with pytest.raises(Rejected) as refused:
        read_settings()
    told = str(refused.value)
    assert told.startswith(variable(field))
    assert any(words in told for words in (value.partition("/")[0], "must be text, not 1", "not a list"))
    assert not any(words in told for words in ("Input", "parse", "Value error", "Expecting", "None", "<"))


@pytest.mark.parametrize("field", sorted(ANY_TEXT))
def test_any_text_is_taken_as_it_is(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable(field), "any text")
    assert str(getattr(read_settings(), field)) == "any text"


def test_the_variable_that_was_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those that a setting has."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:9000")
    with pytest.raises(Rejected, match=r"^AWS_ENDPOINT_URL must be a URL .*, not 'localhost:9000'$"):
        read_settings()


def test_all_faults_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNOLL_PORT", "x")
    monkeypatch.setenv("KNOLL_TICK", "-1")
    with pytest.raises(Rejected, match=r"KNOLL_PORT .*; KNOLL_TICK must be more than 0, not '-1'"):
        read_settings()
