"""The router of a cluster: it stands before the tagged routes of Models with sticky visitors, a shadow, or
comparison.

It is one Knative Service in a namespace, and scales to zero. The path of a request names the Model; a call of
gRPC names it in its message. The status of its InferenceService has the shares. The router keeps nothing, so
any number of replicas agree.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from random import Random

import aiohttp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from knoll.calls import with_calls
from knoll.calls.naming import called_model
from knoll.errors import Unavailable
from knoll.headers import HEADERS_OF_AIOHTTP, VERSION
from knoll.kube.predictors import predictor_status, tagged_url, traffic_of
from knoll.paths import LIVE, MODEL_INFER, POSTED, READ, READY
from knoll.ports import Document
from knoll.request_limits import ByteBudget
from knoll.router.choose import choose
from knoll.router.copies import Copies
from knoll.router.known import KnownCluster, Snapshot
from knoll.router.points import Points
from knoll.router.policy import Policies
from knoll.router.proxy import CONNECT_WITHIN, Deliver, Question, forward
from knoll.router.relay import Picked, Relayed, in_error, unavailable, why_no_answer
from knoll.router.targets import Target, targets_of
from knoll.rpc.framing import STATUS, UNIMPLEMENTED

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
        routes += [Route(MODEL_INFER, self._call, methods=["POST"])]
        routes += [Route(LIVE, _live), Route(READY, _ready)]
        self.app = with_calls(Starlette(routes=routes, lifespan=self._lifespan))

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
        return await self._relayed(request, lambda _: request.path_params["model"])

    async def _call(self, request: Request) -> Response:
        return await self._relayed(request, called_model)

    async def _relayed(self, request: Request, named: Callable[[bytes], str]) -> Response:
        """The body is held as a whole: it may have to be sent again."""
        try:
            seen = await self._known.now()
        except Unavailable as error:
            return unavailable(f"{error}; {error.fix}")
        pick = partial(self._pick, request, seen, named)
        return Relayed(request, pick, self._bodies, self.copies, is_enough=lambda _: False)

    def _pick(
        self, request: Request, seen: Snapshot, named: Callable[[bytes], str], body: bytes
    ) -> Picked | Response:
        name = named(body)
        document, isvc = seen.models.get(name), seen.isvcs.get(name)
        if document is None or isvc is None:
            return in_error(404, f"no model {name!r} is served here")
        targets = targets_of(traffic_of(isvc))
        policy = self._policies.of(name, document).of_path(request.scope["path"])
        choice = choose(policy, targets, request.headers, self._points, self._random.random)
        if choice is None:
            return unavailable(f"no version of {name} has been ready yet")
        return Picked(choice, partial(self._ask, isvc, len(targets)), partial(self._send, isvc))

    async def _ask(
        self, isvc: Document, targets: int, target: Target, question: Question, deliver: Deliver
    ) -> None:
        """Hand the request on: by the tag, if several Revisions share the traffic and the tag is still there,
        else by the route of all traffic."""
        if targets > 1 and await self._has_answered(isvc, target, question, deliver):
            return
        untagged = Target(target.revision if targets == 1 else "", 0)
        try:
            await self._send(isvc, untagged, question, deliver)
        except aiohttp.ClientError as error:
            await deliver(_unreachable(target, error))

    async def _has_answered(
        self, isvc: Document, target: Target, question: Question, deliver: Deliver
    ) -> bool:
        """Ask by the tag. Not if that is gone, as after a promotion: then no predictor had the request."""
        is_gone = False

        async def deliver_if_there(answer: Response) -> None:
            nonlocal is_gone
            is_gone = _is_nobodys(answer)
            if not is_gone:
                await deliver(answer)

        try:
            await self._send(isvc, target, question, deliver_if_there)
        except aiohttp.ClientConnectorError:
            return False
        except aiohttp.ClientError as error:
            await deliver(_unreachable(target, error))
        return not is_gone

    async def _send(self, isvc: Document, target: Target, question: Question, deliver: Deliver) -> None:
        address = tagged_url(predictor_status(isvc), target.tag)
        await forward(self._http, address.rstrip("/"), target.revision, question, deliver)


def _is_nobodys(answer: Response) -> bool:
    """Whether Knative's gateway says that it knows no such host; to a call it says so in words of gRPC."""
    is_unknown = answer.status_code == 404 or answer.headers.get(STATUS) == str(UNIMPLEMENTED)
    return is_unknown and VERSION not in answer.headers


def _unreachable(target: Target, error: aiohttp.ClientError) -> Response:
    return in_error(502, f"{target.revision or 'the model'} cannot be reached: {why_no_answer(error)}")


async def _live(_: Request) -> Response:
    return JSONResponse({"live": True})


async def _ready(_: Request) -> Response:
    return JSONResponse({"ready": True})
