"""Two uploads to one model at once would mix their files, so the second one is refused.

Each hangs out a sign, and only then looks for the signs of others.
"""

import os
import re
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

from knoll.errors import Conflict, KnollError, StoreUnavailable
from knoll.ports import Platform
from knoll.quoting import escaped
from knoll.records.upload import (
    SIGN,
    SIGN_SECONDS,
    hang_out,
    others_at_work,
    remove_old_signs,
    sign_place,
    take_in,
)

__all__ = ["one_at_a_time"]


@contextmanager
def one_at_a_time(model: str, platform: Platform) -> Iterator[None]:
    """Keep the sign out while the block runs. Raises Conflict if another upload to this model goes on."""
    uri = sign_place(model, f"{_machine()}-{os.getpid()}-{secrets.token_hex(4)}", platform.bucket)
    ended = threading.Event()
    renewal = threading.Thread(target=_renew, args=(uri, platform, ended), daemon=True)
    try:
        _hang_out_alone(uri, model, platform)
        renewal.start()
        yield
    finally:
        ended.set()
        if renewal.ident is not None:
            renewal.join()
        with suppress(KnollError):
            take_in(uri, platform.bucket)


def _hang_out_alone(uri: str, model: str, platform: Platform) -> None:
    """Hang the sign out, and remove those of uploads that were killed. Raises Conflict for others."""
    others: list[tuple[str, datetime]] = []
    with suppress(StoreUnavailable):  # a user may have rights on the data alone
        hang_out(uri, platform.bucket)
        remove_old_signs(uri, platform.bucket)
        others = others_at_work(uri, platform.bucket)
    for sign, seen in others:
        who = SIGN.fullmatch(sign.rpartition("/")[2])
        assert who is not None
        if who["machine"] == _machine() and _has_ended(int(who["process"])):
            with suppress(StoreUnavailable):
                take_in(sign, platform.bucket)
            continue
        raise Conflict(
            f"another upload to {model} goes on, on the machine {who['machine']} in process "
            f"{who['process']}, last seen at {seen:%H:%M:%S} UTC; two at once would mix their files",
            fix="wait until it has ended, then repeat; if it was killed, wait "
            f"{SIGN_SECONDS:.0f} seconds, or delete {escaped(sign)}",
        )


def _machine() -> str:
    return re.sub("[^A-Za-z0-9.-]", "-", socket.gethostname())


def _has_ended(process: int) -> bool:
    """Whether a process of this machine is gone: it was killed, or could not reach the store at its end."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        pass
    return False


def _renew(uri: str, platform: Platform, ended: threading.Event) -> None:
    while not ended.wait(SIGN_SECONDS / 4):
        with suppress(KnollError):
            hang_out(uri, platform.bucket)
