"""Why an HTTP request has no answer, in words of ours: each time-out with its own name and number.

httpx and httpx2, which lightkube uses, have the same names for what goes wrong.
"""

import re
from typing import Any

__all__ = ["connection_fault", "why_no_answer"]

_TIMED_OUT = {  # the name of an error: which time-out it is, and what has not happened
    "ConnectTimeout": ("connect", "no connection to {where} {within}"),
    "PoolTimeout": ("pool", "no free connection to {where} {within}: too many requests wait here"),
    "WriteTimeout": ("write", "{where} did not take the request {within}"),
    "ReadTimeout": ("read", "connected to {where}, and no answer {within}"),
}
_FAILED = {
    "ReadError": "{where} closed the connection before its answer was complete",
    "WriteError": "{where} closed the connection before its answer was complete",
    "RemoteProtocolError": "{where} closed the connection, or what it answered is not HTTP",
    "DecodingError": "the answer of {where} is not compressed as it says",
    "ProxyError": "the proxy gives no connection to {where}",
    "InvalidURL": "the URL cannot be read",
    "UnsupportedProtocol": "the URL must begin with http:// or https://",
}
_CONNECTION = {  # by words of the system, of OpenSSL and of the resolver
    "refused|attempts failed": "nothing listens there",
    "[Nn]ame or serv|resol|getaddrinfo|No address|label empty|idna|codec": "the name leads to no address",
    "unreachable|No route": "no way leads there",
    "certificate has expired": "its certificate has expired",
    "CERTIFICATE": "nobody whom this machine trusts has signed its certificate for that name",
    "SSL|TLS": "it does not speak TLS as it must",
    "reset|EOF": "it closed the connection at once",
}


def why_no_answer(error: Exception) -> str:
    """What went wrong with a request, such as "no connection to 127.0.0.1:8080 within 10 s"."""
    name, (where, times) = type(error).__name__, _asked(error)
    if name in _TIMED_OUT:
        which, words = _TIMED_OUT[name]
        seconds = times.get(which)
        return words.format(where=where, within="in time" if seconds is None else f"within {seconds:g} s")
    if name in _FAILED:
        return _FAILED[name].format(where=where)
    fault = connection_fault(error)
    return f"no connection to {where}{f': {fault}' if fault else ''}"


def connection_fault(error: Exception) -> str:
    """Why a connection did not come about; "" if that is not known."""
    return next((told for words, told in _CONNECTION.items() if re.search(words, str(error))), "")


def _asked(error: Exception) -> tuple[str, dict[str, Any]]:
    """Which server was asked, and the time-outs of the request, in seconds."""
    try:
        request = error.request  # type: ignore[attr-defined]
    except (AttributeError, RuntimeError):  # the request was never made
        return "the server", {}
    return request.url.netloc.decode(), request.extensions.get("timeout") or {}
