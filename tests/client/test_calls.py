"""Both clients by gRPC: the same answers as by REST, the same errors, the same tries."""

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc
import numpy as np
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as messages

from knoll.errors import InvalidInstance, KnollError, NotFound, Rejected, Unavailable
from knoll.paths import MODEL_INFER
from predict.serving import Serving, serving

Ask = Callable[..., Any]
LIGHT = np.ones((2, 1, 4, 4), np.float32)


@pytest.fixture(scope="module")
def served(files_of: Ask, request: pytest.FixtureRequest) -> Iterator[Mapping[str, Serving]]:
    """A predictor for each recipe, by the name of its model."""
    recipes = [request.getfixturevalue(name) for name in ("classifier", "generator", "roots")]
    with ExitStack() as stack:
        yield {one.model: stack.enter_context(serving(one.model, files_of(one))) for one in recipes}


@pytest.fixture
def predict(asking: Ask, served: Mapping[str, Serving]) -> Ask:
    """Asks a model by gRPC, or as `settings` say."""

    def asked(model: str, given: Any, transport: str = "grpc") -> Any:
        url = served[model].url
        return asking(url, lambda client: client.model(model).predict(given), transport=transport)

    return asked


@pytest.mark.parametrize(
    ("model", "given"),
    [
        ("shade", LIGHT),
        ("shade", [LIGHT[0], LIGHT[0] * 0]),
        ("shade", LIGHT * 1.05),
        ("art", np.array([0.5, -1.0, 0.25])),
        ("roots", {"x": np.array([[4.0, 9.0], [1.0, 16.0]])}),
    ],
    ids=["labels", "a list", "a warning", "a picture", "an object"],
)
def test_tensors_are_answered_by_grpc_as_by_rest(predict: Ask, model: str, given: Any) -> None:
    by_calls, by_rest = predict(model, given), predict(model, given, "rest")
    assert len(by_calls) == len(by_rest)
    assert (by_calls.version, by_calls.warnings) == (by_rest.version, by_rest.warnings)
    assert bool(by_calls.id) == bool(by_rest.id)
    for one, other in zip(by_calls, by_rest, strict=True):
        assert np.array_equal(one.array, other.array)
        if model == "shade":
            assert (one.label, one.probabilities) == (other.label, other.probabilities)
        if model == "art":
            assert one.picture.tobytes() == other.picture.tobytes()


def test_all_else_goes_by_rest_at_the_same_url(asking: Ask, served: Mapping[str, Serving]) -> None:
    """So one client takes pictures and arrays, and may tell labels."""

    async def act(client: Any) -> Any:
        model = client.model("shade")
        in_json = await model.predict([[[250] * 4] * 4])
        told = await model.metadata()
        return in_json.label, told.inputs[0].shape, await model.ready(), await client.models()

    found = asking(served["shade"].url.replace("http://", "grpc://"), act)
    assert found == ("light", (-1, 1, 4, 4), True, ["shade"])


def test_the_url_says_how_tensors_go(asking: Ask, served: Mapping[str, Serving]) -> None:
    """By the words of a refusal one sees how it was."""

    def refusal(url: str, **settings: Any) -> str:
        with pytest.raises(InvalidInstance) as error:
            asking(url, lambda client: client.model("shade").predict(LIGHT * 7), **settings)
        return str(error.value).split(": ")[1]

    http = served["shade"].url
    grpc_url = http.replace("http://", "grpc://")
    assert refusal(http) == refusal(grpc_url, transport="rest") == "HTTP 400"
    assert refusal(grpc_url) == refusal(http, transport="grpc") == "INVALID_ARGUMENT"
    with pytest.raises(Rejected, match="has a path, and calls of gRPC have their own"):
        asking(f"{http}/latest-shade-predictor", lambda client: client.models(), transport="grpc")


def test_a_model_that_is_not_there_is_not_found(asking: Ask, served: Mapping[str, Serving]) -> None:
    url = served["shade"].url
    assert asking(url, lambda client: client.model("x").ready(), transport="grpc") is False
    with pytest.raises(NotFound, match="metadata of x: NOT_FOUND: there is no such model here"):
        asking(url, lambda client: client.model("x").predict(LIGHT), transport="grpc")


def test_a_cold_start_is_told(asking: Ask, files_of: Ask, classifier: Any) -> None:
    with serving("shade", files_of(classifier)) as shade:

        async def twice(client: Any) -> list[Any]:
            return [await client.model("shade").predict(LIGHT) for _ in range(2)]

        first, second = asking(shade.url, twice, transport="grpc")
    assert {*first.cold} == {"start", "fetch", "verify", "load", "warm-up"}
    assert not second.cold


ANSWER = messages.ModelInferResponse(
    model_version="v1",
    outputs=[
        messages.ModelInferResponse.InferOutputTensor(
            name="y",
            datatype="INT64",
            shape=[1, 2],
            contents=messages.InferTensorContents(int64_contents=[-7, 9]),
        )
    ],
)
METADATA = messages.ModelMetadataResponse(
    name="m",
    inputs=[messages.ModelMetadataResponse.TensorMetadata(name="x", datatype="FP32", shape=[-1, 2])],
)


@contextmanager
def scripted(*script: Any) -> Iterator[tuple[str, list[float]]]:
    """A server of Google's library that ends calls as it is told; the last end stays. It says how long each
    may take."""
    left, allowed, over = [*script], list[float](), threading.Event()

    def infer(_: bytes, context: Any) -> bytes:
        allowed.append(context.time_remaining())
        end = left.pop(0) if len(left) > 1 else left[0]
        if end == "silent":
            over.wait(30)
        if not isinstance(end, tuple):
            return bytes(ANSWER.SerializeToString())
        code, metadata = end
        context.set_trailing_metadata(tuple(metadata.items()))
        context.abort(code, "busy")
        raise AssertionError

    class Calls(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, about: Any) -> Any:
            act = infer if about.method == MODEL_INFER else lambda *_: METADATA.SerializeToString()
            return grpc.unary_unary_rpc_method_handler(act)

    server = grpc.server(ThreadPoolExecutor(2), handlers=[Calls()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"grpc://127.0.0.1:{port}", allowed
    finally:
        over.set()
        server.stop(None).wait()


def infer(asking: Ask, url: str, timeout: float = 20.0) -> Any:
    row = np.array([1.0, 2.0])
    return asking(url, lambda client: client.model("m").predict(row), timeout=timeout)


def test_typed_tensors_of_other_servers_are_read(asking: Ask) -> None:
    with scripted("answer") as (url, allowed):
        assert infer(asking, url).array.tolist() == [-7, 9]
    assert 15 < allowed[0] < 21  # the wire counts in coarser steps


@pytest.mark.parametrize(
    ("end", "tries", "kind"),
    [
        ((grpc.StatusCode.UNAVAILABLE, {"retry-after": "0", "x-a": "b"}), 4, None),
        ((grpc.StatusCode.UNAVAILABLE, {"x-a": "b"}), 3, Unavailable),
        ((grpc.StatusCode.UNAVAILABLE, {}), 3, Unavailable),
        ((grpc.StatusCode.INTERNAL, {}), 1, KnollError),
        ((grpc.StatusCode.RESOURCE_EXHAUSTED, {}), 1, InvalidInstance),
        ((grpc.StatusCode.UNIMPLEMENTED, {}), 1, KnollError),
    ],
    ids=["try later", "gone", "lost", "failed", "too large", "no such method"],
)
def test_what_no_model_has_answered_is_asked_again(
    asking: Ask, end: Any, tries: int, kind: type[KnollError] | None
) -> None:
    """As often as by REST: until the deadline if the server says when, else three times."""
    with scripted(*[end] * 3, "answer") as (url, allowed):
        if kind is None:
            assert infer(asking, url).version == ""
        else:
            with pytest.raises(kind) as error:
                infer(asking, url)
            assert (error.type, bool(error.value.fix)) == (kind, True)
    assert len(allowed) == tries


def test_a_silent_server_is_not_waited_for_beyond_the_deadline(asking: Ask) -> None:
    with scripted("silent") as (url, allowed), pytest.raises(Unavailable, match="DEADLINE_EXCEEDED"):
        infer(asking, url, timeout=1.0)
    assert len(allowed) == 1


def test_nobody_there_is_told(asking: Ask) -> None:
    with pytest.raises(Unavailable, match="no answer: failed to connect"):
        infer(asking, "grpc://127.0.0.1:1", timeout=0.5)
