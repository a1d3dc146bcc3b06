"""Predictors of tiny versions, asked through both clients by the same tests."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from knoll.client import AsyncClient, Client
from predict.conftest import (  # noqa: F401 - fixtures
    Files,
    Start,
    classifier,
    files_of,
    generator,
    roots,
    start,
)

Act = Callable[..., Any]


@pytest.fixture(scope="module")
def urls(start: Start, files_of: Files, request: pytest.FixtureRequest) -> Mapping[str, str]:  # noqa: F811
    """The URL of a predictor for each recipe, by the name of its model."""
    recipes = [request.getfixturevalue(name) for name in ("classifier", "generator", "roots")]
    started = {one.model: start(one.model, files_of(one), answer_key="a" * 64) for one in recipes}
    for model, one in started.items():
        assert one.wait_ready(f"/v2/models/{model}/ready"), one.stop()
    return {model: one.url for model, one in started.items()}


@pytest.fixture(params=["blocking", "awaiting"])
def asking(request: pytest.FixtureRequest) -> Act:
    """Makes a client, does something with it, and gives what came of that: `asking(url, act)`. In `act` each
    call of the client is awaited; the one that blocks is made to fit."""

    def blocking(url: str, act: Act, **settings: Any) -> Any:
        with Client(url, **settings) as client:
            return asyncio.run(act(_Awaited(client)))

    def awaiting(url: str, act: Act, **settings: Any) -> Any:
        async def acted() -> Any:
            async with AsyncClient(url, **settings) as client:
                return await act(client)

        return asyncio.run(acted())

    return {"blocking": blocking, "awaiting": awaiting}[request.param]


class _Awaited:
    """A client that blocks, with methods that can be awaited."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def model(self, name: str) -> "_Awaited":
        return _Awaited(self._real.model(name))

    def __getattr__(self, name: str) -> Any:
        async def called(*given: Any, **named: Any) -> Any:
            return getattr(self._real, name)(*given, **named)

        return called
