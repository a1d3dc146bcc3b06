"""Answers the V1 and V2 predict requests of a laptop: path, tag and traffic weights lead each to the replica
of one Revision. A call of gRPC names its model in its message. `router.choose` decides which Revision it is,
and whether another one gets a copy.

If a model sleeps, the request waits while its replica starts. Some questions wake nothing: which models
there are, and whether one is ready. A model is ready when all Revisions that get its requests are. A sleeping
Revision is ready unless its last start failed.

A request is sent once: if it has ended one replica, it might end another.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import aiohttp
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as HttpRoute

from knoll.calls.naming import called_model
from knoll.kube.predictors import traffic_of
from knoll.laptop.serving.autoscaler import Autoscaler
from knoll.laptop.serving.route import Route, answering, find_route, why_absent, why_unavailable
from knoll.paths import FEEDBACK, LIVE, MODEL_INFER, MODELS, POSTED, READ, READY, SERVER
from knoll.request_limits import ByteBudget
from knoll.router.choose import Choice, choose
from knoll.router.copies import Copies
from knoll.router.points import Points
from knoll.router.policy import Policies
from knoll.router.proxy import Deliver, Question, forward
from knoll.router.relay import Picked, Relayed, in_error, unavailable, why_no_answer
from knoll.router.request_body import WHOLE
from knoll.router.targets import Target, targets_of

__all__ = ["Gateway"]

_PATIENCE = 120.0
_ACTIONS = (":predict", ":explain", FEEDBACK)
_METADATA = {"name": "knoll", "version": "2", "extensions": []}


class Gateway:
    """Routes for predict requests. `random` is the chance of the weights; a request waits `patience` seconds
    for a replica. The bodies of all requests stay within `bodies`. `asked` has the number of requests that
    were sent to each Revision, with the `copies`. `example_of` gives a valid request for a model and a
    version, or None. The event loop enters `lifespan` before the first one."""

    def __init__(
        self,
        autoscaler: Autoscaler,
        bodies: ByteBudget,
        random: Random | None = None,
        patience: float = _PATIENCE,
        example_of: Callable[[str, str], Any] = lambda *_: None,
    ) -> None:
        self._autoscaler, self._random, self._patience = autoscaler, random or Random(), patience
        self._bodies, self._policies, self.copies = bodies, Policies(), Copies()
        self._points = Points(self._random)
        self._example_of, self._examples = example_of, dict[tuple[str, str], Any]()
        self.asked: Counter[str] = Counter()

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """The replicas, while requests may come."""
        async with self._autoscaler:
            try:
                yield
            finally:
                await self.copies.close()

    def routes(self) -> list[HttpRoute]:
        """V1 and V2 at the root, and the same below /<isvc>-predictor and /<tag>-<isvc>-predictor."""
        calls: list[tuple[str, str, Callable[[Request], Awaitable[Response]]]] = [
            *(("POST", path, self._predict) for path in POSTED),
            ("POST", MODEL_INFER, self._call),
            ("GET", MODELS[0], self._models),
            ("GET", SERVER, _metadata),
            ("GET", LIVE, _live),
            ("GET", READY, self._healthy),
            *(
                ("GET", path, told)
                for path, told in zip(READ, (self._describe, self._predict, self._ready), strict=True)
            ),
        ]
        found: list[HttpRoute] = []
        for prefix in ("", "/{hostname}"):
            repository = f"{prefix}{SERVER}/repository/{{rest:path}}"
            found.append(HttpRoute(repository, _refuse_repository, methods=["GET", "POST"]))
            found += [HttpRoute(prefix + path, act, methods=[method]) for method, path, act in calls]
        return found

    async def _models(self, _: Request) -> Response:
        return JSONResponse({"models": sorted(self._autoscaler.isvcs)})

    async def _healthy(self, request: Request) -> Response:
        """As in V2, the server is ready when all of its models are. Below a host there is one model."""
        routes = [Route(one, "") for _, one in sorted(self._autoscaler.isvcs.items())]
        if "hostname" in request.path_params:
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
        return Relayed(request, lambda _: self._pick(route, request), self._bodies, self.copies)

    async def _call(self, request: Request) -> Response:
        def pick(begun: bytes) -> Picked | Response:
            route = self._routed("", called_model(begun))
            return route if isinstance(route, Response) else self._pick(route, request)

        def is_enough(begun: bytes) -> bool:
            return len(begun) > WHOLE and called_model(begun) != ""

        return Relayed(request, pick, self._bodies, self.copies, is_enough)

    def _pick(self, route: Route, request: Request) -> Picked | Response:
        """Who answers. Behind a tag there is one Revision, whatever its percentage is."""
        traffic = targets_of(traffic_of(route.isvc))
        if route.tag:
            choice = next((Choice(one) for one in traffic if one.tag == route.tag), None)
        else:
            policy = self._policies.of(route.name, self._autoscaler.models.get(route.name))
            policy = policy.of_path(request.scope["path"])
            choice = choose(policy, traffic, request.headers, self._points, self._random.random)
        return Picked(choice, self._ask, self._ask) if choice else unavailable(why_unavailable(route))

    async def _ask(self, target: Target, question: Question, deliver: Deliver) -> None:
        """Forward the request. It is tried once more only if there was no connection: a replica that ended
        may have ended because of it."""
        revision = target.revision
        for is_last in (False, True):
            async with self._autoscaler.acquire(revision, self._patience) as address:
                self.asked[revision] += 1
                try:
                    await forward(self._autoscaler.http, address, revision, question, deliver)
                    return
                except aiohttp.ClientError as error:
                    await self._autoscaler.check_connection(revision)
                    why = f"{why_no_answer(error)}; see its log"
                    if isinstance(error, aiohttp.ClientConnectorError):
                        told = f"cannot be reached: {why}"
                    else:
                        told = f"ended while it worked on this request, which is not sent again: {why}"
                        is_last = True
            if is_last:
                await deliver(in_error(502, f"{revision} {told}"))
                return

    async def _describe(self, request: Request) -> Response:
        """Whether the model is ready, and a valid request for it. It wakes nothing: the signature of the
        version is enough for that. The example is remembered."""
        if request.path_params["model"].endswith(_ACTIONS):
            return JSONResponse(
                {"error": f"this path takes POST, not {request.method}"}, 405, {"Allow": "POST"}
            )
        answer, route = await self._ready(request), self._route(request)
        if answer.status_code != 200 or isinstance(route, Response):
            return answer
        for revision in answering(route):
            served = route.name, self._autoscaler.version(revision)
            if self._examples.get(served) is None:
                self._examples[served] = await asyncio.to_thread(self._example_of, *served)
            if example := self._examples[served]:
                return JSONResponse({"name": request.path_params["model"], "ready": True, "example": example})
        return answer

    def _fault(self, route: Route) -> str:
        """Why requests would not be answered; "" if there is no known reason."""
        names = answering(route)
        return next(filter(None, map(self._autoscaler.fault, names)), "") if names else why_unavailable(route)

    def _route(self, request: Request) -> Route | Response:
        if request.scope["raw_path"].count(b"/") != request.scope["path"].count("/"):
            return in_error(404, "the name of a model holds no slash, encoded or not")
        return self._routed(request.path_params.get("hostname", ""), request.path_params.get("model", ""))

    def _routed(self, host: str, model: str) -> Route | Response:
        isvcs = self._autoscaler.isvcs
        route = find_route(isvcs, host, model)
        if route is not None:
            absent = why_absent(route)
            return in_error(404, absent) if absent else route
        known = ", ".join(sorted(isvcs)) or "none yet"
        text = f"no model {host or model!r} is served here; known: {known}. `knoll models` shows all of them"
        return in_error(404, text)


async def _metadata(_: Request) -> Response:
    return JSONResponse(_METADATA)


async def _live(_: Request) -> Response:
    return JSONResponse({"live": True})


async def _refuse_repository(_: Request) -> Response:
    return in_error(403, "models are loaded and unloaded by rollouts only: /v2/repository is not open")


def _not_ready(name: str, fault: str) -> Response:
    return JSONResponse({"name": name, "ready": False, "error": fault}, 503)
