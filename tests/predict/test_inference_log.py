"""What a predictor sends to the inference log, and what becomes of what it cannot send."""

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from cloudevents.http import CloudEvent, from_http

from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.events import MemoryEvents
from knoll.adapters.memory.platform import memory_platform
from knoll.errors import Unavailable
from knoll.events import Event
from knoll.events.http import event_to_http
from knoll.media_types import ANY_BYTES, JSON, PNG
from knoll.predict.answer import Answer
from knoll.predict.inference_log import MOST_LOGGED, MOST_OF_A_BODY, InferenceLog
from knoll.predict.work import Work
from knoll.records.signature import Signature
from knoll.settings import Settings
from predict.serving import serving
from predict.test_recorder import PERSON, RAW
from predict.test_served import DARK, Files

BODY, ANSWERED = b'{"instances": [[1, 2]]}', Answer(200, b'{"predictions": [[3]]}', {"content-type": JSON})


def make(signature: Signature = RAW, **changes: Any) -> tuple[InferenceLog, MemoryEvents]:
    """A log that takes all it is told, and the events that it sends."""
    sink, given = MemoryEvents(), {"sink": "http://sink", "log_share": 100, "namespace": "shop"}
    settings = Settings(**{**given, "revision": "digits-predictor-00007", **changes})
    return InferenceLog(
        "digits", "v000003", signature, memory_platform(MemoryClock(), settings, events=sink)
    ), sink


def ask(log: InferenceLog, body: bytes = BODY, answer: Answer = ANSWERED, **headers: str) -> None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    assert log.logged(lambda *_: answer, body, named, Work()) is answer


def sent(log: InferenceLog, sink: MemoryEvents) -> list[CloudEvent]:
    """The events as the SDK of CloudEvents reads them from their HTTP requests; the data stays bytes."""
    log.send()
    return [from_http(*event_to_http(one), data_unmarshaller=bytes) for one in sink.taken]


def test_a_request_and_its_answer_are_the_events_of_kserves_logger() -> None:
    log, sink = make()
    answer = replace(ANSWERED, headers={"content-type": JSON, "x-knoll-prediction": "digits.v000003.1"})
    ask(log, answer=answer, x_request_id="trace-1", content_type="application/x-www-form-urlencoded")
    asked, answered = sent(log, sink)
    assert (asked.data, answered.data) == (BODY, answer.body)
    assert [one["type"] for one in (asked, answered)] == [
        "org.kubeflow.serving.inference.request",
        "org.kubeflow.serving.inference.response",
    ]
    assert asked["source"] != answered["source"]
    for one in (asked, answered):
        found = {
            name: one[name]
            for name in ("id", "inferenceservicename", "namespace", "component", "endpoint", "modelversion")
        }
        assert found == {
            "id": "trace-1",
            "inferenceservicename": "digits",
            "namespace": "shop",
            "component": "predictor",
            "endpoint": "digits-predictor-00007",
            "modelversion": "v000003",
        }
        assert (one["predictionid"], one["specversion"]) == ("digits.v000003.1", "1.0")


@pytest.mark.parametrize(
    ("mode", "sides"),
    [("all", ["request", "response"]), ("request", ["request"]), ("response", ["response"])],
)
def test_the_mode_says_which_events_are_sent(mode: str, sides: list[str]) -> None:
    log, sink = make(log_mode=mode)
    ask(log)
    assert [one["type"].rpartition(".")[2] for one in sent(log, sink)] == sides


@pytest.mark.parametrize(
    ("headers", "answer", "types"),
    [
        ({}, ANSWERED, [JSON, JSON]),
        (
            {"inference_header_content_length": "9"},
            Answer(200, b"\xff", {"content-type": PNG}),
            [ANY_BYTES, PNG],
        ),
    ],
)
def test_the_data_is_called_what_it_is(headers: dict[str, Any], answer: Answer, types: list[str]) -> None:
    log, sink = make()
    ask(log, answer=answer, **headers)
    log.send()
    assert [event_to_http(one)[0]["content-type"] for one in sink.taken] == types


@pytest.mark.parametrize("id", ["trace-1", 'ein Wörtchen \x00\r\n"%', "x" * 5000, ""])
def test_any_id_of_a_client_becomes_one_that_a_broker_takes(id: str) -> None:
    log, sink = make()
    ask(log, ce_id=id)
    (asked, answered) = sent(log, sink)
    assert asked["id"] == answered["id"]
    assert 0 < len(asked["id"]) <= 200
    assert all("!" <= letter <= "~" for letter in asked["id"])


def test_the_id_alone_decides_whether_a_request_is_of_the_share() -> None:
    """In each predictor alike, and those of a share are among those of a larger one."""
    ids = [f"trace-{number}" for number in range(400)]

    def chosen(share: int) -> set[str]:
        log, sink = make(log_share=share, log_mode="request")
        for id in ids:
            ask(log, x_request_id=id)
        return {one["id"] for one in sent(log, sink)}

    few, many = chosen(10), chosen(60)
    assert few < many < {*ids}
    assert few == chosen(10)
    assert 15 < len(few) < 80


def test_only_what_a_user_was_answered_well_is_logged() -> None:
    log, sink = make()
    ask(log, answer=Answer(400, b"{}"))
    ask(log, x_knoll_replay="proof")
    ask(log, x_knoll_compare="id")
    assert sent(log, sink) == []


@pytest.mark.parametrize("change", [{"log_share": 0}, {"sink": ""}, {"recorded_redact": ("agee",)}])
def test_without_a_share_a_sink_or_a_field_to_redact_nothing_is_logged(change: dict[str, Any]) -> None:
    log, sink = make(PERSON, **change)
    ask(log)
    assert (log.share, sent(log, sink)) == (0, [])


def test_no_redacted_value_is_in_an_event() -> None:
    """A request that cannot be redacted is left out, with its answer."""
    log, sink = make(PERSON, recorded_redact=("age", "face"))
    person = {"age": [18446], "face": [[77] * 4] * 4, "income": [1.5, 2.5, 3.5]}
    ask(log, json.dumps({"instances": [person], "trace": "xyzzy"}).encode())
    ask(log, json.dumps({"inputs": [{"name": "age", "data": [18446]}]}).encode())
    asked, _ = sent(log, sink)
    assert not [one for one in (b"18446", b"77", b"xyzzy") if one in asked.data]
    assert json.loads(asked.data)["instances"][0]["income"] == [1.5, 2.5, 3.5]
    assert log.counts == {"sent": 1, "full": 0, "large": 0, "lost": 0, "unredacted": 1}


def test_what_waits_is_bounded_and_each_request_is_counted_once() -> None:
    log, sink = make()
    for _ in range(MOST_LOGGED + 7):
        ask(log)
    ask(log, b"x" * (MOST_OF_A_BODY + 1))
    assert len(sent(log, sink)) == 2 * MOST_LOGGED
    sink.before = lose
    ask(log)
    log.send()
    assert log.counts == {"sent": MOST_LOGGED, "full": 7, "large": 1, "lost": 1, "unredacted": 0}
    large = Answer(200, b"x" * MOST_OF_A_BODY, {})
    for _ in range(60):
        ask(log, answer=large)
    assert log.counts["full"] == 7 + 60 - 31


def lose(event: Event) -> None:
    raise Unavailable("the broker is away")


def test_metrics_count_what_became_of_requests(tmp_path: Path, files_of: Files, classifier: Any) -> None:
    """V1 and V2 alike; feedback is no prediction."""
    log, sink = make(classifier.signature)

    with serving("shade", files_of(classifier), around=lambda one: _with(one, log)) as found:
        body = {"instances": [DARK]}
        tensor = {"name": "image", "datatype": "FP32", "shape": [1, 1, 4, 4], "data": [0.0] * 16}
        assert httpx.post(f"{found.url}/v1/models/shade:predict", json=body).status_code == 200
        assert httpx.post(f"{found.url}/v2/models/shade/infer", json={"inputs": [tensor]}).status_code == 200
        httpx.post(f"{found.url}/v1/models/shade:feedback", json={"id": "x", "label": "dark"})
        log.send()
        text = httpx.get(f"{found.url}/metrics").text
    assert len(sink.taken) == 4
    (line,) = [
        one for one in text.splitlines() if one.startswith("knoll_logged_requests_total{") and "sent" in one
    ]
    assert line.endswith(" 2.0")


def _with(served: Any, log: InferenceLog) -> Any:
    return nullcontext(replace(served, log=log))
