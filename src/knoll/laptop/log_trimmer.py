"""The logs of children that run as long as the platform: each has a largest size."""

import os
from pathlib import Path

from knoll.laptop.repeated import Repeated

__all__ = ["LogTrimmer", "trim_log"]

_EVERY = 60.0  # seconds
_MOST, _KEPT = 16 * 2**20, 4 * 2**20  # bytes


class LogTrimmer(Repeated):
    """Cuts logs that are larger than 16 MiB back to their last 4 MiB: those in `folder` and in its folder
    `predictors`. Logs of Jobs end with their Job."""

    def __init__(self, folder: Path) -> None:
        super().__init__("log trimmer", _EVERY)
        self._folder = folder

    def work(self) -> None:
        for log in (*self._folder.glob("*.log"), *self._folder.glob("predictors/*.log")):
            if log.stat().st_size > _MOST:
                trim_log(log, _KEPT)


def trim_log(log: Path, kept: int) -> None:
    """Leave the last whole lines of a log, `kept` bytes at most. A process that appends to it goes on; a line
    that it writes during the cut may be lost."""
    with log.open("r+b") as file:
        file.seek(-min(kept, log.stat().st_size), os.SEEK_END)
        file.readline()
        end = file.read()
        file.seek(0)
        file.truncate()
        file.write(end)
