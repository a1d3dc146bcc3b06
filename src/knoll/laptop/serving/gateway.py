"""The way of a predict request on a laptop: V1 and V2 paths, traffic weights and tags in, the answer of one
Revision's replica out.

If a model sleeps, the request waits while its replica starts. Some questions wake nothing: which models
there are, and whether one is ready. A model is ready when all Revisions that get its requests are. A sleeping
Revision is ready unless its last start failed.

A request is sent once. If its replica ends meanwhile, another one might, too.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import aiohttp
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as HttpRoute

from knoll.errors import Unavailable
from knoll.laptop.request_body import BodyTooLarge, held_body
from knoll.laptop.serving.autoscaler import Autoscaler
from knoll.laptop.serving.proxy import CONNECT_WITHIN, forward, unless_gone
from knoll.laptop.serving.route import Route, find_route, pick, targets, why_unavailable
from knoll.laptop.serving.status import traffic_of
from knoll.paths import READY
from knoll.request_limits import ARRIVES_WITHIN, CLIENT_GONE, RETRY_AFTER, ByteBudget

__all__ = ["Gateway"]

_PATIENCE = 120.0
_ANSWER_WITHIN = 300.0  # seconds: Knative's default timeout of a Revision
_METADATA = {"name": "knoll", "version": "2", "extensions": []}


class Gateway:
    """Routes for predict requests. `random` picks by weight; a request waits `patience` seconds for an
    replica. The bodies of all requests stay within `bodies`. `asked` has the number of requests that were
    sent to each Revision."""

    def __init__(
        self,
        autoscaler: Autoscaler,
        bodies: ByteBudget,
        random: Random | None = None,
        patience: float = _PATIENCE,
    ) -> None:
        self._autoscaler, self._random, self._patience = autoscaler, random or Random(), patience
        self._bodies = bodies
        self._examples: dict[str, Any] = {}
        self.asked: Counter[str] = Counter()

    def routes(self) -> list[HttpRoute]:
        """V1 and V2 at the root, and the same below /<isvc>-predictor and /<tag>-<isvc>-predictor."""
        calls: list[tuple[str, str, Callable[[Request], Awaitable[Response]]]] = [
            ("POST", "/v1/models/{model}:predict", self._predict),
            ("POST", "/v1/models/{model}:explain", self._predict),
            ("POST", "/v1/models/{model}:feedback", self._predict),
            ("GET", "/v1/models", self._models),
            ("GET", "/v1/models/{model}", self._described),
            ("GET", "/v2", _metadata),
            ("GET", "/v2/health/live", _live),
            ("GET", READY, self._healthy),
            ("GET", "/v2/models/{model}", self._predict),
            ("GET", "/v2/models/{model}/ready", self._ready),
            ("POST", "/v2/models/{model}/infer", self._predict),
        ]
        found: list[HttpRoute] = []
        for prefix in ("", "/{host}"):
            repository = f"{prefix}/v2/repository/{{rest:path}}"
            found.append(HttpRoute(repository, _refuse_repository, methods=["GET", "POST"]))
            found += [HttpRoute(prefix + path, act, methods=[method]) for method, path, act in calls]
        return found

    async def _models(self, _: Request) -> Response:
        return JSONResponse({"models": sorted(self._autoscaler.isvcs)})

    async def _healthy(self, request: Request) -> Response:
        """As in V2, the server is ready when all of its models are. Below a host there is one model."""
        routes = [Route(one, "") for _, one in sorted(self._autoscaler.isvcs.items())]
        if "host" in request.path_params:
            route = self._route(request)
            if isinstance(route, Response):
                return route
            routes = [route]
        for one in routes:
            if fault := self._fault(one):
                return _not_ready(one.name, fault)
        return JSONResponse({"ready": True})

    async def _ready(self, request: Request) -> Response:
        route = self._route(request)
        if isinstance(route, Response):
            return route
        name, fault = request.path_params["model"], self._fault(route)
        return _not_ready(name, fault) if fault else JSONResponse({"name": name, "ready": True})

    async def _predict(self, request: Request) -> Response:
        route = self._route(request)
        if isinstance(route, Response):
            return route
        revision = pick(traffic_of(route.isvc), route.tag, self._random)
        if not revision:
            return _unavailable(why_unavailable(route))
        try:
            async with held_body(request, self._bodies) as body:
                return await unless_gone(request, self._ask(revision, request, body))
        except BodyTooLarge as error:
            return _error(413, f"{error}: send fewer instances at a time")
        except TimeoutError:
            return _error(408, f"the body did not arrive within {ARRIVES_WITHIN:g} s")
        except ClientDisconnect:
            return _error(CLIENT_GONE, "the client has gone")
        except Unavailable as error:
            return _unavailable(f"{error}; {error.fix}" if error.fix else str(error))

    async def _ask(self, revision: str, request: Request, body: bytes) -> Response:
        """Forward the request. It is tried once more only if there was no connection: a replica that ended
        may have ended because of it."""
        for is_last in (False, True):
            async with self._autoscaler.acquire(revision, self._patience) as address:
                self.asked[revision] += 1
                try:
                    async with asyncio.timeout(_ANSWER_WITHIN):
                        return await forward(self._autoscaler.http, address, revision, request, body)
                except aiohttp.ConnectionTimeoutError:
                    return _error(504, f"{revision} took no connection within {CONNECT_WITHIN:g} s")
                except TimeoutError:
                    return _error(504, f"{revision} did not answer within {_ANSWER_WITHIN:g} s")
                except aiohttp.ClientError as error:
                    await self._autoscaler.check_connection(revision)
                    if not isinstance(error, aiohttp.ClientConnectorError):
                        return _error(
                            502,
                            f"{revision} ended while it worked on this request, which is not sent again: "
                            f"{error}; see its log",
                        )
                    if is_last:
                        return _error(502, f"{revision} cannot be reached: {error}; see its log")
        raise AssertionError("unreachable")

    async def _described(self, request: Request) -> Response:
        """Whether the model is ready, with a right request as soon as a replica has told one."""
        answer, route = await self._ready(request), self._route(request)
        if answer.status_code != 200 or isinstance(route, Response):
            return answer
        for revision in targets(route):
            if revision not in self._examples and revision in self._autoscaler.running:
                self._examples[revision] = await self._example(revision, request)
            if example := self._examples.get(revision):
                return JSONResponse({"name": request.path_params["model"], "ready": True, "example": example})
        return answer

    async def _example(self, revision: str, request: Request) -> Any:
        try:
            return json.loads(bytes((await self._ask(revision, request, b"")).body)).get("example")
        except (ValueError, AttributeError, Unavailable):
            return None

    def _fault(self, route: Route) -> str:
        """Why requests would not be answered; "" if there is no known reason."""
        names = targets(route)
        return next(filter(None, map(self._autoscaler.fault, names)), "") if names else why_unavailable(route)

    def _route(self, request: Request) -> Route | Response:
        if request.scope["raw_path"].count(b"/") != request.scope["path"].count("/"):
            return _error(404, "the name of a model holds no slash, encoded or not")
        isvcs = self._autoscaler.isvcs
        host, model = request.path_params.get("host", ""), request.path_params.get("model", "")
        route = find_route(isvcs, host, model)
        if route is not None:
            return route
        known = ", ".join(sorted(isvcs)) or "none yet"
        text = f"no model {host or model!r} is served here; known: {known}. `knoll models` shows all of them"
        return _error(404, text)


async def _metadata(_: Request) -> Response:
    return JSONResponse(_METADATA)


async def _live(_: Request) -> Response:
    return JSONResponse({"live": True})


async def _refuse_repository(_: Request) -> Response:
    return _error(403, "models are loaded and unloaded by rollouts only: /v2/repository is not open")


def _error(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status)


def _unavailable(text: str) -> Response:
    return JSONResponse({"error": text}, 503, headers={"retry-after": str(RETRY_AFTER)})


def _not_ready(name: str, fault: str) -> Response:
    return JSONResponse({"name": name, "ready": False, "error": fault}, 503)
