"""The client that blocks. Threads may share it."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx

from knoll.client.base import ClientBase
from knoll.client.forms import ByRest
from knoll.client.metadata import Metadata
from knoll.client.predictions import PredictionList
from knoll.client.steps import Done, Heard, Pause, Steps, Try, next_step
from knoll.client.talk import Label, LabelsCounted, Talk, names_of_models
from knoll.client.transport import request_of, unheard

if TYPE_CHECKING:
    from knoll.client.channels import Channel

__all__ = ["Client", "ModelHandle"]

_T = TypeVar("_T")


class Client(ClientBase):
    """A client of the platform at `url`: a gateway or a predictor. If empty, it is KNOLL_URL, or the platform
    that runs on this machine. `timeout` are the seconds that an answer may take with all tries, and with the
    start of a model that sleeps. `headers` go with each request. With the `transport` "grpc", tensors go by
    gRPC, with "rest" by HTTP, with "auto" as the URL says: by gRPC if it begins with grpc:// or grpcs://.

    Raises NotFound if no platform is found, and Rejected if that is no URL, or none for gRPC.
    """

    def _open(self, settings: dict[str, Any]) -> None:
        self._http = httpx.Client(**settings)
        self._channel = None if isinstance(self._form, ByRest) else _channel(self.url, self._headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()
        if self._channel:
            self._channel.close()

    def models(self) -> list[str]:
        """The names of the models. Raises Unavailable, KnollError."""
        return self.take(names_of_models(self._patience))

    def model(self, name: str) -> "ModelHandle":
        """A handle of the model; nothing is asked yet."""
        return ModelHandle(self, self._talk(name))

    def take(self, steps: Steps[_T]) -> _T:
        """The result of the steps. Raises what they raise."""
        step = next_step(steps, None)
        while not isinstance(step, Done):
            step = next_step(steps, self._carry_out(step))
        return step.value

    def _carry_out(self, step: Try | Pause) -> Heard | None:
        if isinstance(step, Try):
            return self._try(step)
        time.sleep(step.seconds)
        return None

    def _try(self, step: Try) -> Heard:
        if self._channel and step.call.is_of_grpc:
            return self._channel.take(step)
        has_begun, end = False, time.monotonic() + step.seconds
        try:
            with self._http.stream(**request_of(self.url, step)) as answer:
                has_begun = True
                body = b"".join(_until(end, answer))
                return Heard(answer.status_code, dict(answer.headers), body)
        except httpx.HTTPError as error:
            return unheard(error, has_begun)


def _channel(url: str, headers: Mapping[str, str]) -> "Channel":
    from knoll.client.channels import Channel

    return Channel(url, headers)


def _until(end: float, answer: httpx.Response) -> Iterator[bytes]:
    """The parts of the body that come until then. A time-out of httpx only bounds the wait for each part."""
    for part in answer.iter_bytes():
        if time.monotonic() > end:
            raise httpx.ReadTimeout("too late", request=answer.request)
        yield part


class ModelHandle:
    """One model of a client; `Client.model` makes it."""

    def __init__(self, client: Client, talk: Talk) -> None:
        self._client, self._talk = client, talk

    def ready(self) -> bool:
        """Whether requests would be answered; a model that sleeps is ready. Never raises."""
        return self._client.take(self._talk.ready())

    def metadata(self) -> Metadata:
        """The versions and tensors of the model, which is woken for that. Raises NotFound, Unavailable."""
        return self._client.take(self._talk.metadata())

    def predict(self, given: Any) -> PredictionList:
        """Predict for a path, bytes, a picture of Pillow, an array, a text, a number, a dict of named inputs,
        or a list of these. A list of numbers is one instance, any other list a batch.

        Raises InvalidInstance or InvalidData if what is given is wrong, NotFound, Unavailable, KnollError.
        """
        return self._client.take(self._talk.predict(given))

    def feedback(self, id: str, label: Label | Sequence[Label]) -> LabelsCounted:
        """Tell the true label of the answer with that id, or one for each of its instances. It may be told
        again: each id counts once. Raises as `predict`."""
        return self._client.take(self._talk.feedback(id, label))
