"""A predictor as a process of its own, asked over HTTP."""

import base64
import io
import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from knoll.adapters.predictors_http import HttpPredictors
from knoll.events import Event
from knoll.events.http import event_from_http
from knoll.ports import PredictAnswer, PredictRequest
from knoll.predict.receipts import new_receipt, receipt_text, short_digest
from knoll.proofs import LABELS_PURPOSE, REPLAY_PURPOSE, REPORT_PURPOSE, is_proven, prove
from knoll.records.answered import Answered
from knoll.rollout.labelled import read_labels
from knoll.rollout.reports import read_report
from support.documented import undocumented

LIGHT, DARK = [[255] * 4] * 4, [[0] * 4] * 4
READY = "/v2/models/shade/ready"

Files = Callable[..., dict[str, bytes]]
Start = Callable[..., Any]


@pytest.fixture(scope="module")
def shade(start: Start, files_of: Files, classifier: Any) -> Iterator[httpx.Client]:
    """A client of a classifier that is ready."""
    predictor = start("shade", files_of(classifier))
    assert predictor.wait_ready(READY), predictor.stop()
    with httpx.Client(base_url=predictor.url, trust_env=False) as client:
        yield client


def predict(client: httpx.Client, *instances: Any, **headers: str) -> httpx.Response:
    return client.post("/v1/models/shade:predict", json={"instances": list(instances)}, headers=headers)


def png(pixels: Any, kind: str = "PNG") -> dict[str, str]:
    body = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(body, kind)
    return {"b64": base64.b64encode(body.getvalue()).decode()}


def test_pictures_in_every_form_get_the_same_answer(shade: httpx.Client) -> None:
    """Pixels, PNG, JPEG, a colour picture of another size, and KServe's wrappings of base64 are all read."""
    answer = predict(
        shade,
        LIGHT,
        png(LIGHT),
        {"image": png(LIGHT)},
        {"image_bytes": png(LIGHT, "JPEG")},
        png(np.full((9, 7, 3), 255)),
        DARK,
    )
    assert answer.status_code == 200
    assert [one["label"] for one in answer.json()["predictions"]] == ["light"] * 5 + ["dark"]
    assert answer.json()["warnings"] == [
        "instance 4: its 7x9 pixels were resized to 4x4",
        "instance 4: its colours became grey",
    ]
    assert answer.headers["x-model-warnings"] == "; ".join(answer.json()["warnings"])
    assert set(predict(shade, LIGHT).json()) == {"predictions"}
    assert answer.json()["predictions"][0]["probabilities"]["light"] > 0.9


def test_a_form_by_curl_is_read_as_json(shade: httpx.Client) -> None:
    """curl -d calls its body a form; the README's first request must work all the same."""
    body = json.dumps({"instances": [DARK]}).encode()
    answer = shade.post(
        "/v1/models/shade:predict",
        content=body,
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert answer.json()["predictions"][0]["label"] == "dark"


def test_every_answer_names_the_version(shade: httpx.Client) -> None:
    """Predictions, errors, health and unknown paths: all say which version answered, and its digest."""
    answers = [
        predict(shade, LIGHT),
        predict(shade, "x"),
        shade.get(READY),
        shade.get("/nowhere"),
        shade.post("/v2/repository/index"),
    ]
    assert [answer.status_code for answer in answers] == [200, 400, 200, 404, 404]
    for answer in answers:
        assert answer.headers["x-model-version"] == "v000001"
        assert len(answer.headers["x-model-digest"]) == 64


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"{", "not JSON"),
        (b"[]", "instances"),
        (b"{}", "instances"),
        (b'{"instances": []}', "at least one"),
        (b'{"instances": 7}', "list"),
        (json.dumps({"instances": [LIGHT, "x"]}).encode(), "instance 1: a picture is no bare text"),
        (json.dumps({"instances": [[[1, 2], [3]]]}).encode(), "instance 0: its lists have different lengths"),
        (json.dumps({"instances": [[[300] * 4] * 4]}).encode(), "instance 0: pixels must lie in 0..255"),
        (json.dumps({"instances": [{"b64": "bm8gcGljdHVyZQ=="}]}).encode(), "neither a PNG nor a JPEG"),
        (json.dumps({"instances": [{"b64": "aGk%"}]}).encode(), "not base64: character 4 of 4 is '%'"),
        (json.dumps({"instances": [{"b64": 7}]}).encode(), "b64 is no text"),
        (json.dumps({"instances": [{"b64": png(LIGHT)["b64"][:60]}]}).encode(), "cut short"),
        (json.dumps({"instances": [png(LIGHT, "BMP")]}).encode(), "it is a BMP"),
        (json.dumps({"instances": [{"url": "http://169.254.169.254/"}]}).encode(), "nested lists of pixels"),
        (b'{"instances": [[[NaN, 1], [1, 1]]]}', "not JSON"),
        (b'{"instances": ' + b"[" * 50_000, "nested too deeply"),
    ],
)
def test_a_bad_request_is_the_clients_fault(shade: httpx.Client, body: bytes, fault: str) -> None:
    """A request that cannot be read is a 400 that says why, and never a 5xx."""
    answer = shade.post(
        "/v1/models/shade:predict", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400, answer.text
    assert fault in answer.json()["error"]


def test_limits_are_kept_before_anything_is_read(shade: httpx.Client) -> None:
    """A body that is too large, announced or not, and a compressed one are refused."""
    large = b"x" * (33 * 2**20)
    assert shade.post("/v1/models/shade:predict", content=iter([large])).status_code == 413
    announced = b"POST /v1/models/shade:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"
    with socket.create_connection((shade.base_url.host, shade.base_url.port or 0), timeout=10) as raw:
        raw.sendall(announced)
        assert raw.recv(100).startswith(b"HTTP/1.1 413")
    assert (
        shade.post("/v1/models/shade:predict", content=b"", headers={"content-encoding": "gzip"}).status_code
        == 415
    )
    assert predict(shade, LIGHT).status_code == 200


def test_nobody_can_unload_the_model(shade: httpx.Client) -> None:
    """kserve's repository paths would take the model down for everybody."""
    assert shade.post("/v2/repository/models/shade/unload").status_code == 404
    assert shade.get(READY).status_code == 200


def test_v2_takes_and_gives_tensors(shade: httpx.Client) -> None:
    """The open inference protocol: metadata, JSON tensors in and out, and the version in the answer."""
    metadata = shade.get("/v2/models/shade").json()
    assert metadata["inputs"] == [{"name": "image", "datatype": "FP32", "shape": [-1, 1, 4, 4]}]
    image = {"name": "image", "datatype": "FP32", "shape": [2, 1, 4, 4], "data": [1.0] * 16 + [0.0] * 16}
    answer = shade.post("/v2/models/shade/infer", json={"id": "7", "inputs": [image]}).json()
    assert (answer["model_version"], answer["id"]) == ("v000001", "7")
    (output,) = answer["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("probabilities", "FP32", [2, 2])
    assert np.argmax(np.reshape(output["data"], (2, 2)), axis=1).tolist() == [1, 0]


def test_v2_tensors_travel_as_bytes_too(shade: httpx.Client) -> None:
    """The binary extension: a JSON head and raw float32 behind it."""
    image = {
        "name": "image",
        "datatype": "FP32",
        "shape": [1, 1, 4, 4],
        "parameters": {"binary_data_size": 64},
    }
    head = json.dumps({"inputs": [image]}).encode()
    headers = {"inference-header-content-length": str(len(head)), "content-type": "application/octet-stream"}
    answer = shade.post(
        "/v2/models/shade/infer", content=head + np.ones(16, np.float32).tobytes(), headers=headers
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["outputs"][0]["data"][1] > 0.9


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [1, 1, 4, 5]},
        {"shape": [1, 1, 3, 3]},
        {"datatype": "INT64"},
        {"name": "other"},
        {"data": ["x"] * 16},
        {"data": 7},
        {"shape": [-1]},
    ],
)
def test_a_bad_tensor_is_the_clients_fault(shade: httpx.Client, change: dict[str, Any]) -> None:
    """Wrong shape, type, name or data: 400, and no 5xx that would count against the version."""
    image = {"name": "image", "datatype": "FP32", "shape": [1, 1, 4, 4], "data": [0.0] * 16, **change}
    answer = shade.post("/v2/models/shade/infer", json={"inputs": [image]})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]


INPUT = {"name": "image", "datatype": "FP32", "shape": [1, 1, 4, 4], "parameters": {"binary_data_size": 64}}


@pytest.mark.parametrize(
    ("header", "tail", "length"),
    [
        ({}, b"", None),
        ([], b"", None),
        ("text", b"", None),
        ({"inputs": None}, b"", None),
        ({"inputs": "text"}, b"", None),
        ({"inputs": [{}]}, b"", None),
        ({"inputs": [{**INPUT, "name": None}]}, bytes(64), None),
        ({"inputs": [INPUT]}, bytes(8), None),
        ({"inputs": [{**INPUT, "shape": [1, 1, 9, 9]}]}, bytes(64), None),
        ({"inputs": [{**INPUT, "datatype": "BYTES"}]}, bytes(64), None),
        ({"inputs": [{**INPUT, "datatype": "FP99"}]}, bytes(64), None),
        ({"inputs": [{**INPUT, "parameters": {"binary_data_size": "x"}}]}, bytes(64), None),
        ({"inputs": [{**INPUT, "parameters": {"binary_data_size": -1}}]}, bytes(64), None),
        ({"inputs": [{**INPUT, "parameters": {"binary_data_size": 1.5}}]}, bytes(64), None),
        ({"inputs": [INPUT], "outputs": [{"name": "nothing"}]}, bytes(64), None),
        ({"inputs": [INPUT], "outputs": "text"}, bytes(64), None),
        ({"inputs": [INPUT]}, bytes(64), "two"),
        ({"inputs": [INPUT]}, bytes(64), "999999"),
    ],
)
def test_a_malformed_binary_request_is_the_clients_fault(
    shade: httpx.Client, header: Any, tail: bytes, length: str | None
) -> None:
    """It counts for nothing: otherwise one client could have every candidate rolled back."""
    text = json.dumps(header).encode()
    headers = {
        "content-type": "application/octet-stream",
        "inference-header-content-length": length or str(len(text)),
    }
    answer = shade.post("/v2/models/shade/infer", content=text + tail, headers=headers)
    assert answer.status_code == 400, answer.text
    assert "Error :" not in answer.text


def test_half_a_cloud_event_is_the_clients_fault(shade: httpx.Client) -> None:
    headers = {"ce-id": "1", "ce-type": "t", "ce-source": "s", "ce-specversion": "1.0"}
    assert shade.post("/v1/models/shade:predict", content=b"", headers=headers).status_code == 400


def test_many_instances_are_run_part_by_part_and_answered_in_order(shade: httpx.Client) -> None:
    answer = predict(shade, *([LIGHT, DARK] * 50))
    assert [one["label"] for one in answer.json()["predictions"]] == ["light", "dark"] * 50


def test_pictures_are_answered_as_png(start: Start, files_of: Files, generator: Any) -> None:
    """With Accept: image/png one instance is a picture and several are a grid; JSON has base64; a seed is
    reproducible."""
    predictor = start("art", files_of(generator))
    assert predictor.wait_ready("/v2/models/art/ready"), predictor.stop()

    def ask(body: bytes, accept: str = "application/json") -> PredictAnswer:
        return HttpPredictors().predict(PredictRequest(predictor.url, "art", body, accept))

    seeded = json.dumps({"instances": [{"seed": 7}]}).encode()
    one = ask(seeded, "image/png")
    again = json.loads(ask(seeded).body)["predictions"]
    several = json.dumps({"instances": [{}, {"seed": 1}, {"latent": [0, 0, 0]}]}).encode()
    grid = ask(several, "image/png")
    assert (one.status, one.content_type, one.version) == (200, "image/png", "v000001")
    assert Image.open(io.BytesIO(one.body)).size == (5, 2)
    assert base64.b64decode(again[0]["b64"]) == one.body
    assert Image.open(io.BytesIO(grid.body)).size == (10, 4)
    rather_json = ask(seeded, "image/png;q=0.5, application/json")
    assert rather_json.content_type == "application/json"
    assert ask(json.dumps({"instances": [{"latent": [0.0]}]}).encode()).status == 400


def test_with_a_key_it_proves_its_reports_and_leaves_out_proved_replays_alone(
    start: Start, files_of: Files, classifier: Any
) -> None:
    """A client cannot hide its requests by saying that they are replays, nor by the proof of another body."""
    key = "k" * 64
    with broker() as (sink, events):
        predictor = start("shade", files_of(classifier), sink, own_key=key)
        assert predictor.wait_ready(READY), predictor.stop()
        with httpx.Client(base_url=predictor.url, trust_env=False) as client:
            replay = json.dumps({"instances": [LIGHT]}).encode()
            right, wrong = (prove(one, REPLAY_PURPOSE, replay) for one in (key, "another"))
            sent = [(replay, right), (replay, "true"), (replay, wrong), (replay, "é"), (b"{}", right)]
            for body, shown in sent:
                headers = [(b"x-knoll-replay", shown.encode()), (b"x-knoll-session", b"ada")]
                answer = client.post("/v1/models/shade:predict", content=body, headers=headers)
                assert answer.status_code < 500
        predictor.stop()
    last = events[-1]
    assert last.data["requests"] == len(sent) - 1
    kept = read_report("shade", last)
    assert is_proven(last.data["proof"], key, REPORT_PURPOSE, kept.covered())
    assert (kept.sessions, kept.failed_sessions, kept.judged and kept.judged.requests) == (1, 0, 1)
    assert kept.cold == Answered(0, latency=(0,) * len(kept.whole.latency)), "a replay came first"
    for change in (
        {"errors": 1},
        {"timeouts": 1},
        {"cold": Answered(1)},
        {"outputs": None},
        {"sessions": 2},
        {"late": 1},
    ):
        changed = replace(kept, **change)
        assert not is_proven(last.data["proof"], key, REPORT_PURPOSE, changed.covered())


def test_labels_come_back_with_the_ids_of_answers_and_are_reported_with_a_proof(
    start: Start, files_of: Files, classifier: Any
) -> None:
    """V1 and V2 answers have ids; feedback counts as no prediction, and a forged id as nothing."""
    key, answers = "k" * 64, "a" * 64
    tensor = {"name": "image", "datatype": "FP32", "shape": [1, 1, 4, 4], "data": [0.0] * 16}
    with broker() as (sink, events):
        predictor = start("shade", files_of(classifier), sink, own_key=key, answer_key=answers)
        assert predictor.wait_ready(READY), predictor.stop()
        with httpx.Client(base_url=predictor.url, trust_env=False) as client:
            found = [
                predict(client, LIGHT),
                predict(client, LIGHT, DARK),
                client.post("/v2/models/shade/infer", json={"inputs": [tensor]}),
            ]
            ids = [one.headers["x-knoll-prediction"] for one in found]
            told = [(ids[0], ["light"]), (ids[1], ["dark", "dark"]), (ids[2], ["dark"])]
            path = "/v1/models/shade:feedback"
            for id, labels in told:
                assert client.post(path, json={"id": id, "labels": labels}).status_code == 200
            forged = {"id": ids[0][:-1] + ("0" if ids[0][-1] != "0" else "1"), "label": "dark"}
            assert client.post(path, json=forged).status_code == 400
            assert client.post(path, content=b"{").status_code == 400
            assert client.get(path).status_code == 405
            copied = json.dumps({"instances": [LIGHT, DARK]}).encode()
            other = new_receipt("shade", "v000002", int(time.time()), copied, [short_digest("dark")] * 2)
            for id in (receipt_text(other, answers), receipt_text(other, "another"), "x"):
                headers = {"x-knoll-compare": id}
                client.post("/v1/models/shade:predict", content=copied, headers=headers)
        predictor.stop()
    reports = [one for one in events if one.type == "dev.knoll.predictor.labelled"]
    labelled = [one for one in reports if one.data["version"] == "v000001"][-1]
    compared = read_labels("shade", [one for one in reports if one.data["version"] == "v000002"][-1])
    assert (compared.compared, compared.different, compared.windows) == (2, 1, ())
    kept = read_labels("shade", labelled)
    assert (kept.version, kept.by, kept.right, kept.wrong) == ("v000001", "v000001", 3, 1)
    assert is_proven(labelled.data["proof"], key, LABELS_PURPOSE, kept.covered())
    assert undocumented(events) == set()
    (observed,) = [one for one in events if one.type == "dev.knoll.predictor.observed"][-1:]
    assert (observed.data["requests"], observed.data["refused"]) == (6, 0)


def test_it_reports_what_it_has_answered(start: Start, files_of: Files, classifier: Any) -> None:
    """Counts are cumulative, replays are left out, bad requests are refused and no errors of the version, and
    SIGTERM brings the last report."""
    with broker() as (sink, events):
        predictor = start("shade", files_of(classifier), sink)
        assert predictor.wait_ready(READY), predictor.stop()
        with httpx.Client(base_url=predictor.url, trust_env=False) as client:
            for _ in range(3):
                predict(client, LIGHT, DARK)
            predict(client, "x")
            predict(client, LIGHT, **{"x-knoll-replay": "true"})
        predictor.stop()
    assert predictor.process.returncode == 0
    last = events[-1]
    assert (last.type, last.subject) == ("dev.knoll.predictor.observed", "shade")
    assert {
        key: last.data[key] for key in ("model", "version", "requests", "errors", "refused", "coldStarts")
    } == {
        "model": "shade",
        "version": "v000001",
        "requests": 4,
        "errors": 0,
        "refused": 1,
        "coldStarts": 1,
    }
    outputs = last.data["outputs"]
    assert outputs["bins"].startswith("classes-")
    assert {**outputs, "bins": ""} == {"bins": "", "counts": [0, 2], "notFinite": 0, "constant": 0}
    assert (last.data["timeouts"], last.data["cold"]["requests"], last.data["cold"]["refused"]) == (0, 1, 0)
    assert sum(last.data["latency"]["counts"]) == 4
    assert len(last.data["latency"]["counts"]) == len(last.data["latency"]["bucketsSeconds"]) + 1
    assert len({event.data["instance"] for event in events}) == 1
    requests = [event.data["requests"] for event in events]
    assert requests == sorted(set(requests)), "a report without a change"


def test_a_sink_that_never_answers_holds_nothing_up(
    start: Start, files_of: Files, classifier: Any, until: Callable[..., None]
) -> None:
    """The first report waits for its answer in vain; the last one, with every count, goes out all the same,
    and the process ends soon."""
    with silent_sink() as (sink, received):
        predictor = start("shade", files_of(classifier), sink)
        assert predictor.wait_ready(READY), predictor.stop()
        with httpx.Client(base_url=predictor.url, trust_env=False) as client:
            predict(client, LIGHT)
            until(lambda: any(b'"requests": 1,' in one for one in received))
            for _ in range(4):
                predict(client, LIGHT)
        began = time.monotonic()
        predictor.stop()
        assert time.monotonic() - began < 10
        assert predictor.process.returncode == 0
        assert any(b'"requests": 5,' in one for one in received)


@contextmanager
def silent_sink() -> Iterator[tuple[str, list[bytearray]]]:
    """A server that takes every request and answers none, and the bytes of each connection."""
    received: list[bytearray] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            received.append(bytearray())
            mine = received[-1]
            while more := self.request.recv(65536):
                mine += more

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", received
        finally:
            server.shutdown()


@contextmanager
def broker() -> Iterator[tuple[str, list[Event]]]:
    """A sink that keeps the events that it is sent."""
    events: list[Event] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            events.append(
                event_from_http(
                    dict(self.headers.items()), self.rfile.read(int(self.headers["content-length"]))
                )
            )
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", events
        finally:
            server.shutdown()
