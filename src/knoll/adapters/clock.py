"""The time as the machine knows it."""

import time
from datetime import UTC, datetime

__all__ = ["SystemClock"]


class SystemClock:
    """`ports.Clock` on the system's clock."""

    def now(self) -> datetime:
        """The present, in UTC, with its time zone."""
        return datetime.now(UTC)

    def wait(self, seconds: float) -> None:
        """See `ports.Clock.wait`."""
        time.sleep(seconds)
