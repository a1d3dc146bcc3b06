"""A question to a hook beside a rollout, and its answer."""

from dataclasses import dataclass

__all__ = ["HookAnswer", "HookRequest"]


@dataclass(frozen=True)
class HookRequest:
    """A JSON body for the hook at `url`, http or https. The same question has the same `id`."""

    url: str
    body: bytes
    id: str
    seconds: float


@dataclass(frozen=True)
class HookAnswer:
    """HTTP status (0: no answer at all), and the text, or why there is none."""

    status: int
    text: str
