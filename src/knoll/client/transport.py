"""What httpx takes and gives, for the edge that blocks and for the one that awaits."""

from collections.abc import Mapping
from typing import Any

import httpx

from knoll.adapters.http_faults import why_no_answer
from knoll.client.steps import Heard, Try
from knoll.errors import Rejected

__all__ = ["request_of", "settings_of_http", "unheard"]

_CONNECT_SECONDS = 10.0
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def settings_of_http(url: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """How a client of httpx is made. Raises Rejected if that is no URL."""
    try:
        parts = httpx.URL(url)
        is_of_server = parts.scheme in ("http", "https") and bool(parts.host)
    except httpx.InvalidURL:
        is_of_server = False
    if not is_of_server:
        raise Rejected(
            f"{url!r} is no URL of a server",
            fix="give http:// or https://, a host, and a port if it has one, as in http://127.0.0.1:8080",
        )
    return {"headers": dict(headers), "trust_env": False}


def request_of(url: str, step: Try) -> dict[str, Any]:
    """The arguments of one request."""
    call = step.call
    return {
        "method": call.method,
        "url": url.rstrip("/") + call.path,
        "content": call.body,
        "headers": dict(call.headers),
        "timeout": httpx.Timeout(step.seconds, connect=min(step.seconds, _CONNECT_SECONDS)),
    }


def unheard(error: httpx.HTTPError, has_begun: bool) -> Heard:
    """What is heard if there is no whole answer."""
    was_sent = not isinstance(error, _UNSENT)
    return Heard(0, {}, why_no_answer(error).encode(), was_sent=was_sent, has_begun=has_begun)
