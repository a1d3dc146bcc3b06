"""The one HTTP server of the laptop platform: broker ingress, functions and predict requests on one port of
the loopback interface.

Broker and functions are plain callables, which may block; they run on threads.
"""

import socket
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial

import uvicorn
from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from knoll.calls import with_calls
from knoll.errors import Unavailable
from knoll.events.event import EVENT_LIMIT
from knoll.http_connection import server_config
from knoll.laptop.doors import Doors
from knoll.paths import BROKER, FUNCTIONS
from knoll.quoting import escaped
from knoll.request_limits import CLIENT_GONE
from knoll.router.request_body import BodyTooLarge, read_body

__all__ = ["Front", "HttpSubscriber", "Posted", "Reply", "listen"]

Reply = tuple[int, Mapping[str, str], bytes]
HttpSubscriber = Callable[[Mapping[str, str], bytes], Reply]


_THREADS = 40
_DRAIN = 15
_NAMES = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class Posted:
    """What answers a POST, and the most bytes that the POST may have."""

    subscriber: HttpSubscriber
    limit: int = EVENT_LIMIT


def listen(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1; port 0 takes a free one. Raises Unavailable if the port is taken."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", port))
        bound.listen(1024)
    except OSError as error:
        bound.close()
        raise Unavailable(
            f"cannot listen on port {port} of 127.0.0.1: {error.strerror}",
            fix=f"end the program that uses port {port}, or set KNOLL_PORT to another port (0: any free one)",
        ) from error
    return bound


class Front:
    """The HTTP server, on a thread of its own.

    `url` is its base URL, known before the start. `functions` has them by name; these and the broker ask for
    `token`. The server enters `lifespan` on its event loop before the first request, and leaves it after the
    last. `fault` says why the platform is not well, or "".
    """

    def __init__(
        self,
        bound: socket.socket,
        *,
        token: str,
        broker: HttpSubscriber,
        functions: Mapping[str, Posted],
        routes: Sequence[BaseRoute] = (),
        lifespan: Callable[[], AbstractAsyncContextManager[object]] = nullcontext,
        fault: Callable[[], str] = str,
    ) -> None:
        self.url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        self._bound, self._lifespan, self._fault = bound, lifespan, fault
        self._broker, self._functions = Posted(broker), functions
        own = [
            Route("/healthz", self._healthz, methods=["GET"]),
            Route(BROKER, self._ingress, methods=["POST"]),
            Route(FUNCTIONS + "{name}", self._function, methods=["POST"]),
        ]
        origins = [f"http://{name}:{bound.getsockname()[1]}" for name in _NAMES]
        doors = Middleware(Doors, origins=origins, token=token)
        app = Starlette(
            routes=[*own, *routes],
            middleware=[doors, Middleware(with_calls)],
            exception_handlers={HTTPException: _in_json},
            lifespan=self._live,
        )
        app.router.redirect_slashes = False  # the answer would be empty, and clients do not repeat a POST
        self._server = uvicorn.Server(server_config(app, _DRAIN))
        self._thread = threading.Thread(target=self._serve, name="front", daemon=True)
        self._is_up = threading.Event()
        self._failure: Exception | None = None

    def start(self) -> None:
        """Serve; returns as soon as requests are answered. Raises Unavailable if the lifespan does not
        start."""
        self._thread.start()
        self._is_up.wait()
        if self._failure is not None:
            self._thread.join()
            raise Unavailable(
                f"the platform did not start: {self._failure}", fix="mend that, then start it again"
            ) from self._failure

    def stop(self) -> None:
        """Take no more requests, let those in flight finish, leave the lifespan. May be called twice."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join()
        self._bound.close()

    def _serve(self) -> None:
        with suppress(SystemExit):  # uvicorn's way to end after a failed start, which `start` reports
            self._server.run(sockets=[self._bound])

    @asynccontextmanager
    async def _live(self, _: Starlette) -> AsyncIterator[None]:
        self._for_broker, self._for_functions = CapacityLimiter(_THREADS), CapacityLimiter(_THREADS)
        try:
            async with self._lifespan():
                self._is_up.set()
                yield
        except Exception as error:
            self._failure = error
            raise
        finally:
            self._is_up.set()

    async def _healthz(self, _: Request) -> Response:
        if fault := self._fault():
            return JSONResponse({"status": "not well", "error": fault}, 503)
        return JSONResponse({"status": "ok"})

    async def _ingress(self, request: Request) -> Response:
        return await _call(self._broker, request, self._for_broker)

    async def _function(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._functions:
            known = ", ".join(sorted(self._functions))
            return JSONResponse({"error": f"there is no function {name!r}; known: {known}"}, 404)
        return await _call(self._functions[name], request, self._for_functions)


async def _call(posted: Posted, request: Request, limiter: CapacityLimiter) -> Response:
    try:
        body = await read_body(request, posted.limit)
    except BodyTooLarge as error:
        return JSONResponse({"error": f"{error}; put large data into a bucket, and its URI here"}, 413)
    except ClientDisconnect:
        return Response(status_code=CLIENT_GONE)
    answering = partial(posted.subscriber, _headers(request), body)
    status, headers, content = await to_thread.run_sync(answering, limiter=limiter)
    return Response(content, status, dict(headers))


def _headers(request: Request) -> Mapping[str, str]:
    """Each header once. A header that came twice has both values: else one module might check the first, and
    another act on the second."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


async def _in_json(request: Request, error: Exception) -> Response:
    """{"error": ...} for paths and methods that are not there, as V1 and V2 have it."""
    assert isinstance(error, HTTPException)
    path = escaped(request.url.path[:200])
    known = {404: f"there is no path {path}", 405: f"{path} does not take {request.method}"}
    text = known.get(error.status_code, str(error.detail))
    return JSONResponse({"error": text}, error.status_code, headers=error.headers)
