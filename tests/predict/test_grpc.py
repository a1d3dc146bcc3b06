"""A predictor as clients of gRPC see it, on the port that speaks HTTP, too. The SDKs of KServe and Triton
judge, and messages that Google's library has made."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import DescriptorProto
from kserve import InferInput, InferRequest
from kserve.inference_client import InferenceGRPCClient
from kserve.protocol.grpc import grpc_predict_v2_pb2 as messages
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub

from knoll.paths import MODEL_INFER
from knoll.predict.memory_budget import MemoryShares
from knoll.rpc.framing import frame
from knoll.rpc.messages import MESSAGES
from knoll.rpc.reading import decode
from laptop.running import eventually
from predict.serving import Serving, serving

Files = Callable[..., dict[str, bytes]]
LIGHT = np.ones((2, 1, 4, 4), np.float32)


@pytest.fixture(scope="module")
def shade(files_of: Files, classifier: Any) -> Iterator[Serving]:
    """A classifier of pictures that answers ids, too."""
    with serving("shade", files_of(classifier)) as found:
        yield found


@pytest.fixture(scope="module")
def channel(shade: Serving) -> Iterator[Any]:
    with grpc.insecure_channel(shade.address) as found:
        yield found


@pytest.fixture(scope="module")
def stub(channel: Any) -> Any:
    return GRPCInferenceServiceStub(channel)


def request(given: np.ndarray[Any, Any] = LIGHT, **more: Any) -> Any:
    """A ModelInfer with a raw tensor."""
    tensor = messages.ModelInferRequest.InferInputTensor(name="image", datatype="FP32", shape=given.shape)
    whole = {"model_name": "shade", "inputs": [tensor], "raw_input_contents": [given.tobytes()], **more}
    return messages.ModelInferRequest(**whole)


def refused(act: Callable[..., Any], *given: Any, **named: Any) -> tuple[str, str]:
    """The code and the words of a call that fails."""
    with pytest.raises(grpc.RpcError) as failed:
        act(*given, **named)
    error: Any = failed.value
    return error.code().name, error.details()


def test_the_client_of_kserve_works(shade: Serving) -> None:
    async def ask() -> Any:
        async with InferenceGRPCClient(shade.address) as client:
            tensor = InferInput("image", [*LIGHT.shape], "FP32")
            tensor.set_data_from_numpy(LIGHT, binary_data=True)
            live = await client.is_server_live(), await client.is_server_ready()
            ready = await client.is_model_ready("shade")
            raw = await client.infer(InferRequest("shade", [tensor], request_id="7"))
            typed = InferInput("image", [*LIGHT.shape], "FP32")
            typed.set_data_from_numpy(LIGHT, binary_data=False)
            return live, ready, raw, await client.infer(InferRequest("shade", [typed]))

    live, ready, raw, typed = asyncio.run(ask())
    assert (live, ready, raw.id, raw.model_version) == ((True, True), True, "7", "v000001")
    assert raw.outputs[0].as_numpy().argmax(axis=1).tolist() == [1, 1]
    assert np.array_equal(raw.outputs[0].as_numpy(), typed.outputs[0].as_numpy())


def test_the_clients_of_triton_work_by_grpc_and_by_http(shade: Serving) -> None:
    command = [sys.executable, str(Path(__file__).parent / "ask_with_triton.py"), shade.address]
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    for way, id, shape in (("grpc", "8", ["-1", "1", "4", "4"]), ("http", "9", [-1, 1, 4, 4])):
        found = told[way]
        assert set(found["ready"]) == {True}
        assert (found["server"]["name"], found["id"]) == ("knoll", id)
        assert found["model"]["versions"] == ["v000001"]
        assert found["model"]["inputs"] == [{"name": "image", "datatype": "FP32", "shape": shape}]
        assert all(one == [1, 1] for one in found["answers"])


def test_each_answer_names_version_digest_and_request(stub: Any, shade: Serving) -> None:
    named = (("x-request-id", "r-1"),)
    calls = [
        (stub.ModelInfer, request()),
        (stub.ServerLive, messages.ServerLiveRequest()),
        (stub.ModelMetadata, messages.ModelMetadataRequest(name="shade")),
    ]
    for act, asked in calls:
        answer, call = act.with_call(asked, metadata=named)
        told = dict(call.initial_metadata())
        assert (told["x-model-version"], told["x-request-id"]) == ("v000001", "r-1")
        assert told["x-model-digest"] == shade.served.version.digest
    assert refused(stub.ModelReady, messages.ModelReadyRequest(name="x")) == (
        "NOT_FOUND",
        "there is no such model here; this is shade",
    )
    answer, call = stub.ModelInfer.with_call(request(), metadata=named)
    assert answer.id == "r-1"
    receipt = dict(call.initial_metadata())["x-knoll-prediction"]
    labelled = httpx.post(
        f"{shade.url}/v1/models/shade:feedback",
        json={"id": receipt, "labels": ["light", "dark"]},
        trust_env=False,
    )
    assert labelled.json() == {"counted": 1, "right": 1, "wrong": 1}


def test_typed_tensors_are_answered_typed_and_raw_ones_raw(stub: Any) -> None:
    contents = messages.InferTensorContents(fp32_contents=LIGHT.ravel())
    tensor = messages.ModelInferRequest.InferInputTensor(
        name="image", datatype="FP32", shape=LIGHT.shape, contents=contents
    )
    typed = stub.ModelInfer(messages.ModelInferRequest(model_name="shade", inputs=[tensor]))
    raw = stub.ModelInfer(request())
    assert len(raw.raw_output_contents) == 1
    assert not typed.raw_output_contents
    assert [*typed.outputs[0].contents.fp32_contents] == [
        *np.frombuffer(raw.raw_output_contents[0], np.float32)
    ]
    assert (typed.outputs[0].datatype, [*typed.outputs[0].shape]) == ("FP32", [2, 2])


def test_outputs_are_described_to_who_asks(stub: Any) -> None:
    asked = request()
    asked.parameters["describe_outputs"].bool_param = True
    told = stub.ModelInfer(asked).outputs[0].parameters
    assert told["codec"].string_param == "classes"
    assert json.loads(told["labels"].string_param) == ["dark", "light"]


def test_http_answers_on_the_same_connection_as_grpc(shade: Serving) -> None:
    """As a proxy sends it that knows the port as h2c."""
    with httpx.Client(http1=False, http2=True, base_url=shade.url, trust_env=False) as client:
        live = client.get("/v2/health/live")
        predicted = client.post("/v1/models/shade:predict", json={"instances": [[[255] * 4] * 4]})
        faulty = client.post("/v1/models/shade:predict", json={"instances": []})
    assert (live.http_version, live.json()) == ("HTTP/2", {"live": True})
    assert predicted.json()["predictions"][0]["label"] == "light"
    assert (faulty.status_code, predicted.headers["x-model-version"]) == (400, "v000001")


def typed(datatype: str, **contents: Any) -> dict[str, Any]:
    """The changes that make `request` one with a typed tensor."""
    found = messages.InferTensorContents(**contents)
    tensor = messages.ModelInferRequest.InferInputTensor(
        name="image", datatype=datatype, shape=LIGHT.shape, contents=found
    )
    return {"inputs": [tensor], "raw_input_contents": []}


FAULTS: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "another model": (
        {"model_name": "x"},
        ("NOT_FOUND", "there is no model 'x' here; this is shade"),
    ),
    "another version": (
        {"model_version": "v9"},
        ("NOT_FOUND", "version 'v9' is not here; this is v000001"),
    ),
    "no inputs": (
        {"inputs": [], "raw_input_contents": []},
        ("INVALID_ARGUMENT", "the call has no inputs; ModelMetadata shows them"),
    ),
    "more raw parts": (
        {"raw_input_contents": [b"", b""]},
        ("INVALID_ARGUMENT", "there are 1 inputs, and 2 raw_input_contents"),
    ),
    "short": (
        {"raw_input_contents": [b"1234"]},
        ("INVALID_ARGUMENT", "input 'image': its shape [2, 1, 4, 4] needs 32 numbers, not 1"),
    ),
    "a datatype that paints": (
        {
            "inputs": [
                messages.ModelInferRequest.InferInputTensor(name="image", datatype="\x1b[31m", shape=[1])
            ]
        },
        ("INVALID_ARGUMENT", r"input 'image': its datatype is \x1b[31m; send FP32"),
    ),
    "more sides than numpy has": (
        {"inputs": [messages.ModelInferRequest.InferInputTensor(name="image", shape=[1] * 321)]},
        ("INVALID_ARGUMENT", "input 'image': its shape has more than 32 sides"),
    ),
    "raw and typed": (
        {**typed("FP32", fp32_contents=[1.0]), "raw_input_contents": [b"1234"]},
        ("INVALID_ARGUMENT", "input 'image' has contents beside raw_input_contents"),
    ),
    "other contents": (
        typed("FP32", fp64_contents=[1.0]),
        ("INVALID_ARGUMENT", "input 'image' has fp64_contents; send fp32_contents, or raw_input_contents"),
    ),
    "texts": (
        typed("BYTES", bytes_contents=[b"x"]),
        ("INVALID_ARGUMENT", "input 'image': its datatype is BYTES; send FP32"),
    ),
    "too large a number": (
        typed("INT8", int_contents=[300]),
        ("INVALID_ARGUMENT", "input 'image': a number is too large for INT8"),
    ),
    "another datatype": (
        typed("INT64", int64_contents=[1] * 32),
        ("INVALID_ARGUMENT", "input 'image': its datatype is INT64; send FP32"),
    ),
    "shared memory": (
        {"parameters": {"shared_memory_region": messages.InferParameter(string_param="x")}},
        ("INVALID_ARGUMENT", "the request: shared memory is not known here; send and take the data itself"),
    ),
    "not finite": (
        {"raw_input_contents": [np.full((2, 1, 4, 4), np.nan, np.float32).tobytes()]},
        ("INVALID_ARGUMENT", "input 'image': a number is NaN or infinity"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_call_is_refused_with_the_reason_and_counts_as_such(
    stub: Any, shade: Serving, fault: str
) -> None:
    changes, expected = FAULTS[fault]
    before = shade.counts.all
    assert refused(stub.ModelInfer, request(**changes)) == expected
    eventually(lambda: shade.counts.all.requests > before.requests)  # after its answer
    after = shade.counts.all
    assert (after.requests, after.refused, after.errors) == (
        before.requests + 1,
        before.refused + 1,
        before.errors,
    )


def test_what_is_no_call_is_refused_as_grpc_says(channel: Any) -> None:
    def call(method: str, body: bytes = b"", **more: Any) -> tuple[str, str]:
        return refused(channel.unary_unary(method, lambda one: one, lambda one: one), body, **more)

    service = "/inference.GRPCInferenceService"
    assert call(f"{service}/RepositoryModelLoad") == (
        "UNIMPLEMENTED",
        "there is no method /inference.GRPCInferenceService/RepositoryModelLoad",
    )
    assert call(f"{service}/ModelInfer", b"\x0a\xff") == (
        "INVALID_ARGUMENT",
        "the message breaks the wire format: a number has no end",
    )
    assert call(f"{service}/ModelReady", b"\x0a\x01\xff")[0] == "INVALID_ARGUMENT"
    assert call(f"{service}/ModelReady", b"x" * 2**17)[0] == "RESOURCE_EXHAUSTED"
    told = call(f"{service}/ModelInfer", compression=grpc.Compression.Gzip)
    assert told == ("UNIMPLEMENTED", "send messages as they are, not as gzip")


def test_health_is_that_of_grpc(channel: Any) -> None:
    check = channel.unary_unary("/grpc.health.v1.Health/Check")
    for service in (b"", b"shade", b"inference.GRPCInferenceService"):
        assert check(b"\x0a%c%b" % (len(service), service) if service else b"") == b"\x08\x01"  # SERVING
    assert refused(check, b"\x0a\x01x") == ("NOT_FOUND", "there is no service 'x' here")
    watch = channel.unary_stream("/grpc.health.v1.Health/Watch")
    assert refused(lambda: next(watch(b"")))[0] == "UNIMPLEMENTED"


@pytest.mark.parametrize("package", ["v1", "v1alpha"])
def test_reflection_describes_all_that_is_served(channel: Any, package: str) -> None:
    """A client that knows no messages learns those of KServe, field by field."""
    reflect = channel.stream_stream(f"/grpc.reflection.{package}.ServerReflection/ServerReflectionInfo")
    pool, services = (
        descriptor_pool.DescriptorPool(),
        (b"inference.GRPCInferenceService", b"grpc.health.v1.Health"),
    )
    listed, unknown, *files = reflect(
        iter([b"\x3a\x00", b"\x22\x03x.y", *(b"\x22%c%b" % (len(one), one) for one in services)])
    )
    assert all(one in listed for one in services)
    assert b"there is no such file" in unknown
    for name, file in zip(services, files, strict=True):
        answer = decode(memoryview(file), f"grpc.reflection.{package}.ServerReflectionResponse", MESSAGES)
        (whole,) = answer["file_descriptor_response"]["file_descriptor_proto"]
        pool.AddSerializedFile(bytes(whole))
        assert pool.FindServiceByName(name.decode()).methods
    for name, theirs in messages.DESCRIPTOR.message_types_by_name.items():
        if not name.startswith("Repository"):
            mine, wanted = DescriptorProto(), DescriptorProto()
            pool.FindMessageTypeByName(f"inference.{name}").CopyToProto(mine)
            theirs.CopyToProto(wanted)
            for one in (mine, wanted):
                one.nested_type.sort(key=lambda nested: nested.name)
            assert mine == wanted


def test_no_answer_comes_after_a_deadline(files_of: Files, classifier: Any) -> None:
    """Not by gRPC and not by HTTP; that is no fault of the version."""
    with serving("shade", files_of(classifier)) as shade, grpc.insecure_channel(shade.address) as channel:
        entered, leave = threading.Event(), threading.Event()

        def run(*given: Any) -> Any:
            entered.set()
            leave.wait(30)
            return real(*given)

        real = shade.served.graph.run
        object.__setattr__(shade.served.graph, "run", run)
        infer = GRPCInferenceServiceStub(channel).ModelInfer
        assert refused(infer, request(), timeout=0.2)[0] == "DEADLINE_EXCEEDED"  # by the client itself
        assert entered.wait(30)
        late = {"content-type": "application/grpc", "grpc-timeout": "100m"}
        with httpx.Client(http1=False, http2=True, base_url=shade.url, trust_env=False) as client:
            told = client.post(MODEL_INFER, content=frame(request().SerializeToString()), headers=late)
        assert (told.status_code, told.headers["grpc-status"], told.content) == (200, "4", b"")
        url = f"{shade.url}/v1/models/shade:predict"
        body, late = {"instances": [[[255] * 4] * 4]}, {"x-request-timeout": "100ms"}
        answer = httpx.post(url, json=body, headers=late, trust_env=False)
        assert answer.status_code == 504
        assert answer.json() == {"error": "there is no answer within the 0.1 s of the request's deadline"}
        assert answer.headers["x-model-version"] == "v000001"
        leave.set()
        timely = {"x-request-timeout": "30"}
        assert httpx.post(url, json=body, headers=timely, trust_env=False).status_code == 200
        odd = httpx.post(url, json=body, headers={"x-request-timeout": "soon"}, trust_env=False)
        assert odd.json() == {"error": "x-request-timeout is no time: send seconds as in 2.5, or 300ms"}
        assert shade.counts.all.errors == shade.counts.all.timeouts == 0


def test_limits_hold_for_calls(files_of: Files, classifier: Any) -> None:
    small = MemoryShares(bodies=2**20, work=2**20)
    with (
        serving("shade", files_of(classifier), small, token="secret") as shade,
        grpc.insecure_channel(shade.address) as channel,
    ):
        stub, shown = GRPCInferenceServiceStub(channel), (("x-knoll-token", "secret"),)
        assert refused(stub.ServerLive, messages.ServerLiveRequest())[0] == "PERMISSION_DENIED"
        assert refused(stub.ModelInfer, request())[0] == "PERMISSION_DENIED"
        large = request(np.ones((20_000, 1, 4, 4), np.float32))
        assert refused(stub.ModelInfer, large, metadata=shown) == (
            "RESOURCE_EXHAUSTED",
            "the body is larger than 917504 bytes; give the model more memory: spec.serving.resources.memory",
        )
        many = request(**typed("FP32", fp32_contents=[0.0] * 100_000))
        code, words = refused(stub.ModelInfer, many, metadata=shown)
        assert (code, "of memory" in words) == ("INVALID_ARGUMENT", True)
        assert stub.ModelInfer(request(), metadata=shown).model_version == "v000001"
