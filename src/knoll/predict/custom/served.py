"""A version for which a `kserve.Model` of a user answers: `preprocess`, `predict` and `postprocess`, as
kserve's own server calls them, behind the limits, headers and counts of any version."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import kserve
from kserve.errors import ModelNotReady
from kserve.metrics import PREDICT_HIST_TIME
from prometheus_client import REGISTRY

from knoll.errors import Unavailable
from knoll.headers import DIGEST, HOP_BY_HOP, PREDICTION, TOKEN, VERSION
from knoll.paths import MODEL_READY, READY, V1_MODEL, path_of
from knoll.predict.answer import Answer, in_json
from knoll.predict.cloud_events import wrap
from knoll.predict.custom.bodies import answer_call, answer_rest, read_call, read_v1, read_v2
from knoll.predict.custom.faults import refusal_of
from knoll.predict.custom.found import CustomClass
from knoll.predict.custom.graph import Asked, GraphPredict, asked_now
from knoll.predict.custom.thread import CustomThread
from knoll.predict.served import Served
from knoll.predict.work import ClientGone, Work

__all__ = ["CustomServed", "custom_served"]

_NOT_OF_USERS = HOP_BY_HOP | {VERSION.encode(), DIGEST.encode(), PREDICTION.encode()}
_HEALTH_WITHIN = 0.5  # seconds; a model that works longer without a pause is as ready as before
_Read = Callable[[], Any]
_Send = Callable[[Any, Mapping[str, str], str], Answer]


@dataclass(frozen=True)
class CustomServed(Served):
    """See `Served`. `model` is the object of the user, `named` its class; its code runs in `thread`."""

    model: Any = None
    named: str = ""
    thread: CustomThread = field(default_factory=CustomThread)

    @cached_property
    def example(self) -> Any:
        """None: only the user knows what the class takes."""
        return None

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What the class says of its tensors; what it does not say is as of the version."""
        asked = {"inputs": self.model.get_input_types, "outputs": self.model.get_output_types}
        told = {side: self.thread.take(_awaited(act), Work()) for side, act in asked.items()}
        return {"platform": "", **{side: tensors for side, tensors in told.items() if tensors}}

    def pages(self) -> Mapping[str, Callable[[], Answer]]:
        """Readiness, which the class tells at any time."""
        paths = (READY, path_of(V1_MODEL, self.name), path_of(MODEL_READY, self.name))
        return dict.fromkeys(paths, self._ready)

    def predict(self, body: bytes, headers: Mapping[str, str], work: Work) -> Answer:
        """See `Served`."""

        def send(response: Any, told: Mapping[str, str], version: str) -> Answer:
            return wrap(answer_rest(response, told, version), self.name, headers)

        return self._custom(body, headers, work, lambda: read_v1(body, headers, work.keep), send)

    def infer(self, body: bytes, headers: Mapping[str, str], work: Work) -> Answer:
        """See `Served`."""
        return self._custom(
            body, headers, work, lambda: read_v2(body, headers, work.keep, self.name), answer_rest
        )

    def call(self, body: bytes, headers: Mapping[str, str], work: Work) -> Answer:
        """See `Served`."""
        return self._custom(
            body, headers, work, lambda: read_call(body, headers, work.keep, self.about), answer_call
        )

    def _custom(
        self, body: bytes, headers: Mapping[str, str], work: Work, read: _Read, send: _Send
    ) -> Answer:
        """The answer to a request that `read` reads, as `send` makes it. Raises ClientGone."""
        try:
            with self._turn(body), work.reading():
                payload = read()
            asked, shown = Asked(body, work), {name: one for name, one in headers.items() if name != TOKEN}
            response, told = self.thread.take(self._answered(payload, shown, asked), work)
            return send(response, {**_sent(told), **asked.told}, self.version.manifest.version)
        except ClientGone:
            raise
        except Exception as error:
            return refusal_of(error, self.named)

    async def _answered(self, payload: Any, headers: Mapping[str, str], asked: Asked) -> tuple[Any, Any]:
        asked_now.set(asked)
        with asked.work.running():
            if not await self.model.healthy():
                raise ModelNotReady(self.name)
            found = await _awaited(partial(self.model, payload, dict(headers)))
        return found if isinstance(found, tuple) and len(found) == 2 else (found, {})

    def _ready(self) -> Answer:
        if self.thread.soon(self.model.healthy(), _HEALTH_WITHIN, otherwise=True):
            return in_json(200, {"name": self.name, "ready": True})
        return in_json(503, {"name": self.name, "ready": False, "error": str(ModelNotReady(self.name))})


@contextmanager
def custom_served(found: CustomClass, served: Served, workers: int) -> Iterator[CustomServed]:
    """The class in front of what is served, until the end. Requests are not recorded: they are of the user's
    own form. Raises Unavailable if it is not ready."""
    with suppress(KeyError):
        REGISTRY.unregister(PREDICT_HIST_TIME)  # knoll's own has that name
    model, thread = found.make(served.name), CustomThread()
    if type(model).predict is kserve.Model.predict:
        model.predict = GraphPredict(served, workers).predict
    if model.engine:
        thread.take(model.start_engine(), Work())
    if not thread.take(model.healthy(), Work()):
        raise Unavailable(f"{found.name} is not ready", fix="let load or start set ready")
    parts = (served.name, served.version, served.graph, served.usual, served.feedback)
    try:
        yield CustomServed(*parts, log=served.log, model=model, named=found.name, thread=thread)
    finally:
        model.stop_engine() if model.engine else None
        model.stop()


async def _awaited(act: Callable[[], Any]) -> Any:
    """The result of a method of the user, sync or async."""
    found = act()
    return await found if inspect.isawaitable(found) else found


def _sent(headers: Any) -> dict[str, str]:
    """The headers of the user that a client gets."""
    named = {str(name).lower(): str(value) for name, value in dict(headers or {}).items()}
    return {name: value for name, value in named.items() if name.encode() not in _NOT_OF_USERS}
