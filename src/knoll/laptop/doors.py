"""Who may use the laptop's port.

A web page that is open in the user's browser can also send requests to 127.0.0.1, even by a host name of its
own that leads there. So every path refuses other host names, and requests that a browser marks as coming from
another site. The broker and the functions, which change state, also ask for the token of this platform.
Predict requests need no token, so that curl alone will do.
"""

import base64
import binascii
import hmac
import json
from collections.abc import Collection, Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from knoll.headers import (
    AUTHORIZATION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    HOST,
    ORIGIN,
    SEC_FETCH,
    SEC_FETCH_MODE,
    SEC_FETCH_SITE,
    WWW_AUTHENTICATE,
)
from knoll.media_types import JSON
from knoll.paths import BROKER, FUNCTIONS

__all__ = ["Doors", "foreign", "holds"]

_Headers = Iterable[tuple[bytes, bytes]]

_CLOSED = (BROKER, FUNCTIONS)
_AUTHORIZATION, _HOST, _ORIGIN = AUTHORIZATION.encode(), HOST.encode(), ORIGIN.encode()
_SEC_FETCH, _SEC_FETCH_MODE, _SEC_FETCH_SITE = (
    name.encode() for name in (SEC_FETCH, SEC_FETCH_MODE, SEC_FETCH_SITE)
)
_OWN_SITE = {b"same-origin", b"none"}
_FOREIGN = (
    "a page of another site may not use this platform: send the request from a program, or from a page of "
)
_OTHER_NAME = "this platform answers to its own names only: send the request to "
_NO_TOKEN = (
    "this path needs the token of this platform: send the header Authorization: Bearer TOKEN; "
    "`knoll env` prints it as KNOLL_TOKEN"
)


class Doors:
    """ASGI middleware that refuses requests without the right to use a path. `origins` are the platform's
    own, such as http://127.0.0.1:8080."""

    def __init__(self, app: ASGIApp, origins: Collection[str], token: str) -> None:
        self._app, self._token = app, token
        self._origins = {one.encode() for one in origins}
        self._names = {one.rpartition(":")[0].removeprefix("http://").encode() for one in origins}
        self._own = " or ".join(sorted(origins))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 400, 401 or 403, or hand the request on."""
        if scope["type"] == "http":
            if _host(scope["headers"]) not in self._names:
                await _refuse(400, _OTHER_NAME + self._own, send)
                return
            if foreign(scope["method"], scope["headers"], self._origins):
                await _refuse(403, _FOREIGN + self._own, send)
                return
            if scope["path"].startswith(_CLOSED) and not holds(scope["headers"], self._token):
                await _refuse(401, _NO_TOKEN, send)
                return
        await self._app(scope, receive, send)


def _host(headers: _Headers) -> bytes:
    """The name that the request was sent to, without its port; empty if that is not clear."""
    values = [value for name, value in headers if name == _HOST]
    return values[0].partition(b":")[0].lower() if len(values) == 1 else b""


def foreign(method: str, headers: _Headers, origins: Collection[bytes]) -> bool:
    """Whether a browser says that another site sends this. A link to this platform may be followed: the
    page with the link does not see the answer."""
    given = list(headers)
    if any(name == _ORIGIN and value not in origins for name, value in given):
        return True
    found = {name: value for name, value in given if name.startswith(_SEC_FETCH)}
    is_link = method in ("GET", "HEAD") and found.get(_SEC_FETCH_MODE) == b"navigate"
    return found.get(_SEC_FETCH_SITE, b"none") not in _OWN_SITE and not is_link


def holds(headers: _Headers, token: str) -> bool:
    """Whether a request shows the token, as bearer token or as password. Some stores can send their
    notifications only to http://knoll:TOKEN@127.0.0.1:8080/functions/ingest."""
    values = [value for name, value in headers if name == _AUTHORIZATION]
    if len(values) != 1 or not token:
        return False
    scheme, _, shown = values[0].strip().partition(b" ")
    if scheme.lower() == b"basic":
        try:
            shown = base64.b64decode(shown, validate=True).partition(b":")[2]
        except binascii.Error:
            return False
    elif scheme.lower() != b"bearer":
        return False
    return hmac.compare_digest(shown.strip(), token.encode())


async def _refuse(status: int, text: str, send: Send) -> None:
    body = json.dumps({"error": text}).encode()
    kind = [(CONTENT_TYPE.encode(), JSON.encode()), (CONTENT_LENGTH.encode(), str(len(body)).encode())]
    if status == 401:
        kind.append((WWW_AUTHENTICATE.encode(), b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": kind})
    await send({"type": "http.response.body", "body": body})
