"""What the stages need of the world: small protocols, whose docstrings are contracts that one suite
tests on every adapter.

`Platform` is their frozen bundle, and `Handler` the type that the system hangs on: a stage is a function from
an event and the platform to an event or nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, Literal, Protocol

from knoll.caches import Caches
from knoll.events import Event
from knoll.hooks import HookAnswer, HookRequest
from knoll.media_types import JSON
from knoll.settings import Settings

__all__ = [
    "Bucket",
    "Caches",
    "Clock",
    "Cluster",
    "Document",
    "Events",
    "Handler",
    "Hooks",
    "MetricSample",
    "Monitoring",
    "ObjectInfo",
    "ObjectStore",
    "Platform",
    "PredictAnswer",
    "PredictRequest",
    "Predictors",
]

Document = dict[str, Any]


@dataclass(frozen=True)
class ObjectInfo:
    """One object as a listing shows it. `etag` has no quotes; `size` is in bytes; `modified` is the store's
    clock, in UTC."""

    uri: str
    etag: str
    size: int
    modified: datetime


class ObjectStore(Protocol):
    """Objects under s3:// URIs, strongly consistent.

    Every method raises StoreUnavailable when the store does not answer, with the original error as its cause.
    """

    def list(self, prefix: str, *, after: str = "") -> Iterable[ObjectInfo]:
        """All objects whose URI starts with `prefix`, in order of their keys. An empty or missing bucket
        yields nothing.

        `after` is a URI in the same bucket, of an object or not: only what sorts behind it is listed. If it
        ends with a slash, what sorts before it costs nothing.
        """

    def get(
        self, uri: str, *, etag: str = "", at: datetime | None = None, part: range | None = None
    ) -> bytes:
        """The object, or those of its bytes that are in `part`, as far as there are any. Raises NotFound, or
        Conflict when `etag` is given and it has another one.

        With `at`, a versioned bucket also returns the version that was current then, by the store's clock, if
        its etag is `etag`. Of two written in one tick of that clock, only the later counts.
        """

    def put(
        self, uri: str, body: bytes | BinaryIO, *, if_absent: bool = False, content_type: str = ""
    ) -> str:
        """Write the object and return its etag. With `if_absent` exactly one of many writers wins, the others
        get AlreadyExists."""

    def delete(self, uri: str) -> None:
        """Remove the object; a missing one is removed already."""


class Cluster(Protocol):
    """Kubernetes objects of one namespace, with the API server's rules of optimistic concurrency.

    `kind` is "Model", "Job", "InferenceService". Every method raises ClusterUnavailable when the API server
    does not answer. Documents are copies: changing one changes nothing until it is written back.
    """

    def create(self, document: Document) -> Document:
        """Store a new object; it comes back with uid, resourceVersion, generation 1 and creationTimestamp.
        Raises AlreadyExists.

        The status of a new object is dropped, as behind a status subresource.
        """

    def get(self, kind: str, name: str) -> Document:
        """The object as it is now. Raises NotFound."""

    def list(self, kind: str, labels: Mapping[str, str] | None = None) -> list[Document]:
        """All objects of a kind that carry all of `labels`, by name."""

    def update(self, document: Document, *, status: bool = False) -> Document:
        """Replace the object, its status excepted, or with `status` nothing but its status.

        metadata.resourceVersion must be the one that was read: raises Conflict otherwise, NotFound when the
        object is gone. A change of spec raises metadata.generation by one; a write that changes nothing keeps
        the resourceVersion.
        """

    def delete(self, kind: str, name: str, *, version: str = "") -> None:
        """Remove the object. Raises NotFound, or Conflict when its resourceVersion is not `version`, if that
        is given."""


class Events(Protocol):
    """The way to the broker."""

    def publish(self, event: Event) -> None:
        """Hand the event over; it is durable when this returns. Raises Unavailable when the broker did not
        take it."""


@dataclass(frozen=True)
class PredictAnswer:
    """What a predictor answered: HTTP status (0: no answer at all), time in seconds, body and the version
    that it names. `id` is that of the answer, with which feedback comes back; "" if it has none."""

    status: int
    seconds: float
    body: bytes
    content_type: str
    version: str
    id: str = ""


@dataclass(frozen=True)
class PredictRequest:
    """A V1 body for a model of the predictor at `url`, and how long its answer may take. With another `verb`
    it is one of feedback.

    `replay` is sent as `headers.REPLAY`: if it is the proof that the predictor asks for, that does not count
    the request.
    """

    url: str
    model: str
    body: bytes
    accept: str = JSON
    replay: str = ""
    seconds: float = 300.0
    verb: Literal["predict", "feedback"] = "predict"


class Predictors(Protocol):
    """Requests to predictors."""

    def predict(self, request: PredictRequest) -> PredictAnswer:
        """POST the request and wait for the answer, also through a cold start, but no longer than `seconds`.
        Never raises."""


@dataclass(frozen=True)
class MetricSample:
    """One value of a metric, whose name is the label `__name__`."""

    labels: Mapping[str, str]
    value: float


class Monitoring(Protocol):
    """A server that watches predictors, such as Prometheus."""

    def query(self, expression: str) -> Sequence[MetricSample]:
        """What an expression of PromQL is now: an instant vector. Raises Unavailable."""


class Hooks(Protocol):
    """Questions to what users have put beside the rollouts of a Model."""

    def ask(self, request: HookRequest) -> HookAnswer:
        """POST the question and wait, no longer than `seconds` in all. Follows no redirect, asks nobody at a
        link-local address, and reads the first kilobytes of the text only. Never raises."""


class Clock(Protocol):
    """The time, so that tests can own it."""

    def wait(self, seconds: float) -> None:
        """Return when so many seconds have passed."""

    def now(self) -> datetime:
        """The present, in UTC, with its time zone."""


@dataclass(frozen=True)
class Bucket:
    """The model bucket: its store, and its root as a URI without its last slash, such as
    s3://knoll-models. The keys are those of the settings."""

    store: ObjectStore
    root: str
    stamp_key: str = field(default="", repr=False)
    stamp_verify_key: str = ""
    sign_key: str = field(default="", repr=False)
    verify_key: str = ""

    def holds(self, uri: str) -> bool:
        """Whether an object or prefix lies in it."""
        return uri.startswith(f"{self.root}/")


@dataclass(frozen=True)
class Platform:
    """Everything that a handler may touch. A process without `hooks` gets no answer from any."""

    store: ObjectStore
    cluster: Cluster
    events: Events
    predictors: Predictors
    clock: Clock
    settings: Settings
    monitoring: Monitoring | None = None
    hooks: Hooks | None = None
    caches: Caches = field(default_factory=Caches, repr=False, compare=False)

    @property
    def bucket(self) -> Bucket:
        """Where the records lie."""
        given = self.settings
        keys = given.stamp_key, given.stamp_verify_key, given.sign_key, given.verify_key
        return Bucket(self.store, given.model_root, *keys)


Handler = Callable[[Event, Platform], Event | None]
