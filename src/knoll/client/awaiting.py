"""The client that awaits. It belongs to one event loop, and tasks may share it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeVar

import httpx

from knoll.client.address import found_url
from knoll.client.metadata import Metadata
from knoll.client.predictions import PredictionList
from knoll.client.steps import Done, Heard, Patience, Steps, Try, next_step
from knoll.client.talk import Label, LabelsCounted, Talk, names_of_models
from knoll.client.transport import request_of, settings_of_http, unheard

__all__ = ["AsyncClient", "AsyncModelHandle"]

_T = TypeVar("_T")


class AsyncClient:
    """See `Client`."""

    def __init__(
        self, url: str = "", *, timeout: float = 60.0, headers: Mapping[str, str] | None = None
    ) -> None:
        self.url = url or found_url()
        self._patience = Patience(timeout)
        self._http = httpx.AsyncClient(**settings_of_http(self.url, headers or {}))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """See `Client.close`."""
        await self._http.aclose()

    async def models(self) -> list[str]:
        """See `Client.models`."""
        return await self.take(names_of_models(self._patience))

    def model(self, name: str) -> "AsyncModelHandle":
        """See `Client.model`."""
        return AsyncModelHandle(self, Talk(name, self._patience))

    async def take(self, steps: Steps[_T]) -> _T:
        """See `Client.take`. Files and pictures are read in threads."""
        step = await asyncio.to_thread(next_step, steps, None)
        while not isinstance(step, Done):
            heard = await (self._try(step) if isinstance(step, Try) else asyncio.sleep(step.seconds))
            step = await asyncio.to_thread(next_step, steps, heard)
        return step.value

    async def _try(self, step: Try) -> Heard:
        has_begun, request = False, request_of(self.url, step)
        try:
            async with asyncio.timeout(step.seconds), self._http.stream(**request) as answer:
                has_begun = True
                return Heard(answer.status_code, dict(answer.headers), await answer.aread())
        except httpx.HTTPError as error:
            return unheard(error, has_begun)
        except TimeoutError:
            return unheard(httpx.ReadTimeout("too late", request=httpx.Request("", self.url)), has_begun)


class AsyncModelHandle:
    """See `ModelHandle`."""

    def __init__(self, client: AsyncClient, talk: Talk) -> None:
        self._client, self._talk = client, talk

    async def ready(self) -> bool:
        """See `ModelHandle.ready`."""
        return await self._client.take(self._talk.ready())

    async def metadata(self) -> Metadata:
        """See `ModelHandle.metadata`."""
        return await self._client.take(self._talk.metadata())

    async def predict(self, given: Any) -> PredictionList:
        """See `ModelHandle.predict`."""
        return await self._client.take(self._talk.predict(given))

    async def feedback(self, id: str, label: Label | Sequence[Label]) -> LabelsCounted:
        """See `ModelHandle.feedback`."""
        return await self._client.take(self._talk.feedback(id, label))
