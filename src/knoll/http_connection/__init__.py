"""The connections of our HTTP servers: HTTP/1.1, and HTTP/2 without TLS on the same port."""

import logging
from typing import Any

import uvicorn

from knoll.http_connection.either import Connection

__all__ = ["Connection", "server_config"]

_KEEP_ALIVE = 65  # seconds of an idle connection, as KServe's: longer than proxies keep one


def server_config(app: Any, drain: int, **more: Any) -> uvicorn.Config:
    """The settings of a server with such connections. It logs its own failures alone, nothing that strangers
    send. It ends at most `drain` seconds after it was asked to. `more` are other settings of uvicorn, such as
    `host` and `port`, if it makes its own socket."""
    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        log_config=None,
        log_level=logging.ERROR,
        access_log=False,
        timeout_graceful_shutdown=drain,
        **{"lifespan": "on", "timeout_keep_alive": _KEEP_ALIVE, **more},
    )
