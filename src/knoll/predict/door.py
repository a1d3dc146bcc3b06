"""The door of a predictor on a laptop, where any program and any web page can reach its port."""

import hmac
import json

from starlette.types import ASGIApp, Receive, Scope, Send

from knoll.headers import CONTENT_LENGTH, CONTENT_TYPE, TOKEN, header_of
from knoll.media_types import JSON

__all__ = ["behind_door"]


_REFUSAL = json.dumps({"error": "ask the platform's own port: `knoll env` prints it as KNOLL_URL"}).encode()
_KIND = [(CONTENT_TYPE.encode(), JSON.encode()), (CONTENT_LENGTH.encode(), str(len(_REFUSAL)).encode())]


def behind_door(app: ASGIApp, token: str) -> ASGIApp:
    """The ASGI application for those alone who show the token; without a token for everybody, as on a
    cluster."""
    if not token:
        return app

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            shown = header_of(scope["headers"], TOKEN)
            if not hmac.compare_digest(shown, token.encode()):
                await send({"type": "http.response.start", "status": 403, "headers": _KIND})
                await send({"type": "http.response.body", "body": _REFUSAL})
                return
        await app(scope, receive, send)

    return guarded
