"""A user's own `kserve.Model` behind the predictor: called as by KServe, counted and bounded as a version."""

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as messages
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub

from knoll.errors import Rejected, Unavailable
from knoll.predict.custom.found import CustomClass
from knoll.predict.custom.served import custom_served
from laptop.running import eventually
from predict.serving import Serving, serving
from predict.test_predictor import png

Files = Callable[..., dict[str, bytes]]
HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a user would start it."""
    monkeypatch.chdir(HERE)
    monkeypatch.setattr(sys, "path", [*sys.path])


@contextmanager
def custom(named: str, files: dict[str, bytes]) -> Iterator[Serving]:
    found = CustomClass(f"users_models:{named}")
    found.keep(files)
    with serving("shade", files, around=partial(custom_served, found, workers=2)) as shade:
        yield shade


@pytest.fixture
def own(files_of: Files, classifier: Any) -> Iterator[Serving]:
    with custom("Own", files_of(classifier)) as found:
        yield found


@pytest.fixture
def framed(files_of: Files, classifier: Any) -> Iterator[Serving]:
    with custom("Framed", files_of(classifier)) as found:
        yield found


def predict(shade: Serving, body: Any, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"{shade.url}/v1/models/shade:predict"
    return httpx.post(url, json=body, headers=named, trust_env=False, timeout=30)


def tensor(numbers: np.ndarray[Any, Any], name: str = "level") -> dict[str, Any]:
    flat = numbers.ravel().tolist()
    return {"inputs": [{"name": name, "shape": [*numbers.shape], "datatype": "FP32", "data": flat}]}


def call(
    shade: Serving, numbers: np.ndarray[Any, Any], *, is_typed: bool = False
) -> tuple[Any, dict[str, str]]:
    asked = messages.ModelInferRequest.InferInputTensor(name="level", datatype="FP32", shape=numbers.shape)
    request = messages.ModelInferRequest(model_name="shade", id="8", inputs=[asked])
    if is_typed:
        request.inputs[0].contents.fp32_contents.extend(numbers.ravel())
    else:
        request.raw_input_contents.append(numbers.tobytes())
    with grpc.insecure_channel(shade.address) as channel:
        answer, made = GRPCInferenceServiceStub(channel).ModelInfer.with_call(request)
    return answer, dict(made.initial_metadata())


def test_the_graph_of_the_version_answers_between_ones_own_steps(framed: Serving) -> None:
    """By V1, as JSON and as bytes, by V2, and by gRPC; with the headers and the id of any version."""
    answer = predict(framed, {"instances": [0.0, 0.9]}, x_user="ada")
    assert answer.json() == {"predictions": ["dark", "light"], "by": "ada"}
    assert answer.headers["x-model-version"] == "v000001"
    assert answer.headers["x-model-digest"] == framed.served.version.digest
    assert answer.headers["x-knoll-prediction"].startswith("shade.v000001.")
    url, kind = f"{framed.url}/v1/models/shade:predict", {"content-type": "text/plain", "x-user": "bob"}
    as_text = httpx.post(url, content=b"0.95", headers=kind, trust_env=False)
    assert as_text.json() == {"predictions": ["light"], "by": "bob"}
    levels = np.array([0.0, 0.9], np.float32).reshape(2, 1, 1, 1)
    named = {"x-request-id": "r-7"}
    infer = f"{framed.url}/v2/models/shade/infer"
    by_v2 = httpx.post(infer, json=tensor(levels), headers=named, trust_env=False).json()
    assert (by_v2["id"], by_v2["model_version"]) == ("r-7", "v000001")
    assert np.reshape(by_v2["outputs"][0]["data"], (2, 2)).argmax(axis=1).tolist() == [0, 1]
    by_call, told = call(framed, levels)
    assert (by_call.id, told["x-model-version"]) == ("8", "v000001")
    raw = np.frombuffer(by_call.raw_output_contents[0], np.float32).reshape(2, 2)
    assert raw.argmax(axis=1).tolist() == [0, 1]
    typed, _ = call(framed, levels, is_typed=True)
    assert np.array_equal(typed.outputs[0].contents.fp32_contents, raw.ravel())
    (described,) = httpx.get(f"{framed.url}/v2/models/shade", trust_env=False).json()["inputs"]
    assert described["name"] == "level"


def test_what_the_graph_refuses_is_refused(framed: Serving) -> None:
    answer = predict(framed, {"instances": [300]}, x_user="ada")
    assert (answer.status_code, "instance 0" in answer.json()["error"]) == (400, True)
    assert predict(framed, {"instances": []}, x_user="ada").status_code == 400


def test_a_class_of_ones_own_gets_the_verified_files_and_what_kserve_gives(own: Serving) -> None:
    answer = predict(own, {"do": "tell"}, x_mine="1")
    told = answer.json()
    assert (told["card"], told["is_main"], told["numbers"]) == ("# card", False, [0, 1])
    assert told["headers"]["x-mine"] == "1"
    assert (answer.headers["x-own"], answer.headers["x-model-version"]) == ("7", "v000001")
    numbers = np.array([1.5, 2.0], np.float32)
    infer = f"{own.url}/v2/models/shade/infer"
    by_v2 = httpx.post(infer, json=tensor(numbers), trust_env=False).json()
    assert by_v2["outputs"][0]["data"] == [3.0, 4.0]
    by_call, told = call(own, numbers)
    assert np.frombuffer(by_call.raw_output_contents[0], np.float32).tolist() == [3.0, 4.0]
    assert told["x-own"] == "7"


@pytest.mark.parametrize(
    ("act", "status", "words"),
    [
        ("refuse", 400, "that is no number"),
        ("limit", 429, "not so fast"),
        ("fail", 500, "users_models:Own failed with OSError; the log of the predictor says why"),
        ("nothing", 500, "users_models:Own failed with AttributeError; the log of the predictor says why"),
        ("stream", 500, "users_models:Own failed with TypeError; the log of the predictor says why"),
    ],
)
def test_an_exception_is_told_and_counted_by_its_kind(
    own: Serving, act: str, status: int, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What the class said is in the log alone."""
    with caplog.at_level(logging.ERROR):
        answer = predict(own, {"do": act})
    assert (answer.status_code, answer.json()["error"]) == (status, words)
    assert ("a secret of" in caplog.text) == (act == "fail")
    eventually(lambda: own.counts.all.requests == 1)
    assert (own.counts.all.errors, own.counts.all.refused) == (int(status >= 500), int(status < 500))


def test_its_sync_methods_do_not_run_beside_each_other_and_hold_up_nobody(own: Serving) -> None:
    """However long they work: health checks are answered, and a deadline ends the wait."""
    model: Any = own.served
    with ThreadPoolExecutor(2) as pool:
        working = [pool.submit(predict, own, {"do": "work"}) for _ in range(2)]
        eventually(lambda: model.model.at_once == 1)
        late = predict(own, {"do": "tell"}, x_request_timeout="100ms")
        ready = httpx.get(f"{own.url}/v2/models/shade/ready", trust_env=False)
        model.model.go_on.set()
        assert {one.result().json()["most"] for one in working} == {1}
    assert (late.status_code, ready.status_code, ready.json()["ready"]) == (504, 200, True)


def test_a_class_that_falls_ill_is_not_ready(own: Serving) -> None:
    """503, as by KServe; that is no failure of the version."""
    assert predict(own, {"do": "fall_ill"}).status_code == 200
    for path in ("/v2/health/ready", "/v2/models/shade/ready", "/v1/models/shade"):
        answer = httpx.get(own.url + path, trust_env=False)
        assert (answer.status_code, answer.json()["ready"]) == (503, False)
    answer = predict(own, {"do": "tell"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    with grpc.insecure_channel(own.address) as channel:
        stub = GRPCInferenceServiceStub(channel)
        assert not stub.ModelReady(messages.ModelReadyRequest(name="shade")).ready


def test_its_bodies_have_the_limits_of_any_version(own: Serving) -> None:
    answer = predict(own, {"do": "tell", "deep": eval("[" * 80 + "]" * 80)})
    assert answer.status_code == 200
    url = f"{own.url}/v1/models/shade:predict"
    broken = httpx.post(url, content=b"[" * 2000, trust_env=False)
    assert (broken.status_code, "JSON" in broken.json()["error"]) == (400, True)
    infer = f"{own.url}/v2/models/shade/infer"
    for body in ({}, {"inputs": [{"name": "x"}]}, {"inputs": 7}):
        answer = httpx.post(infer, json=body, trust_env=False)
        assert (answer.status_code, "no V2 request" in answer.json()["error"]) == (400, True)


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("users_models", "names no class"),
        ("nowhere:Model", "nowhere cannot be imported: ModuleNotFoundError"),
        ("users_models:Nothing", "there is no Nothing in users_models"),
        ("users_models:NoModel", "users_models:NoModel is no kserve.Model"),
        ("json:loads", "json:loads is no kserve.Model"),
    ],
)
def test_what_is_no_model_is_told(named: str, words: str) -> None:
    with pytest.raises(Rejected) as error:
        CustomClass(named)
    assert words in str(error.value)
    assert error.value.fix


def test_a_class_that_does_not_load_is_not_served(files_of: Files, classifier: Any) -> None:
    with (
        pytest.raises(Unavailable, match=r"users_models:Unready cannot be loaded: OSError: no such file"),
        custom("Unready", files_of(classifier)),
    ):
        pass


def test_a_process_serves_it(files_of: Files, classifier: Any, tmp_path: Path) -> None:
    """From the command line, with the files of the version in a folder, and with metrics of both."""
    for name, body in files_of(classifier).items():
        (tmp_path / name).write_bytes(body)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = ["-m", "knoll.wiring.predictor", "--model", "shade", "--model-dir", str(tmp_path)]
    command += ["--custom", "users_models:Labels"]
    environment = {**os.environ, "PORT": str(port), "KNOLL_LISTEN_HOST": "127.0.0.1"}
    process = subprocess.Popen([sys.executable, *command], env=environment, stderr=subprocess.PIPE)
    try:
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, trust_env=False) as client:

            def is_ready() -> bool:
                assert process.poll() is None
                try:
                    return client.get("/v2/health/ready").status_code == 200
                except httpx.HTTPError:
                    return False

            eventually(is_ready, within=120)
            picture = {"picture": png([[250] * 4] * 4)["b64"]}
            answer = client.post("/v1/models/shade:predict", json={"instances": [picture]})
            assert answer.json() == {"predictions": ["light"]}
            metrics = client.get("/metrics").text
        assert 'request_preprocess_seconds_count{model_name="shade"} 1.0' in metrics
        assert metrics.count("# TYPE request_predict_seconds histogram") == 1
        assert 'ended="answered"' in metrics
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0
