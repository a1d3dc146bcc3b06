"""CloudEvents over HTTP: raw bytes in, raw bytes out, and what an attacker sees."""

import base64
import json
import logging
from functools import partial

import pytest
from cloudevents.conversion import to_binary, to_structured
from cloudevents.http import CloudEvent, from_http

from knoll.errors import InvalidData, InvalidEvent, StoreUnavailable
from knoll.events import Event
from knoll.events.http import event_from_http, event_to_http, is_event, refusal, respond

BINARY = {
    "Ce-Specversion": "1.0",
    "Ce-Id": "a-1",
    "Ce-Source": "/somewhere",
    "Ce-Type": "dev.knoll.tick",
    "Ce-Time": "2026-01-02T03:04:05Z",
    "Content-Type": "application/json",
}
STRUCTURED = {"content-type": "application/cloudevents+json; charset=utf-8"}
DOCUMENT = {
    "specversion": "1.0",
    "id": "a-1",
    "source": "/somewhere",
    "type": "dev.knoll.tick",
    "time": "2026-01-02T03:04:05Z",
}
EVENT = Event("a-1", "/somewhere", "dev.knoll.tick", "2026-01-02T03:04:05Z")


def structured(**changes: object) -> bytes:
    return json.dumps({**DOCUMENT, **changes}).encode()


def without(name: str) -> dict[str, str]:
    return {header: value for header, value in BINARY.items() if header != name}


def test_both_modes_give_the_same_event() -> None:
    """An event is the same whether its attributes travel as headers or in the body."""
    wanted = Event(
        "a-1",
        "/somewhere",
        "dev.knoll.tick",
        "2026-01-02T03:04:05Z",
        "é",
        {"n": [1]},
        {"runid": "r1", "dry": "true"},
    )
    headers = {**BINARY, "ce-subject": "%C3%A9", "ce-runid": "r1", "ce-dry": "true"}
    assert event_from_http(headers, b'{"n": [1]}') == wanted
    assert (
        event_from_http(STRUCTURED, structured(subject="é", runid="r1", dry=True, data={"n": [1]})) == wanted
    )
    in_base64 = structured(
        subject="é", runid="r1", dry=True, data_base64=base64.b64encode(b'{"n": [1]}').decode()
    )
    assert event_from_http(STRUCTURED, in_base64) == wanted


def test_an_event_without_data_has_none() -> None:
    """An empty body in binary mode, a missing or null data in structured mode: no data."""
    assert event_from_http(without("Content-Type"), b"") == EVENT
    assert event_from_http(STRUCTURED, structured()) == EVENT
    assert event_from_http(STRUCTURED, structured(data=None, subject=None)) == EVENT


@pytest.mark.parametrize(
    ("raw", "subject"),
    [
        ("a%20b", "a b"),
        ("100%2525", "100%25"),
        ('"quoted \\"q\\" %41"', 'quoted "q" A'),
        ("plus+stays", "plus+stays"),
        ("50%", "50%"),
    ],
)
def test_header_values_are_decoded_exactly_once(raw: str, subject: str) -> None:
    """Quotes come off, then one round of percent-decoding, as the HTTP binding says."""
    assert event_from_http({**BINARY, "ce-subject": raw}, b"").subject == subject


def test_the_sdk_reads_what_we_write_and_we_read_what_it_writes() -> None:
    """The SDK of the CloudEvents project and knoll understand each other, in both modes."""
    event = Event(
        "a-1",
        "/s",
        "t",
        "2026-01-02T03:04:05+00:00",
        "digits",
        {"runId": "r", "é": 1.5},
        {"correlationid": "c"},
    )
    headers, body = event_to_http(event)
    assert headers["content-type"] == "application/cloudevents+json"
    seen = from_http(headers, body)
    assert (seen["id"], seen["correlationid"], seen.get_data()) == ("a-1", "c", event.data)
    theirs = CloudEvent({**DOCUMENT, "subject": "digits", "correlationid": "c"}, {"runId": "r"})
    for write in (to_structured, to_binary):
        read = event_from_http(*write(theirs))
        assert (read.id, read.subject, read.extensions, read.data) == (
            "a-1",
            "digits",
            {"correlationid": "c"},
            {"runId": "r"},
        )


@pytest.mark.parametrize(
    ("headers", "body", "fault"),
    [
        (without("Ce-Id"), b"{}", "id must be"),
        (without("Ce-Specversion"), structured(), "specversion"),
        ({**BINARY, "Ce-Specversion": "0.3"}, b"", "specversion"),
        ({**BINARY, "Ce-Id": ""}, b"", "id must be"),
        ({**BINARY, "ce-id": "a-2"}, b"", "ce-id is given twice"),
        ({**BINARY, "Ce-Data": "x"}, b"", "no header ce-data"),
        ({**BINARY, "Ce-Data_base64": "eA=="}, b"", "no header ce-data_base64"),
        ({**BINARY, "Ce-Bad_Name": "x"}, b"", "bad_name"),
        ({**BINARY, "Ce-": "x"}, b"", "lower-case alphanumeric"),
        ({**BINARY, "Ce-Subject": "%ff%fe"}, b"", "not percent-encoded UTF-8"),
        ({**BINARY, "Ce-Subject": "x%0d%0aSet-Cookie: a"}, b"", "control characters in subject"),
        ({**BINARY, "Ce-Source": "/a%20b"}, b"", "printable ASCII"),
        (BINARY, b"{", "the data is not JSON: line 1, column 2: its end is missing"),
        (BINARY, b'{"b": {"a": 1, "a": 2}}', "an object has the key 'a' twice"),
        (BINARY, b'{"\\u001b": 1, "\\u001b": 2}', r"the key '\x1b' twice"),
        (BINARY, b"[NaN]", "NaN and Infinity are no JSON numbers"),
        (BINARY, b"[1e999]", "a number is too large for 64 bits"),
        (BINARY, b"[%s]" % (b"9" * 5000), "a number is too large for 64 bits"),
        (BINARY, b'["\\ud800"]', "half of a surrogate pair"),
        (BINARY, b"[" * 100_000, "nested too deeply"),
        (BINARY, b'["\xff"]', "it is not in UTF-8, from byte 3 of 5"),
        (BINARY, '{"a": 1}'.encode("utf-16"), "it begins with a byte order mark"),
        ({**BINARY, "Content-Type": "text/plain"}, b"hello", "not JSON"),
        (STRUCTURED, b"", "the body is not JSON: it is empty"),
        (STRUCTURED, b"[]", "a JSON object"),
        (STRUCTURED, structured(id=7), "id must be"),
        (STRUCTURED, structured(extensions={"a": 1}), "not a scalar"),
        (STRUCTURED, structured(data=1, data_base64="MQ=="), "exclude each other"),
        (STRUCTURED, structured(data_base64="%%%"), "not base64"),
        (STRUCTURED, structured(data_base64=7), "not base64"),
        ({"content-type": "application/cloudevents-batch+json"}, b"[]", "one event at a time"),
        ({"content-type": "application/cloudevents+avro"}, b"", "avro"),
        ({"content-type": "application/json"}, b"{}", "specversion"),
    ],
)
def test_what_is_no_event_is_refused_with_its_fault(headers: dict[str, str], body: bytes, fault: str) -> None:
    """Each fault is named; none passes as an event, and none is an unexpected exception."""
    with pytest.raises(InvalidEvent) as caught:
        event_from_http(headers, body)
    assert fault in f"{caught.value} {caught.value.fix}"


def test_all_faults_are_listed_at_once() -> None:
    """Who sends a wrong event learns everything that is wrong with it."""
    with pytest.raises(InvalidEvent, match=r"id must be.*source must be.*type must be.*specversion"):
        event_from_http(STRUCTURED, b'{"data": 1}')


@pytest.mark.parametrize(
    "headers", [BINARY, STRUCTURED, {"CE-ID": "x"}, {"content-type": "application/cloudevents-batch+json"}]
)
def test_a_faulty_event_is_still_told_from_a_notification(headers: dict[str, str]) -> None:
    """Headers that announce an event are enough; a plain webhook has none of them."""
    assert is_event(headers)
    assert not is_event({"content-type": "application/json", "x-ce-id": "1"})


def test_a_handler_without_a_reply_gives_an_empty_204() -> None:
    """The broker takes any body that is not an event for a failure."""
    answer = respond(lambda: None)
    assert (answer.status, answer.body, answer.headers) == (204, b"", {})


def test_a_reply_travels_as_a_structured_event() -> None:
    """What a handler returns is what the broker reads."""
    answer = respond(lambda: event_from_http(BINARY, b'{"a": 1}'))
    assert answer.status == 200
    assert event_from_http(answer.headers, answer.body) == event_from_http(BINARY, b'{"a": 1}')


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (InvalidData("data/3.png is no picture"), 422, "rejected: InvalidData: data/3.png is no picture"),
        (StoreUnavailable("s3cr3t endpoint"), 503, "unavailable: StoreUnavailable; try again later"),
        (KeyError("s3cr3t"), 503, "failed: KeyError; the log of the function says why"),
        (MemoryError(), 503, "failed: MemoryError; the log of the function says why"),
    ],
)
def test_errors_become_verdicts_that_give_nothing_away(
    error: Exception, status: int, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Never right is 422, everything else 503; no answer holds a secret, and the log has the whole story."""

    def handle(_: Event) -> None:
        raise error

    with caplog.at_level(logging.WARNING):
        answer = respond(
            lambda: handle(
                event_from_http({**BINARY, "authorization": "Bearer s3cr3t"}, b'{"password": "s3cr3t"}')
            )
        )
    assert (answer.status, json.loads(answer.body)) == (status, {"error": text})
    assert answer.headers == {"content-type": "application/json"}
    assert str(error) in caplog.text or "Traceback" in caplog.text


@pytest.mark.parametrize("text", ["a" * 5000, '"' * 5000, "\u732b" * 5000, "\ud800" * 5000])
def test_a_broker_keeps_the_whole_of_a_refusal(text: str) -> None:
    """It cuts what a function answers after 1,024 bytes."""
    body = refusal(422, text).body
    assert 800 < len(body) <= 1024
    assert json.loads(body)["error"]


def test_a_refused_body_is_not_echoed() -> None:
    """Neither the body nor the headers of a broken request come back: they would end in the dead-letter
    queue."""
    for headers, body in (
        (STRUCTURED, b"{s3cr3t"),
        (BINARY, b"s3cr3t"),
        ({**STRUCTURED, "authorization": "s3cr3t"}, b"[]"),
    ):
        answer = respond(partial(event_from_http, headers, body))
        assert answer.status == 422
        assert b"s3cr3t" not in answer.body
