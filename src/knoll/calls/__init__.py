"""Calls of gRPC at a server that answers REST."""

from starlette.types import ASGIApp, Receive, Scope, Send

from knoll.headers import CONTENT_TYPE, header_of
from knoll.media_types import GRPC

__all__ = ["with_calls"]


def with_calls(app: ASGIApp) -> ASGIApp:
    """The application for REST, which also answers calls: what these need is imported with the first."""

    async def either(scope: Scope, receive: Receive, send: Send) -> None:
        if header_of(scope.get("headers", ()), CONTENT_TYPE).startswith(GRPC.encode()):
            from knoll.calls.answering import answer_calls

            await answer_calls(app, scope, receive, send)
        else:
            await app(scope, receive, send)

    return either
