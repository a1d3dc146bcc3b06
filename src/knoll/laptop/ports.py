"""Ports for child processes, which bind them some time after they were chosen.

The system gives outgoing connections of all programs ports from 32768 (Linux) or 49152 (macOS) on. So a port
from there could be taken before the child binds it.
"""

import random
import socket

from knoll.errors import Unavailable

__all__ = ["free_port", "hold_port"]

_HOST = "127.0.0.1"
_PORTS = range(20_000, 30_000)
_TRIES = 100
_RANDOM = random.SystemRandom()  # a training seeds the common generator: two processes would choose alike


def free_port() -> int:
    """A port that nothing uses now. Raises Unavailable if no port is free."""
    with hold_port() as held:
        return int(held.getsockname()[1])


def hold_port(wanted: int = 0) -> socket.socket:
    """A socket that is bound to `wanted` if that is free, else to another port, which no other call gets
    while the socket is open. Raises Unavailable if no port is free."""
    if wanted:
        held = socket.socket()
        # what the last run left in TIME_WAIT does not matter
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if _bind(held, wanted):
            return held
    for port in _RANDOM.sample(_PORTS, _TRIES):
        held = socket.socket()
        if _bind(held, port):
            return held
    raise Unavailable(
        f"no port of {_HOST} from {_PORTS[0]} to {_PORTS[-1]} is free",
        fix="end programs that listen there: ss -ltnp lists them",
    )


def _bind(held: socket.socket, port: int) -> bool:
    try:
        held.bind((_HOST, port))
    except OSError:
        held.close()
        return False
    return True
