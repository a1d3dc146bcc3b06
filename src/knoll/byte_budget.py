"""How many bytes of request bodies a server holds at once, whoever sends them."""

from knoll.errors import Unavailable

__all__ = ["ByteBudget"]


class ByteBudget:
    """At most `limit` bytes at a time. It belongs to one event loop."""

    def __init__(self, limit: int) -> None:
        self.limit, self.held = limit, 0

    def take(self, size: int) -> None:
        """Hold so many bytes more. Raises Unavailable, and holds none of them, if they are too many."""
        if self.held + size > self.limit:
            raise Unavailable(
                f"the bodies of all requests together have more than the {self.limit // 2**20} MiB that the "
                "server holds at once",
                fix="try again in a moment",
            )
        self.held += size

    def give(self, size: int) -> None:
        """Let go of bytes that were taken."""
        self.held -= size
