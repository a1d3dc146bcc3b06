"""The first moments of a command: Ctrl-C also ends it while its modules are loaded.

Without this module, Python would show the traceback of an import. It imports nothing heavy, so that it is
there early.
"""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

from knoll.exits import INTERRUPTED

__all__ = ["start"]


def start(load: Callable[[], Callable[[], None]]) -> None:
    """Run the command that `load` imports. Ctrl-C during the import, and one that nothing else takes, ends
    this process with one line."""
    try:
        is_ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # a shell may ignore it
        if is_ours:
            signal.signal(signal.SIGINT, _end)
        command = load()
        if is_ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        command()
    except KeyboardInterrupt:
        _tell()
        sys.exit(INTERRUPTED)


def _end(*_: object) -> None:
    _tell()
    os._exit(INTERRUPTED)


def _tell() -> None:
    with suppress(OSError):  # standard error may be closed
        os.write(2, b"Interrupted.\n")
