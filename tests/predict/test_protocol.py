"""A predictor as clients of KServe and of the Open Inference Protocol see it; those of kserve's SDK judge."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest
from jsonschema import Draft202012Validator
from kserve import InferInput, InferRequest
from kserve.inference_client import InferenceRESTClient, RESTConfig
from prometheus_client.parser import text_string_to_metric_families

from knoll.errors import Unavailable
from knoll.paths import PREDICTED
from knoll.predict.answer import Answer
from knoll.predict.envelope import Envelope
from knoll.predict.memory_budget import MemoryBudget
from knoll.predict.predictions import Predictions
from knoll.predict.start_times import FETCH, VERIFY, StartTimes, process_age
from knoll.request_limits import ByteBudget
from predict.test_predictor import LIGHT, READY, Files, Start, predict

GIVEN = np.zeros((2, 1, 4, 4), np.float32)


@pytest.fixture(scope="module")
def first(start: Start, files_of: Files, classifier: Any) -> Iterator[tuple[httpx.Client, httpx.Response]]:
    """A client of a predictor, and the answer to its very first request."""
    predictor = start("shade", files_of(classifier), answer_key="a" * 64)
    assert predictor.wait_ready(READY), predictor.stop()
    with httpx.Client(base_url=predictor.url, trust_env=False, timeout=60) as client:
        yield client, predict(client, LIGHT)


@pytest.fixture
def shade(first: tuple[httpx.Client, httpx.Response]) -> httpx.Client:
    return first[0]


def by_sdk(protocol: str, ask: Callable[[InferenceRESTClient], Awaitable[Any]]) -> Any:
    """What a client of kserve's SDK gets."""

    async def asked() -> Any:
        async with InferenceRESTClient(
            RESTConfig(transport=httpx.AsyncHTTPTransport(), protocol=protocol)
        ) as client:
            return await ask(client)

    return asyncio.run(asked())


@pytest.mark.parametrize("is_binary", [False, True])
@pytest.mark.parametrize("wants_binary", [False, True])
def test_a_v2_client_of_kserve_sends_and_gets_tensors(
    shade: httpx.Client, is_binary: bool, wants_binary: bool
) -> None:
    """In JSON and in binary form, each way."""
    tensor = InferInput("image", list(GIVEN.shape), "FP32")
    tensor.set_data_from_numpy(GIVEN, binary_data=is_binary)
    request = InferRequest("shade", [tensor], "seven", parameters={"binary_data_output": wants_binary})
    url, seen = str(shade.base_url), dict[str, str]()
    answer = by_sdk("v2", lambda one: one.infer(url, request, model_name="shade", response_headers=seen))
    assert (answer.model_name, seen["x-model-version"], answer.id) == ("shade", "v000001", "seven")
    (output,) = answer.outputs
    assert (output.name, output.datatype, output.shape) == ("probabilities", "FP32", [2, 2])
    assert output.as_numpy()[:, 0] == pytest.approx([0.98, 0.98], abs=0.01)
    assert ("inference-header-content-length" in seen) == wants_binary


def test_a_v1_client_of_kserve_gets_predictions(shade: httpx.Client) -> None:
    url = str(shade.base_url)
    answer = by_sdk("v1", lambda one: one.infer(url, {"instances": [LIGHT]}, model_name="shade"))
    assert answer["predictions"][0]["label"] == "light"


def test_clients_of_kserve_see_that_it_lives_and_is_ready(shade: httpx.Client) -> None:
    url = str(shade.base_url)
    assert by_sdk("v2", lambda one: one.is_server_live(url)) is True
    assert by_sdk("v2", lambda one: one.is_server_ready(url)) is True
    assert by_sdk("v1", lambda one: one.is_server_live(url)) is True
    for protocol in ("v1", "v2"):
        assert by_sdk(protocol, lambda one: one.is_model_ready(url, "shade")) is True
    assert by_sdk("v2", lambda one: one.is_model_ready(url, "other")) is False


def test_a_client_of_kserve_learns_what_was_wrong(shade: httpx.Client) -> None:
    url = str(shade.base_url)
    with pytest.raises(httpx.HTTPStatusError, match="there is no such model here"):
        by_sdk("v2", lambda one: one.infer(url, {"inputs": []}, model_name="other"))


def test_what_it_says_of_itself(shade: httpx.Client) -> None:
    """A query, and what a client would rather accept, change nothing."""
    told = {
        path: shade.get(f"{path}?x=1", headers={"accept": "x/y"}).json() for path in ("/v2", "/v1/models")
    }
    assert told["/v2"]["name"] == "knoll"
    assert told["/v1/models"] == shade.get("/v2/models").json() == {"models": ["shade"]}
    metadata = shade.get("/v2/models/shade").json()
    assert (metadata["versions"], metadata["platform"]) == (["v000001"], "onnxruntime_onnx")
    assert metadata["outputs"] == [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]}]


@pytest.mark.parametrize("path", ["/v1/models/other", "/v2/models/other", "/v2/models/other/ready"])
def test_another_model_is_not_there(shade: httpx.Client, path: str) -> None:
    answer = shade.get(path)
    assert (answer.status_code, answer.json()["error"]) == (404, "there is no such model here; this is shade")


def test_its_description_says_what_it_takes_and_answers(shade: httpx.Client) -> None:
    """Each path is there, for the method that is described and for no other, and gives what its schema says.
    The page for people shows all."""
    document = shade.get("/openapi.json").json()
    tensor = {"name": "image", "datatype": "FP32", "shape": [1, 1, 4, 4], "data": [0.0] * 16}
    bodies = {PREDICTED[0]: {"instances": [LIGHT]}, PREDICTED[1]: {"inputs": [tensor]}}
    page = shade.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for path, described in document["paths"].items():
        (method,) = described.keys() - {"parameters"}
        place = path.replace("{model}", "shade")
        given = bodies.get(
            path, {"id": predict(shade, LIGHT).headers["x-knoll-prediction"], "label": "light"}
        )
        answer = shade.get(place) if method == "get" else shade.post(place, json=given)
        check(document, described[method]["responses"]["200"], answer)
        assert shade.request("POST" if method == "get" else "GET", place).status_code == 405
        assert shade.head(place).status_code == 405
        assert path in page.text
    refused = predict(shade, "x")
    check(document, document["components"]["responses"]["Faulty"], refused, 400)


def check(
    document: Mapping[str, Any], described: Mapping[str, Any], answer: httpx.Response, status: int = 200
) -> None:
    """Whether the answer is what is described."""
    assert answer.status_code == status, answer.text
    kind = answer.headers["content-type"].partition(";")[0]
    schema = described["content"][kind].get("schema", {})
    Draft202012Validator({**schema, "components": document["components"]}).validate(
        answer.json() if kind == "application/json" else None
    )
    assert {*described.get("headers", {})} <= {*answer.headers}


def test_an_answer_has_the_id_of_its_request(shade: httpx.Client) -> None:
    """That of the header; V2 has one in its body, too, which counts there."""
    named = {"x-request-id": "r-1"}
    assert predict(shade, LIGHT, **named).headers["x-request-id"] == "r-1"
    assert predict(shade, "x", **named).headers["x-request-id"] == "r-1"
    assert "x-request-id" not in predict(shade, LIGHT).headers
    tensor = {"name": "image", "datatype": "FP32", "shape": [1, 1, 4, 4], "data": [0.0] * 16}
    answers = [
        shade.post("/v2/models/shade/infer", json={**body, "inputs": [tensor]}, headers=named)
        for body in ({}, {"id": "mine"})
    ]
    assert [one.json()["id"] for one in answers] == ["r-1", "mine"]


def test_who_has_waited_for_the_start_is_told_its_parts(
    first: tuple[httpx.Client, httpx.Response],
) -> None:
    """In the first answer only, and in the metrics."""
    client, answer = first
    parts = dict(one.split(";dur=") for one in answer.headers["server-timing"].split(", "))
    assert [*parts] == ["start", "fetch", "verify", "load", "warm-up"]
    assert all(float(one) >= 0 for one in parts.values())
    assert float(parts["start"]) > 10
    assert "server-timing" not in predict(client, LIGHT).headers
    assert "server-timing" not in client.get(READY).headers
    shown = [
        line for line in client.get("/metrics").text.splitlines() if line.startswith("knoll_start_seconds{")
    ]
    assert len(shown) == len(parts)
    assert float(shown[0].rpartition(" ")[2]) == pytest.approx(float(parts["start"]) / 1000, abs=1e-3)


def test_metrics_have_the_names_of_kserve_and_tell_more(
    start: Start, files_of: Files, classifier: Any
) -> None:
    predictor = start("shade", files_of(classifier))
    assert predictor.wait_ready(READY), predictor.stop()
    with httpx.Client(base_url=predictor.url, trust_env=False, timeout=60) as client:
        for one in (LIGHT, LIGHT, "x"):
            predict(client, one)
        answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = {
        (one.labels["cold"], one.labels["ended"]): one.value
        for family in text_string_to_metric_families(answer.text)
        for one in family.samples
        if one.name == "request_predict_seconds_count"
        and {"model_name": "shade", "model_version": "v000001", "revision": ""}.items() <= one.labels.items()
    }
    assert {how: number for how, number in found.items() if number} == {
        ("true", "answered"): 1,
        ("false", "answered"): 1,
        ("false", "refused"): 1,
    }
    assert "process_resident_memory_bytes" in answer.text


def test_a_failure_of_its_own_is_a_500_in_json_with_the_version() -> None:
    def fail() -> Answer:
        raise Unavailable("no metrics")

    served: Any = None
    with ThreadPoolExecutor(1) as pool:
        app = Predictions(served, pool, MemoryBudget(2**20), {}, {"/metrics": fail})
        whole: Any = Envelope(app, {"x-model-version": "v1"}, print, ByteBudget(2**20))
        transport = httpx.ASGITransport(whole)

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
                return await client.get("/metrics")

        answer = asyncio.run(ask())
    assert (answer.status_code, answer.headers["x-model-version"]) == (500, "v1")
    assert "the log of the predictor says why" in answer.json()["error"]


def test_the_parts_of_a_start_add_up_to_it() -> None:
    times = StartTimes()
    with times.part(FETCH):
        times.move(0.25, FETCH, VERIFY)
    times.end(2.0)
    assert sum(times.parts.values()) == pytest.approx(2.0)
    assert times.parts[VERIFY] == 0.25
    assert 0 < process_age() < 3600 * 24


@pytest.mark.parametrize("wants_binary", [False, True])
def test_outputs_are_described_to_who_asks(shade: httpx.Client, wants_binary: bool) -> None:
    """The version that answers names its own classes: while two versions answer, metadata may be of the
    other."""
    tensor = {"name": "image", "datatype": "FP32", "shape": [1, 1, 4, 4], "data": [0.0] * 16}
    asked = {"describe_outputs": True, "binary_data_output": wants_binary}
    answer = shade.post("/v2/models/shade/infer", json={"inputs": [tensor], "parameters": asked})
    length = int(answer.headers.get("inference-header-content-length", len(answer.content)))
    (output,) = json.loads(answer.content[:length])["outputs"]
    size = {"binary_data_size": 8} if wants_binary else {}
    assert output["parameters"] == {"codec": "classes", "labels": ["dark", "light"], **size}
    assert ("data" in output) != wants_binary


def test_a_wish_for_described_outputs_is_true_or_false(shade: httpx.Client) -> None:
    tensor = {"name": "image", "datatype": "FP32", "shape": [1, 1, 4, 4], "data": [0.0] * 16}
    answer = shade.post(
        "/v2/models/shade/infer", json={"inputs": [tensor], "parameters": {"describe_outputs": "yes"}}
    )
    assert answer.json()["error"].startswith("describe_outputs is neither true nor false")
