"""The logs of a process: text from strangers in them is escaped, whichever library writes them."""

import logging
import traceback
from typing import Any

from knoll.quoting import escaped

__all__ = ["EscapedRecord", "escape_logs"]


class EscapedRecord(logging.LogRecord):
    """A record whose message is one line, and whose traceback has no control characters."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.exc_info and self.exc_info[0]:
            lines = "".join(traceback.format_exception(*self.exc_info)).rstrip("\n").split("\n")
            self.exc_text = "\n".join(map(escaped, lines))

    def getMessage(self) -> str:
        """The message, escaped."""
        return escaped(super().getMessage())


def escape_logs() -> None:
    """Escape all that this process logs from now on."""
    logging.setLogRecordFactory(EscapedRecord)
