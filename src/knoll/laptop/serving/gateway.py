"""The way of a predict request on a laptop: V1 and V2 paths, traffic weights and tags in, the answer of one
revision's server out.

A request to a sleeping model is held while its server starts. What can be said without it (which models there
are, whether one is ready: it is when all revisions that get its requests are, and a sleeping one is unless
its last start failed) wakes nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from random import Random

import aiohttp
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from yarl import URL

from knoll.errors import Unavailable
from knoll.laptop.serving.autoscaler import Servers
from knoll.laptop.serving.revisions import traffic_of
from knoll.ports import Document

__all__ = ["BODY_LIMIT", "BodyTooLarge", "Gateway", "pick", "read_body"]

BODY_LIMIT = 64 * 2**20
_PATIENCE = 120.0
_ANSWER_WITHIN = 300.0  # seconds: Knative's default timeout of a revision
_RETRY_AFTER = "2"
_HOP_BY_HOP = {
    *(
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
    ),
    *(b"transfer-encoding", b"upgrade", b"content-length", b"host"),
}
_OF_THE_FRONT = {b"date", b"server"}  # it adds its own to every answer
_TAGS = ("latest", "prev")
_SERVER = {"name": "knoll", "version": "2", "extensions": []}


class BodyTooLarge(Exception):
    """The body of a request is longer than `BODY_LIMIT` bytes."""


@dataclass(frozen=True)
class _Called:
    """What a request asks for: an InferenceService, and one of its tagged routes or "" for its weighted
    traffic."""

    service: Document
    tag: str


async def read_body(request: Request) -> bytes:
    """The whole body. Raises BodyTooLarge."""
    chunks, size = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > BODY_LIMIT:
            raise BodyTooLarge
    return b"".join(chunks)


def pick(traffic: Sequence[Document], tag: str, random: Random) -> str:
    """The revision that answers: the one behind the tag, or one by the weights; "" when there is none."""
    if tag:
        return next((str(one["revisionName"]) for one in traffic if one.get("tag") == tag), "")
    weights = [one["percent"] for one in traffic]
    return str(random.choices(traffic, weights)[0]["revisionName"]) if any(weights) else ""


class Gateway:
    """Routes for predict requests; `random` picks by weight, `patience` is how many seconds a request waits
    for a server."""

    def __init__(self, servers: Servers, random: Random | None = None, patience: float = _PATIENCE) -> None:
        self._servers, self._random, self._patience = servers, random or Random(), patience

    def routes(self) -> list[Route]:
        """V1 and V2 at the root, and the same below /<isvc>-predictor and /<tag>-<isvc>-predictor."""
        calls: list[tuple[str, str, Callable[[Request], Awaitable[Response]]]] = [
            ("POST", "/v1/models/{model}:predict", self._forward),
            ("POST", "/v1/models/{model}:explain", self._forward),
            ("GET", "/v1/models", self._models),
            ("GET", "/v1/models/{model}", self._ready),
            ("GET", "/v2", self._metadata),
            ("GET", "/v2/health/live", self._live),
            ("GET", "/v2/health/ready", self._healthy),
            ("GET", "/v2/models/{model}", self._forward),
            ("GET", "/v2/models/{model}/ready", self._ready),
            ("POST", "/v2/models/{model}/infer", self._forward),
        ]
        below = [("", route) for route in calls] + [("/{host}", route) for route in calls]
        blocked = [
            Route(f"{prefix}/v2/repository/{{rest:path}}", _blocked, methods=["GET", "POST"])
            for prefix in ("", "/{host}")
        ]
        return blocked + [
            Route(prefix + path, endpoint, methods=[method]) for prefix, (method, path, endpoint) in below
        ]

    async def _models(self, _: Request) -> Response:
        return JSONResponse({"models": sorted(self._servers.documents)})

    async def _metadata(self, _: Request) -> Response:
        return JSONResponse(_SERVER)

    async def _live(self, _: Request) -> Response:
        return JSONResponse({"live": True})

    async def _healthy(self, request: Request) -> Response:
        """As V2 has it, the server is ready when all of its models are; below a host there is one."""
        called = self._called(request) if "host" in request.path_params else None
        if isinstance(called, Response):
            return called
        asked = (
            [called] if called else [_Called(one, "") for _, one in sorted(self._servers.documents.items())]
        )
        faults = ((one.service["metadata"]["name"], self._fault(one)) for one in asked)
        return next(
            (_not_ready(name, fault) for name, fault in faults if fault), JSONResponse({"ready": True})
        )

    async def _ready(self, request: Request) -> Response:
        called = self._called(request)
        if isinstance(called, Response):
            return called
        name, fault = request.path_params["model"], self._fault(called)
        return _not_ready(name, fault) if fault else JSONResponse({"name": name, "ready": True})

    async def _forward(self, request: Request) -> Response:
        called = self._called(request)
        if isinstance(called, Response):
            return called
        revision = self._revision(called)
        if not revision:
            return _unavailable(_why_not(called))
        try:
            return await self._ask(revision, request, await read_body(request))
        except BodyTooLarge:
            return _error(
                413, f"the body is longer than {BODY_LIMIT // 2**20} MiB: send fewer instances at a time"
            )
        except Unavailable as error:
            return _unavailable(f"{error}; {error.fix}" if error.fix else str(error))

    async def _ask(self, revision: str, request: Request, body: bytes) -> Response:
        """Forward, and once more when the connection breaks before any byte was answered: the server may have
        ended."""
        for attempt in (1, 2):
            async with self._servers.acquire(revision, self._patience) as address:
                try:
                    async with asyncio.timeout(_ANSWER_WITHIN):
                        return await self._send(address, revision, request, body)
                except TimeoutError:
                    return _error(504, f"{revision} did not answer within {_ANSWER_WITHIN:g} s")
                except aiohttp.ClientError as error:
                    await self._servers.lost(revision)
                    if attempt == 2:
                        return _error(
                            502,
                            f"{revision} ended while it worked on this request, twice: {error}; see its log",
                        )
        raise AssertionError("unreachable")

    async def _send(self, address: str, revision: str, request: Request, body: bytes) -> Response:
        path = request.scope["raw_path"].decode("latin-1")
        if "host" in request.path_params:
            path = "/" + path.split("/", 2)[2]
        query = request.scope["query_string"].decode("latin-1")
        url = URL(f"{address}{path}?{query}" if query else address + path, encoded=True)
        headers = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in _end_to_end(request.headers.raw)
        ]
        async with self._servers.http.request(
            request.method, url, headers=headers, data=BytesIO(body) if body else None, allow_redirects=False
        ) as found:
            answer = Response(await found.read(), found.status)
        answer.raw_headers += [one for one in _end_to_end(found.raw_headers) if one[0] not in _OF_THE_FRONT]
        answer.raw_headers.append((b"x-knoll-revision", revision.encode()))
        return answer

    def _revision(self, called: _Called) -> str:
        return pick(traffic_of(called.service), called.tag, self._random)

    def _fault(self, called: _Called) -> str:
        """Why requests would not be answered; "" when nothing is known against it."""
        traffic = traffic_of(called.service)
        names = [
            str(one["revisionName"])
            for one in traffic
            if (one.get("tag") == called.tag if called.tag else one["percent"])
        ]
        return next(filter(None, map(self._servers.fault, names)), "") if names else _why_not(called)

    def _called(self, request: Request) -> _Called | Response:
        if request.scope["raw_path"].count(b"/") != request.scope["path"].count("/"):
            return _error(404, "the name of a model holds no slash, encoded or not")
        documents = self._servers.documents
        host, model = request.path_params.get("host"), request.path_params.get("model", "")
        called = _by_host(documents, host) if host else _by_name(documents, model)
        if called is not None:
            return called
        known = ", ".join(sorted(documents)) or "none yet"
        return _error(
            404,
            f"no model {host or model!r} is served here; known: {known}. `knoll models` shows all of them",
        )


def _by_name(documents: Mapping[str, Document], name: str) -> _Called | None:
    return _Called(documents[name], "") if name in documents else None


def _by_host(documents: Mapping[str, Document], host: str) -> _Called | None:
    name = host.removesuffix("-predictor")
    tag, _, rest = name.partition("-")
    if name == host or name in documents or rest not in documents or tag not in _TAGS:
        return _by_name(documents, name) if name != host else None
    return _Called(documents[rest], tag)


def _why_not(called: _Called) -> str:
    name, traffic = called.service["metadata"]["name"], traffic_of(called.service)
    if called.tag and traffic:
        tags = ", ".join(one["tag"] for one in traffic if "tag" in one) or "none"
        return f"no traffic of {name} carries the tag {called.tag}; tags: {tags}"
    conditions = (called.service.get("status") or {}).get("conditions") or []
    message = next((one.get("message", "") for one in conditions if one["type"] == "PredictorReady"), "")
    why = f": {message}" if message else ""
    return f"no revision of {name} has been ready yet{why}; `knoll rollout status {name}` shows more"


def _end_to_end(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers that a proxy hands on (RFC 9110, 7.6.1), in lower case."""
    lower = [(name.lower(), value) for name, value in headers]
    named = {
        part.strip().lower() for name, value in lower if name == b"connection" for part in value.split(b",")
    }
    return [(name, value) for name, value in lower if name not in _HOP_BY_HOP and name not in named]


def _error(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status)


def _unavailable(text: str) -> Response:
    return JSONResponse({"error": text}, 503, headers={"retry-after": _RETRY_AFTER})


def _not_ready(name: str, fault: str) -> Response:
    return JSONResponse({"name": name, "ready": False, "error": fault}, 503)


async def _blocked(_: Request) -> Response:
    return _error(403, "models are loaded and unloaded by rollouts only: /v2/repository is not open")
