"""The router of a cluster: it stands before the tagged routes of Models with sticky visitors, a shadow, or
comparison.

It is one Knative Service in a namespace, and scales to zero. The path of a request names the Model, and the
status of its InferenceService the shares. The router keeps nothing, so any number of replicas agree.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from random import Random

import aiohttp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from knoll.errors import Unavailable
from knoll.headers import HEADERS_OF_AIOHTTP, VERSION
from knoll.kube.predictors import predictor_status, tagged_url, traffic_of
from knoll.paths import LIVE, POSTED, READ
from knoll.ports import Document
from knoll.request_limits import ByteBudget
from knoll.router.choose import choose
from knoll.router.copies import Copies
from knoll.router.known import KnownCluster
from knoll.router.points import Points
from knoll.router.policy import Policies
from knoll.router.proxy import CONNECT_WITHIN, Question, forward
from knoll.router.relay import in_error, relay, unavailable, why_no_answer
from knoll.router.targets import Target, targets_of

__all__ = ["Router"]


class Router:
    """`app` is its ASGI application. The bodies of all requests stay within `bodies`; `random` is the chance
    of the shares, and `resolver` finds the addresses of predictors, by default as the system does."""

    def __init__(
        self,
        known: KnownCluster,
        bodies: ByteBudget,
        random: Random | None = None,
        resolver: aiohttp.abc.AbstractResolver | None = None,
    ) -> None:
        self._known, self._bodies, self._resolver = known, bodies, resolver
        self._random, self._policies, self.copies = random or Random(), Policies(), Copies()
        self._points = Points(self._random)
        routes = [Route(path, self._relay, methods=["POST"]) for path in POSTED]
        routes += [Route(path, self._relay, methods=["GET"]) for path in READ]
        self.app = Starlette(routes=[Route(LIVE, _live), *routes], lifespan=self._lifespan)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30.0, resolver=self._resolver)
        async with aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_WITHIN),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=HEADERS_OF_AIOHTTP,
        ) as self._http:
            try:
                yield
            finally:
                await self.copies.close()

    async def _relay(self, request: Request) -> Response:
        name = request.path_params["model"]
        try:
            seen = await self._known.now()
        except Unavailable as error:
            return unavailable(f"{error}; {error.fix}")
        document, isvc = seen.models.get(name), seen.isvcs.get(name)
        if document is None or isvc is None:
            return in_error(404, f"no model {name!r} is served here")
        targets = targets_of(traffic_of(isvc))
        policy = self._policies.of(name, document).of_path(request.url.path)
        choice = choose(policy, targets, request.headers, self._points, self._random.random)
        if choice is None:
            return unavailable(f"no version of {name} has been ready yet")
        ask, copy = partial(self._ask, isvc, len(targets)), partial(self._send, isvc)
        return await relay(request, choice, ask, copy, self._bodies, self.copies)

    async def _ask(self, isvc: Document, targets: int, target: Target, question: Question) -> Response:
        """Hand the request on: by the tag, if several Revisions share the traffic and the tag is still there,
        else by the route of all traffic."""
        if targets > 1 and (answer := await self._by_tag(isvc, target, question)) is not None:
            return answer
        try:
            return await self._send(isvc, Target(target.revision if targets == 1 else "", 0), question)
        except aiohttp.ClientError as error:
            return _unreachable(target, error)

    async def _by_tag(self, isvc: Document, target: Target, question: Question) -> Response | None:
        """None if the tag is gone, as after a promotion: then no predictor had the request."""
        try:
            answer = await self._send(isvc, target, question)
        except aiohttp.ClientConnectorError:
            return None
        except aiohttp.ClientError as error:
            return _unreachable(target, error)
        return None if answer.status_code == 404 and VERSION not in answer.headers else answer

    async def _send(self, isvc: Document, target: Target, question: Question) -> Response:
        address = tagged_url(predictor_status(isvc), target.tag)
        return await forward(self._http, address.rstrip("/"), target.revision, question)


def _unreachable(target: Target, error: aiohttp.ClientError) -> Response:
    return in_error(502, f"{target.revision or 'the model'} cannot be reached: {why_no_answer(error)}")


async def _live(_: Request) -> Response:
    return JSONResponse({"live": True})
