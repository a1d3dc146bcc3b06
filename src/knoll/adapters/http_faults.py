"""Why an HTTP request has no answer, in words: each time-out with its own name and number."""

import httpx

__all__ = ["why_no_answer"]


def why_no_answer(error: Exception) -> str:
    """What went wrong with a request of httpx, such as "no connection to 127.0.0.1:8080 within 10 s"."""
    if not isinstance(error, httpx.RequestError):
        return f"{type(error).__name__}: {error}"
    where, times = error.request.url.netloc.decode(), error.request.extensions.get("timeout") or {}

    def within(name: str) -> str:
        return f"within {times[name]:g} s" if times.get(name) is not None else "in time"

    match error:
        case httpx.ConnectTimeout():
            return f"no connection to {where} {within('connect')}"
        case httpx.PoolTimeout():
            return f"no free connection to {where} {within('pool')}: too many requests wait here"
        case httpx.WriteTimeout():
            return f"{where} did not take the request {within('write')}"
        case httpx.ReadTimeout():
            return f"connected to {where}, and no answer {within('read')}"
        case httpx.ConnectError():
            return f"no connection to {where}: {error}"
        case httpx.RemoteProtocolError() | httpx.ReadError() | httpx.WriteError():
            return f"{where} closed the connection before its answer was complete: {error}"
    return f"{type(error).__name__}: {error}"
