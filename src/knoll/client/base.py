"""What both clients are made of."""

from collections.abc import Mapping
from typing import Any

from knoll.client.address import found_url
from knoll.client.steps import Patience
from knoll.client.talk import Talk
from knoll.client.transport import Transport, settings_of_http, way_to

__all__ = ["ClientBase"]


class ClientBase:
    """The way to a platform, and how patient its client is. See `Client` for the arguments, and for what this
    raises."""

    def __init__(
        self,
        url: str = "",
        *,
        timeout: float = 60.0,
        headers: Mapping[str, str] | None = None,
        transport: Transport = "auto",
    ) -> None:
        self.url, self._form = way_to(url or found_url(), transport)
        self._patience, self._headers = Patience(timeout), headers or {}
        self._open(settings_of_http(self.url, self._headers))

    def _open(self, settings: dict[str, Any]) -> None:
        """Make the client of httpx with these settings."""
        raise NotImplementedError

    def _talk(self, model: str) -> Talk:
        return Talk(model, self._patience, self._form)
