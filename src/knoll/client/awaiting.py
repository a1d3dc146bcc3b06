"""The client that awaits. It belongs to one event loop, and tasks may share it."""

import asyncio
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx

from knoll.client.base import ClientBase
from knoll.client.metadata import Metadata
from knoll.client.predictions import PredictionList
from knoll.client.steps import Done, Heard, Steps, Try, next_step
from knoll.client.talk import Label, LabelsCounted, Talk, names_of_models
from knoll.client.transport import request_of, unheard

if TYPE_CHECKING:
    from knoll.client.channels import AsyncChannel

__all__ = ["AsyncClient", "AsyncModelHandle"]

_T = TypeVar("_T")


class AsyncClient(ClientBase):
    """See `Client`."""

    def _open(self, settings: dict[str, Any]) -> None:
        self._http = httpx.AsyncClient(**settings)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """See `Client.close`."""
        await self._http.aclose()
        if "_channel" in vars(self):
            await self._channel.close()

    async def models(self) -> list[str]:
        """See `Client.models`."""
        return await self.take(names_of_models(self._patience))

    def model(self, name: str) -> "AsyncModelHandle":
        """See `Client.model`."""
        return AsyncModelHandle(self, self._talk(name))

    async def take(self, steps: Steps[_T]) -> _T:
        """See `Client.take`. Files and pictures are read in threads."""
        step = await asyncio.to_thread(next_step, steps, None)
        while not isinstance(step, Done):
            heard = await (self._try(step) if isinstance(step, Try) else asyncio.sleep(step.seconds))
            step = await asyncio.to_thread(next_step, steps, heard)
        return step.value

    @cached_property
    def _channel(self) -> "AsyncChannel":
        from knoll.client.channels import AsyncChannel

        return AsyncChannel(self.url, self._headers)

    async def _try(self, step: Try) -> Heard:
        if step.call.is_of_grpc:
            return await self._channel.take(step)
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
