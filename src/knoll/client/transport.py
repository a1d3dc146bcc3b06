"""The way to a server: by HTTP, with what httpx takes and gives, or by gRPC."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, Literal

import httpx

from knoll.adapters.http_faults import why_no_answer
from knoll.client.forms import ByRest, TensorForm
from knoll.client.steps import Heard, Try
from knoll.errors import Rejected

__all__ = ["Transport", "request_of", "settings_of_http", "unheard", "way_to"]

Transport = Literal["auto", "rest", "grpc"]

_CONNECT_SECONDS = 10.0
_OF_GRPC = {"grpc": "http", "grpcs": "https"}  # schemes, and those of the same port
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def way_to(url: str, transport: Transport) -> tuple[str, TensorForm]:
    """The URL for HTTP, and how tensors are sent. With `auto` they go by REST, which costs less, unless the
    URL begins with grpc:// or grpcs://. Raises Rejected if they cannot go so."""
    scheme, _, place = url.partition("://")
    is_of_grpc = transport == "grpc" or (transport == "auto" and scheme in _OF_GRPC)
    url = f"{_OF_GRPC[scheme]}://{place}" if scheme in _OF_GRPC else url
    if not is_of_grpc:
        return url, ByRest()
    if "/" in place.rstrip("/"):
        raise Rejected(f"{url} has a path, and calls of gRPC have their own", fix="leave it out, or use REST")
    if find_spec("grpc") is None:
        raise Rejected("gRPC needs a library of Google", fix="pip install 'knoll[grpc]', or use REST")
    from knoll.client.by_calls import ByCalls

    return url, ByCalls()


def settings_of_http(url: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """How a client of httpx is made. Raises Rejected if that is no URL."""
    try:
        parts = httpx.URL(url)
        is_of_server = parts.scheme in ("http", "https") and bool(parts.host)
        is_of_server = is_of_server and not (parts.query or parts.fragment)  # no path could follow these
    except (httpx.InvalidURL, TypeError):
        is_of_server = False
    if not is_of_server:
        raise Rejected(
            f"{url!r} is no URL of a server",
            fix="give http:// or https://, a host, and a port if it has one, as in http://127.0.0.1:8080; "
            "nothing of it follows a ? or #",
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
