"""What a command waits for is told after some seconds: a store that hangs looks like nothing at all."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from knoll.ports import Platform

__all__ = ["with_waits_told"]

_SECONDS = 3.0
_OF_STORE = ("list", "get", "delete")  # a write of a large file takes its time
_OF_PREDICTORS = ("predict",)


def with_waits_told(platform: Platform, tell: Callable[[str], None], seconds: float = _SECONDS) -> Platform:
    """The same platform. If an answer of its store or of a predictor takes longer than `seconds`, `tell` is
    called once, on another thread, with what is waited for."""
    settings = platform.settings
    store = f"Waiting for the store at {settings.s3_endpoint or 'AWS'} to answer …"
    predictor = "Waiting for the predictor to answer; it may have to start first …"
    return replace(
        platform,
        store=_told(platform.store, _OF_STORE, _Waits(store, tell, seconds)),
        predictors=_told(platform.predictors, _OF_PREDICTORS, _Waits(predictor, tell, seconds)),
    )


class _Waits:
    """Tells the words once, if one of its waits is long."""

    def __init__(self, words: str, tell: Callable[[str], None], seconds: float) -> None:
        self._words, self._tell, self._seconds = words, tell, seconds
        self._lock = threading.Lock()
        self._is_told = False

    @contextmanager
    def wait(self) -> Iterator[None]:
        timer = threading.Timer(self._seconds, self._say)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _say(self) -> None:
        with self._lock:
            is_first, self._is_told = not self._is_told, True
        if is_first:
            self._tell(self._words)


class _PatientAdapter:
    """An adapter of which some methods tell long waits."""

    def __init__(self, adapter: Any, methods: tuple[str, ...], waits: _Waits) -> None:
        self._adapter, self._methods, self._waits = adapter, methods, waits

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._adapter, name)
        return self._slow(found) if name in self._methods else found

    def _slow(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **options: Any) -> Any:
            with self._waits.wait():
                answer = method(*given, **options)
            return self._each(answer) if isinstance(answer, Iterator) else answer

        return call

    def _each(self, answers: Iterator[Any]) -> Iterator[Any]:
        """The answers, which are fetched as they are needed."""
        missing = object()
        while True:
            with self._waits.wait():
                answer = next(answers, missing)
            if answer is missing:
                return
            yield answer


def _told(adapter: Any, methods: tuple[str, ...], waits: _Waits) -> Any:
    """Any, because a type checker cannot know that it has the methods of the adapter."""
    return _PatientAdapter(adapter, methods, waits)
