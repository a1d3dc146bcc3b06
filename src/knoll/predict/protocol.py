"""A version behind kserve's model server: the V1 and V2 protocols, inside our own envelope.

Importing this module imports kserve, which then parses the command line: see `knoll.predict.importing`.
"""

import asyncio
import json
import logging
import socket
import uuid
import warnings
from collections.abc import Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import kserve
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from kserve.errors import InferenceError, InvalidInput
from kserve.model_server import app
from kserve.protocol.rest.server import RESTServer

from knoll.codecs import DTYPES, Array, check_tensor, decode, encode, encode_picture
from knoll.errors import InvalidInstance
from knoll.predict.door import behind_door
from knoll.predict.envelope import Envelope
from knoll.predict.graph import Graph
from knoll.predict.loading import Version
from knoll.records.signature import Tensor

__all__ = ["Predictor", "run"]

_log = logging.getLogger(__name__)

_GRACE = 20  # seconds that requests in flight have after SIGTERM
_Answer = TypeVar("_Answer")


class Predictor(kserve.Model):  # type: ignore[misc]
    """One verified version. Predictions are made in threads, so that health checks are answered meanwhile."""

    def __init__(self, name: str, version: Version, graph: Graph, workers: int) -> None:
        super().__init__(name, return_response_headers=True)
        self._version = version.manifest.version
        self._graph = graph
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="predict")
        self.ready = True

    async def predict(
        self,
        payload: Any,
        headers: Mapping[str, str] | None = None,
        response_headers: MutableMapping[str, str] | None = None,
    ) -> Any:
        """Answer a V1 request with a V1 answer, and a V2 request with a V2 answer."""
        if isinstance(payload, kserve.InferRequest):
            return await self._in_thread(lambda: self._infer(payload))
        if _prefers_png((headers or {}).get("accept", "")):
            picture = await self._in_thread(
                lambda: encode_picture(self._run_instances(payload), self._graph.signature)
            )
            if response_headers is not None:
                response_headers["content-type"] = "image/png"
            return picture
        return await self._in_thread(
            lambda: {"predictions": encode(self._run_instances(payload), self._graph.signature)}
        )

    def get_input_types(self) -> list[dict[str, Any]]:
        """The inputs as the V2 metadata shows them."""
        return [_metadata(tensor) for tensor in self._graph.signature.inputs]

    def get_output_types(self) -> list[dict[str, Any]]:
        """The outputs as the V2 metadata shows them."""
        return [_metadata(tensor) for tensor in self._graph.signature.outputs]

    async def _in_thread(self, answer: Callable[[], _Answer]) -> _Answer:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, answer)
        except InvalidInstance as error:
            raise InvalidInput(f"{error}; {error.fix}" if error.fix else str(error)) from error
        except InvalidInput:
            raise
        except Exception as error:
            _log.exception("a prediction failed")
            raise InferenceError("the prediction failed; the log of the predictor says why") from error

    def _run_instances(self, payload: Any) -> dict[str, Array]:
        return self._graph.run(decode(_instances(payload), self._graph.signature))

    def _infer(self, request: Any) -> Any:
        outputs = self._graph.run(
            {tensor.name: _input(request, tensor) for tensor in self._graph.signature.inputs}
        )
        named = [one.name for one in request.request_outputs or ()]
        unknown = sorted(set(named) - set(outputs))
        if unknown:
            raise InvalidInstance(f"there is no output {unknown[0]!r}")
        return kserve.InferResponse(
            response_id=request.id or str(uuid.uuid4()),
            model_name=self.name,
            model_version=self._version,
            infer_outputs=[_output(tensor, outputs[tensor.name]) for tensor in self._graph.signature.outputs],
            requested_outputs=request.request_outputs,
            use_binary_outputs=request.use_binary_outputs,
        )


def run(
    predictor: Predictor,
    listening: socket.socket,
    headers: Mapping[str, str],
    observe: Callable[[int, float], None],
    token: str = "",
) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are answered first. `token` is what requests must
    show."""
    server = kserve.ModelServer(
        http_port=listening.getsockname()[1], enable_grpc=False, enable_latency_logging=False, workers=1
    )
    _quieten()
    server.register_model(predictor)
    server.dataplane.decode = _strictly(server.dataplane.decode)
    app.add_exception_handler(RequestValidationError, _refuse_malformed)
    rest = RESTServer(
        behind_door(Envelope(app, headers, observe), token),
        server.dataplane,
        server.model_repository_extension,
        server.http_port,
        grace_period=_GRACE,
    )
    rest.run(sockets=[listening])


def _strictly(decode: Callable[..., _Answer]) -> Callable[..., _Answer]:
    """kserve raises all kinds of exceptions for malformed binary requests and half CloudEvents. Each is the
    client's fault, and must not count as a failure of the version."""

    def decoded(*given: Any, **named: Any) -> _Answer:
        try:
            return decode(*given, **named)
        except InvalidInput:
            raise
        except Exception as error:
            raise InvalidInput(
                "the request is malformed: its body is not what its headers announce"
            ) from error

    return decoded


def _quieten() -> None:
    """kserve logs a line per request, and a traceback per bad one, which would hide real failures."""
    for name, level in (
        ("kserve", logging.CRITICAL),
        ("kserve.trace", logging.WARNING),
        ("uvicorn", logging.WARNING),
    ):
        logging.getLogger(name).setLevel(level)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    access = logging.getLogger("uvicorn.access")
    access.handlers, access.propagate = [], False
    warnings.filterwarnings("ignore", message="ORJSONResponse is deprecated")


async def _refuse_malformed(_: Request, error: Exception) -> JSONResponse:
    """Answer 400 with the faults. FastAPI would answer 422 and repeat the request's values."""
    assert isinstance(error, RequestValidationError)
    faults = sorted({".".join(map(str, one["loc"])) + ": " + one["msg"] for one in error.errors()})
    return JSONResponse({"error": "; ".join(faults[:10])}, 400)


def _prefers_png(accept: str) -> bool:
    """Whether an Accept header names image/png, and prefers nothing to it; see RFC 9110, 12.5.1."""
    weights: dict[str, float] = {}
    for one in accept.split(","):
        media_type, *parameters = (part.strip().lower() for part in one.split(";"))
        quality = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        weights[media_type] = float(quality) if quality.replace(".", "", 1).isdigit() else 0.0
    return weights.get("image/png", 0.0) > 0 and weights["image/png"] >= max(weights.values())


def _instances(payload: Any) -> Any:
    """The instances of a V1 request. `curl -d` calls the body a form, so kserve does not parse it."""
    if isinstance(payload, bytes):
        try:
            payload = json.loads(payload)
        except (ValueError, RecursionError) as error:
            raise InvalidInstance("the body is not JSON") from error
    return payload.get("instances") if isinstance(payload, dict) else None


def _metadata(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}


def _input(request: Any, tensor: Tensor) -> Array:
    found = request.get_input_by_name(tensor.name)
    if found is None:
        raise InvalidInstance(f"there is no input {tensor.name!r}")
    if found.datatype != tensor.datatype:
        raise InvalidInstance(f"input {tensor.name!r} is {found.datatype}, not {tensor.datatype}")
    try:
        array: Array = found.as_numpy()
    except (ValueError, TypeError, OverflowError, InferenceError) as error:
        raise InvalidInstance(
            f"input {tensor.name!r} does not have the shape or type that it names"
        ) from error
    try:
        check_tensor(array, tensor.shape)
    except InvalidInstance as error:
        raise InvalidInstance(f"input {tensor.name!r}: {error}") from error
    return array


def _output(tensor: Tensor, batch: Array) -> Any:
    return kserve.InferOutput(
        tensor.name, list(batch.shape), tensor.datatype, batch.astype(DTYPES[tensor.datatype], copy=False)
    )
