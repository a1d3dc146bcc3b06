"""Calls of gRPC through the laptop's gateway, to real predictors; the clients of KServe judge."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any

import aiohttp
import grpc
import httpx
import numpy as np
import pytest
from kserve import InferInput, InferRequest
from kserve.inference_client import InferenceGRPCClient
from kserve.protocol.grpc import grpc_predict_v2_pb2 as messages
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub

from knoll.headers import HEADERS_OF_AIOHTTP
from knoll.laptop.front import Front, listen
from knoll.laptop.serving.gateway import Gateway
from knoll.paths import MODEL_INFER
from knoll.request_limits import BODIES_LIMIT, BODY_LIMIT, ByteBudget
from knoll.rpc.framing import frame
from laptop.running import Laptop, eventually
from predict.conftest import classifier, files_of  # noqa: F401 - fixtures
from predict.serving import Serving, serving
from support.graphs import failing

DARK, LIGHT = np.zeros((1, 1, 4, 4), np.float32), np.ones((1, 1, 4, 4), np.float32)
LONG = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Replicas:
    """The replicas of one model, which run already, in the place of an autoscaler. `percents` are the shares
    by Revision; the first one is the newest."""

    def __init__(self, urls: Mapping[str, str], percents: Mapping[str, int]) -> None:
        self._urls = urls
        self.isvcs, self.models = {"shade": self.shared(percents)}, dict[str, Any]()

    def shared(self, percents: Mapping[str, int]) -> dict[str, Any]:
        newest, *_ = percents
        traffic = [
            {"revisionName": name, "percent": percent, "latestRevision": name == newest}
            for name, percent in percents.items()
        ]
        status = {"components": {"predictor": {"traffic": traffic}}}
        return {"metadata": {"name": "shade"}, "status": status}

    async def __aenter__(self) -> None:
        self.http = aiohttp.ClientSession(
            headers={"x-knoll-token": "t"}, skip_auto_headers=HEADERS_OF_AIOHTTP, auto_decompress=False
        )

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()

    @asynccontextmanager
    async def acquire(self, revision: str, patience: float) -> AsyncIterator[str]:
        yield self._urls[revision]

    async def check_connection(self, revision: str) -> None: ...

    def fault(self, revision: str) -> str:
        return "" if revision in self._urls else f"{revision} does not start"


@contextmanager
def gateway_to(
    urls: Mapping[str, str], percents: Mapping[str, int], bodies: ByteBudget | None = None
) -> Iterator[str]:
    """The address of a gateway before these replicas."""
    replicas: Any = Replicas(urls, percents)
    gateway = Gateway(replicas, bodies or ByteBudget(BODIES_LIMIT), Random(7))
    front = Front(
        listen(0),
        token="t",
        broker=lambda *_: (202, {}, b""),
        functions={},
        routes=gateway.routes(),
        lifespan=gateway.lifespan,
    )
    front.start()
    try:
        yield front.url.removeprefix("http://")
    finally:
        front.stop()


@pytest.fixture(scope="module")
def versions(files_of: Callable[..., Any], classifier: Any) -> Iterator[Mapping[str, Serving]]:  # noqa: F811
    """Two predictors of a laptop; the second version fails for light pictures, as none of its samples is."""
    dim = replace(classifier, instances=([[200] * 4] * 4, [[3] * 4] * 4))
    recipes = {"v000001": dim, "v000002": replace(dim, graph=failing(classifier.graph))}
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(serving("shade", files_of(recipe, version=name), name=name, token="t"))
            for name, recipe in recipes.items()
        }


@pytest.fixture(scope="module")
def address(versions: Mapping[str, Serving]) -> Iterator[str]:
    """A gateway that gives each of both half of the traffic."""
    urls = {name: one.url for name, one in versions.items()}
    with gateway_to(urls, {"v000002": 50, "v000001": 50}) as found:
        yield found


@pytest.fixture
def stub(address: str) -> Iterator[Any]:
    with grpc.insecure_channel(address, LONG) as channel:
        yield GRPCInferenceServiceStub(channel)


def request(given: np.ndarray[Any, Any] = DARK, model: str = "shade", **more: Any) -> Any:
    tensor = messages.ModelInferRequest.InferInputTensor(name="image", datatype="FP32", shape=given.shape)
    whole = {"model_name": model, "inputs": [tensor], "raw_input_contents": [given.tobytes()], **more}
    return messages.ModelInferRequest(**whole)


def refused(act: Callable[..., Any], *given: Any, **named: Any) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as failed:
        act(*given, **named)
    error: Any = failed.value
    return error.code().name, error.details()


def counted(versions: Mapping[str, Serving], since: Mapping[str, Any], number: int) -> dict[str, Any]:
    """What the versions have counted since then, as soon as these are so many."""

    def found() -> dict[str, tuple[int, int, int]]:
        now = {name: (one.counts.all, since[name]) for name, one in versions.items()}
        return {
            name: (
                after.requests - before.requests,
                after.errors - before.errors,
                after.refused - before.refused,
            )
            for name, (after, before) in now.items()
        }

    eventually(lambda: sum(one[0] for one in found().values()) == number)
    return found()


def all_of(versions: Mapping[str, Serving]) -> dict[str, Any]:
    return {name: one.counts.all for name, one in versions.items()}


def test_a_canary_of_a_half_gets_half_of_any_hundred_calls(
    stub: Any, versions: Mapping[str, Serving]
) -> None:
    """By their answers, and by what the versions count."""
    before, seen = all_of(versions), []
    for number in range(140):
        answer, call = stub.ModelInfer.with_call(request(id=str(number)))
        told = dict(call.initial_metadata())
        assert (answer.id, answer.model_version) == (str(number), told["x-model-version"])
        assert told["x-model-digest"] == versions[answer.model_version].served.version.digest
        assert told["x-knoll-revision"] == answer.model_version
        seen.append(answer.model_version)
    for begin in (0, 13, 40):
        assert Counter(seen[begin : begin + 100]) == {"v000001": 50, "v000002": 50}
    calls = Counter(seen)
    assert counted(versions, before, 140) == {name: (calls[name], 0, 0) for name in versions}


def test_the_client_of_kserve_works_at_the_gateway(address: str) -> None:
    """Some calls at a time, on one connection."""

    async def ask() -> Any:
        async with InferenceGRPCClient(address) as client:
            tensor = InferInput("image", [*DARK.shape], "FP32")
            tensor.set_data_from_numpy(DARK, binary_data=True)
            ready = await client.is_server_live(), await client.is_server_ready()
            model = await client.is_model_ready("shade")
            asked = (client.infer(InferRequest("shade", [tensor], request_id=str(n))) for n in range(20))
            return ready, model, await asyncio.gather(*asked)

    ready, model, answers = asyncio.run(ask())
    assert (ready, model) == ((True, True), True)
    assert [one.id for one in answers] == [str(number) for number in range(20)]
    assert {one.outputs[0].as_numpy().argmax() for one in answers} == {0}


def test_what_fails_is_the_version_and_what_is_refused_the_client(
    stub: Any, versions: Mapping[str, Serving]
) -> None:
    """The same counts as of REST, which judge a rollout."""
    before, codes = all_of(versions), Counter[str]()
    for _ in range(100):
        try:
            stub.ModelInfer(request(LIGHT))
        except grpc.RpcError as error:
            codes[error.code().name] += 1
    assert codes == {"INTERNAL": 50}
    assert counted(versions, before, 100) == {"v000001": (50, 0, 0), "v000002": (50, 50, 0)}
    before = all_of(versions)
    for _ in range(100):
        assert refused(stub.ModelInfer, request(raw_input_contents=[b"1234"]))[0] == "INVALID_ARGUMENT"
    assert counted(versions, before, 100) == dict.fromkeys(versions, (50, 0, 50))


def test_the_gateway_answers_what_is_asked_about_it(stub: Any, address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        assert [check(one) for one in (b"", b"\x0a\x05shade")] == [b"\x08\x01"] * 2
        assert refused(check, b"\x0a\x01x") == ("NOT_FOUND", "there is no service 'x' here")
        load = channel.unary_unary("/inference.GRPCInferenceService/RepositoryModelLoad")
        assert refused(load, b"")[0] == "UNIMPLEMENTED"
    about = stub.ModelMetadata(messages.ModelMetadataRequest(name="shade"))
    assert about.inputs[0].name == "image"
    assert stub.ServerMetadata(messages.ServerMetadataRequest()).name == "knoll"
    code, told = refused(stub.ModelInfer, request(model="shadow"))
    assert (code, "no model 'shadow' is served here; known: shade" in told) == ("NOT_FOUND", True)
    named = messages.ModelReadyRequest(name="shade", version="v9")
    assert "ask without one" in refused(stub.ModelReady, named)[1]


def test_a_model_that_does_not_start_is_not_ready() -> None:
    with gateway_to({}, {"r1": 100}) as address, grpc.insecure_channel(address) as channel:
        stub, check = GRPCInferenceServiceStub(channel), channel.unary_unary("/grpc.health.v1.Health/Check")
        assert not stub.ModelReady(messages.ModelReadyRequest(name="shade")).ready
        assert not stub.ServerReady(messages.ServerReadyRequest()).ready
        assert [check(one) for one in (b"", b"\x0a\x05shade")] == [b"\x08\x02"] * 2  # NOT_SERVING


def test_large_tensors_pass_in_parts_and_have_the_limit_of_rest(versions: Mapping[str, Serving]) -> None:
    """A gateway with 2 MiB for bodies lets one of 6 MiB pass."""
    many = np.zeros((100_000, 1, 4, 4), np.float32)
    many[::2] = 0.8
    urls = {"v000001": versions["v000001"].url}
    with (
        gateway_to(urls, {"v000001": 100}, ByteBudget(2**21)) as address,
        grpc.insecure_channel(address, LONG) as channel,
    ):
        infer = GRPCInferenceServiceStub(channel).ModelInfer
        answer = infer(request(many))
        labels = np.frombuffer(answer.raw_output_contents[0], np.float32).reshape(-1, 2).argmax(axis=1)
        assert np.array_equal(labels, np.tile([1, 0], 50_000))
        too_many = np.zeros((BODY_LIMIT // 64 + 1, 1, 4, 4), np.float32)
        assert refused(infer, request(too_many))[0] == "RESOURCE_EXHAUSTED"


class Echo:
    """A replica that keeps what it was told, and answers nothing of interest, or hangs up."""

    def __init__(self) -> None:
        self.told: list[dict[str, str]] = []
        self.is_ill, self.is_half, self.goes_on = False, False, threading.Event()
        echo = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                echo.told.append({name.lower(): value for name, value in self.headers.items()})
                if echo.is_ill:
                    self.close_connection = True
                    return
                echo.goes_on.wait(30)
                self.send_response(200)
                body = frame(b"" if not echo.is_half else bytes(100_000))
                told = {"content-type": "application/grpc", "grpc-status": "0", "x-mine": "7"}
                told |= {"connection": "x-hop", "x-hop": "1", "content-length": str(len(body))}
                for name, value in told.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body[:70_000])
                self.close_connection = echo.is_half

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def echo() -> Iterator[Echo]:
    found = Echo()
    thread = threading.Thread(target=found.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield found
    found.goes_on.set()
    found.server.shutdown()
    thread.join()
    found.server.server_close()


def test_metadata_passes_and_what_is_of_one_hop_or_of_knoll_does_not(echo: Echo) -> None:
    echo.goes_on.set()
    sent = {"x-b3-traceid": "7", "x-request-id": "r-1", "x-knoll-token": "m", "x-knoll-compare": "m"}
    with gateway_to({"r1": echo.url}, {"r1": 100}) as address, grpc.insecure_channel(address) as channel:
        infer = GRPCInferenceServiceStub(channel).ModelInfer
        _, call = infer.with_call(request(), metadata=(*sent.items(), ("x-knoll-session", "m")), timeout=9)
    (told,) = echo.told
    assert (told["x-b3-traceid"], told["x-request-id"], told["x-knoll-token"]) == ("7", "r-1", "t")
    assert {"x-knoll-compare", "x-knoll-session", "te", "grpc-timeout"} & told.keys() == set()
    assert 8 < float(told["x-request-timeout"]) <= 9
    back = dict(call.initial_metadata())
    assert (back["x-mine"], back["x-knoll-revision"]) == ("7", "r1")
    assert {"x-hop", "grpc-status"} & back.keys() == set()


def test_a_deadline_ends_a_call_whose_replica_is_silent(echo: Echo) -> None:
    """By the gateway itself, for clients of gRPC and of REST."""
    late, url = {"content-type": "application/grpc", "grpc-timeout": "100m"}, "/v1/models/shade:predict"
    with (
        gateway_to({"r1": echo.url}, {"r1": 100}) as address,
        httpx.Client(http1=False, http2=True, base_url=f"http://{address}", trust_env=False) as client,
    ):
        body = frame(request().SerializeToString())
        told = client.post(MODEL_INFER, content=body, headers=late)
        assert (told.status_code, told.headers["grpc-status"], told.content) == (200, "4", b"")
        assert told.headers["grpc-message"] == "there is no answer within the 0.1 s of the request's deadline"
        answer = client.post(url, json={"instances": []}, headers={"x-request-timeout": "100ms"})
        assert (answer.status_code, answer.http_version) == (504, "HTTP/2")


def test_a_replica_that_dies_makes_a_call_unavailable(echo: Echo) -> None:
    """If it takes no connection, and if it ends amid the call."""
    echo.is_ill = True
    urls = {"r1": echo.url, "r2": "http://127.0.0.1:1"}
    for revision, words in (
        ("r1", "r1 ended while it worked on this request"),
        ("r2", "takes no connection"),
    ):
        with gateway_to(urls, {revision: 100}) as address, grpc.insecure_channel(address) as channel:
            code, told = refused(GRPCInferenceServiceStub(channel).ModelInfer, request(), timeout=20)
            assert (code, words in told) == ("UNAVAILABLE", True)
    assert len(echo.told) == 1


def test_an_answer_that_breaks_off_is_none(echo: Echo) -> None:
    """By gRPC and by HTTP: its client does not take the beginning for all of it, and does not wait."""
    echo.is_half = True
    echo.goes_on.set()
    with gateway_to({"r1": echo.url}, {"r1": 100}) as address, grpc.insecure_channel(address) as channel:
        infer = GRPCInferenceServiceStub(channel).ModelInfer
        assert refused(infer, request(), timeout=20)[0] == "INTERNAL"
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.post(f"http://{address}/v1/models/shade:predict", json={}, trust_env=False)


def test_a_process_that_is_killed_by_a_call_harms_no_other(laptop: Laptop) -> None:
    laptop.serve()
    with grpc.insecure_channel(laptop.front.url.removeprefix("http://")) as channel:
        call = channel.unary_unary(MODEL_INFER)
        code, told = refused(call, b"\x0a\x06digits\x1a\x0acrash once", timeout=20)
    assert (code, "which is not sent again" in told) == ("UNAVAILABLE", True)
    assert laptop.predict().status_code == 200
    assert laptop.starts() == 2
