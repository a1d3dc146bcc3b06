"""After some seconds, a command says what it waits for: else nobody sees that a store hangs."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

from knoll.ports import ObjectStore, Platform, Predictors

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
        store=cast(ObjectStore, _PatientAdapter(platform.store, _OF_STORE, _Waits(store, tell, seconds))),
        predictors=cast(
            Predictors,
            _PatientAdapter(platform.predictors, _OF_PREDICTORS, _Waits(predictor, tell, seconds)),
        ),
    )


class _Waits:
    """Tells the words once, if one of its waits is long. One timer at a time serves them all: a listing may
    have a hundred thousand."""

    def __init__(self, words: str, tell: Callable[[str], None], seconds: float) -> None:
        self._words, self._tell, self._seconds = words, tell, seconds
        self._lock = threading.Lock()
        self._began: dict[object, float] = {}
        self._is_watched = False

    @contextmanager
    def wait(self) -> Iterator[None]:
        mine = object()
        with self._lock:
            self._began[mine] = time.monotonic()
            if not self._is_watched:
                self._look_after(self._seconds)
        try:
            yield
        finally:
            with self._lock:
                del self._began[mine]

    def _look_after(self, seconds: float) -> None:
        self._is_watched = True
        timer = threading.Timer(seconds, self._look)
        timer.daemon = True
        timer.start()

    def _look(self) -> None:
        """Tell, if the oldest wait is long; else look again when it would be."""
        with self._lock:
            now = time.monotonic()
            left = self._seconds - (now - min(self._began.values(), default=now))
            if left > 0:
                self._is_watched = False
                if self._began:
                    self._look_after(left)
                return
        self._tell(self._words)


class _PatientAdapter:
    """An adapter; some of its methods tell long waits."""

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
