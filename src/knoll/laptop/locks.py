"""A lock that lives as long as the children that hold it, so that two generations of a platform never work on
the same files.

When a platform is killed, its children end a moment later; whoever starts in that moment must wait for them.
The lock belongs to an open file that the guards of the children inherit, so the kernel releases it with the
last of them.
"""

import fcntl
import time
from pathlib import Path
from typing import BinaryIO

from knoll.errors import Unavailable

__all__ = ["lock", "try_lock"]


def try_lock(path: Path) -> BinaryIO | None:
    """Take the lock: an open file, to be closed by whoever is done with it; None while somebody else has it.

    A folder that is not there yet is made for its owner alone. Raises Unavailable when the file cannot be
    opened.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        fix = "is the disk full, or the folder not yours? --home names another one"
        raise Unavailable(f"{path.parent} cannot be used: {error.strerror}", fix=fix) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def lock(path: Path, timeout: float) -> BinaryIO:
    """`try_lock`, for `timeout` seconds. Raises Unavailable when somebody else keeps it."""
    deadline = time.monotonic() + timeout
    while (file := try_lock(path)) is None:
        if time.monotonic() > deadline:
            raise Unavailable(
                f"{path.parent} is in use by another platform",
                fix="stop the other `knoll up`, or choose another --home",
            )
        time.sleep(0.05)
    return file
