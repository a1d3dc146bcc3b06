"""Times as Kubernetes writes them."""

from datetime import datetime

__all__ = ["timestamp"]


def timestamp(time: datetime) -> str:
    """A time in UTC as Kubernetes writes it, in whole seconds. The texts sort as the times do."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
