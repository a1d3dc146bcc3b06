"""A small installation in memory that notes all writes, and the checks of a function's answer.

Store and documents pass the contract suites. An input may only lead to writes that a valid input can cause:
the runs that the data in the bucket asks for, their Jobs, the records of rollouts, the reports of predictors
and dead letters.
"""

import json
import logging
import re
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from fuzz.data import DATA, wrong_with_data
from fuzz.inputs import Input, Seed, raw_seeds
from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.cluster import MemoryCluster
from knoll.adapters.memory.events import MemoryEvents
from knoll.adapters.memory.platform import memory_platform
from knoll.adapters.memory.store import MemoryStore
from knoll.errors import Rejected
from knoll.events import (
    DATASET_LANDED,
    PREDICTOR_OBSERVED,
    TICK,
    TRAINING_FAILED,
    TRAINING_STARTED,
    TRAINING_SUCCEEDED,
    Event,
    event_from_json,
    event_to_json,
    new_event,
    object_changed,
)
from knoll.events.http import Response, event_from_http
from knoll.ingest.created import created
from knoll.names import join, run_id
from knoll.ports import Document
from knoll.records.claim import Claim, write_claim
from knoll.records.manifest import Manifest, manifest_uri, version_uri
from knoll.records.outcome import Outcome, outcome_uri
from knoll.records.run import Run, write_run
from knoll.settings import Settings
from knoll.wiring.functions import answer
from knoll.wiring.stages import STAGES
from support.models import model_document

__all__ = ["World", "listening", "new_world", "seeds"]

_ROOT = "s3://knoll-models"
_MODELS = {"digits": {"when": "marker"}, "tiny": {"when": "object"}}
_DATA = ("digits/1.txt", "digits/2.txt", "digits/_SUCCESS", "tiny/1.txt", "tiny/2.txt")
_OWED = re.compile(
    r"s3://knoll-models/(datasets|inbox|runs)/[-.A-Za-z0-9/]+\.json"
)  # what the data in the bucket asks for
_FREE = re.compile(
    r"s3://knoll-models/(dead-letters/[-./a-z0-9]+|survey\.json"
    r"|(causes|progress)/(digits|tiny)-[-a-z0-9]+\.json"
    r"|evidence/(digits|tiny)/v\d{6}/[-.\w]{1,63}\.\d{16}\.json"
    r"|rollouts/(digits|tiny)/v\d{6}/\d{6}\.json)",
    re.ASCII,
)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LETTERS = "s3://knoll-models/dead-letters/"
_SOURCE = re.compile(
    r"([A-Za-z][-+.A-Za-z0-9]*:|/)([-A-Za-z0-9:/+@._~]|%[0-9A-F]{2})*"
)  # a URI reference for any parser
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_SLOW = 2.0  # seconds
_START = datetime(2026, 1, 2, tzinfo=UTC)


@dataclass
class Notes:
    """The writes since the last look, and those of them that are wrong."""

    effects: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def note(self, effect: str, *, is_right: bool) -> None:
        """Remember an effect."""
        self.effects.append(effect)
        if not is_right:
            self.wrong.append(effect)

    def clear(self) -> None:
        """Forget all."""
        self.effects, self.wrong = [], []


class WatchedStore(MemoryStore):
    """The store. `owed` has the objects that the data asks for; it is None while those are found out."""

    def __init__(self, clock: MemoryClock, notes: Notes, owed: frozenset[str] | None) -> None:
        super().__init__(clock.now)
        self._notes, self._owed = notes, owed

    def put(self, uri: str, body: bytes | BinaryIO, **options: Any) -> str:
        """See `MemoryStore.put`."""
        is_owed = self._owed is None or (uri in self._owed and bool(_OWED.fullmatch(uri)))
        self._notes.note(f"put {uri}", is_right=is_owed or bool(_FREE.fullmatch(uri)))
        return super().put(uri, body, **options)

    def delete(self, uri: str) -> None:
        """See `MemoryStore.delete`."""
        is_right = uri.startswith((f"{_ROOT}/inbox/", f"{_ROOT}/evidence/"))
        self._notes.note(f"delete {uri}", is_right=is_right)
        super().delete(uri)


class WatchedCluster(MemoryCluster):
    """The document store."""

    def __init__(self, clock: MemoryClock, notes: Notes, owed: frozenset[str] | None) -> None:
        super().__init__("default", clock)
        self._notes, self._owed = notes, owed

    def create(self, document: Document) -> Document:
        """See `MemoryCluster.create`."""
        kind, name = document["kind"], document["metadata"]["name"]
        is_right = (
            name in _MODELS
            if kind == "InferenceService"
            else kind == "Job" and f"{_ROOT}/runs/{name}.json" in (self._owed or ())
        )
        self._notes.note(f"create {kind} {name}", is_right=is_right or self._owed is None)
        return super().create(document)

    def update(self, document: Document, *, status: bool = False) -> Document:
        """See `MemoryCluster.update`."""
        kind, name = document["kind"], document["metadata"]["name"]
        is_right = (kind, status) in (("Model", True), ("InferenceService", False), ("Job", False))
        self._notes.note(f"update {kind} {name}, status: {status}", is_right=is_right)
        return super().update(document, status=status)

    def delete(self, kind: str, name: str, **options: Any) -> None:
        """See `MemoryCluster.delete`."""
        self._notes.note(f"delete {kind} {name}", is_right=kind in ("Job", "InferenceService"))
        super().delete(kind, name, **options)


class World:
    """Two Models with data, a run that waits for its Job, and a version in its canary."""

    def __init__(self, owed: frozenset[str] | None) -> None:
        clock, self.notes = MemoryClock(_START, step=1), Notes()
        self.store = WatchedStore(clock, self.notes, owed)
        self.cluster = WatchedCluster(clock, self.notes, owed)
        self.platform = memory_platform(
            clock, _settings(), store=self.store, cluster=self.cluster, events=MemoryEvents(before=self._hear)
        )
        for key in _DATA:
            self.store.put(f"s3://datasets/{key}", key.encode())
        for name, rule in _MODELS.items():
            self.cluster.create(_model(name, rule))
        self._publish_version()
        self.landed = STAGES["ingest"].handle(_uploaded("digits/_SUCCESS"), self.platform)
        self._try_version()
        self.notes.clear()
        self.status = 0  # of the last answer

    def _hear(self, event: Event) -> None:
        """Note as wrong an event that a real broker would refuse."""
        self.notes.note(f"publish {event.type} {event.id}", is_right=_is_acceptable(event))

    def wrong_with(self, given: Input) -> str:
        """Give the input to its function. Returns the fault of its answer or effects, or ""."""
        if given.function in DATA:
            return wrong_with_data(given)
        self.notes.clear()
        _EAR.heard, self.status = "", 0
        started = time.process_time()
        try:
            answered = answer(given.function, given.headers, given.body, self.platform)
        except Exception as error:
            return f"crash: {type(error).__name__}: {error!a:.300}"
        self.status = answered.status
        if time.process_time() - started > _SLOW:
            return f"slow: {time.process_time() - started:.1f} s"
        return _wrong_answer(given, answered) or self._wrong_effects(answered)

    def _wrong_effects(self, answered: Response) -> str:
        if self.notes.wrong:
            return f"effect: {self.notes.wrong[0]!a:.300}"
        done = [effect for effect in self.notes.effects if not effect.startswith(f"put {_LETTERS}")]
        return f"effect: refused, but {done[0]!a:.300}" if answered.status == 422 and done else ""

    def _try_version(self) -> None:
        """Begin the rollout, act as KServe, and let the rollout go on."""
        told = _event(TRAINING_SUCCEEDED)
        STAGES["rollout"].handle(told, self.platform)
        labels = {"knoll.dev/version": "v000001"}
        revision = {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Revision",
            "metadata": {"name": "digits-1", "labels": labels},
            "spec": {},
        }
        MemoryCluster.create(self.cluster, revision)
        ready = {
            **self.cluster.get("Revision", "digits-1"),
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }
        traffic = [{"revisionName": "digits-1", "percent": 20, "tag": "latest", "url": "http://tagged"}]
        predictor = {
            "latestCreatedRevision": "digits-1",
            "latestReadyRevision": "digits-1",
            "traffic": traffic,
        }
        isvc = {
            **self.cluster.get("InferenceService", "digits"),
            "status": {"components": {"predictor": predictor}},
        }
        for document in (ready, isvc):
            MemoryCluster.update(self.cluster, document, status=True)
        STAGES["rollout"].handle(told, self.platform)

    def _publish_version(self) -> None:
        folder = version_uri(_ROOT, "digits", "v000001")
        run, at, bucket = run_id("digits", "d", ""), "2026-01-01T00:00:00+00:00", self.platform.bucket
        names = ("digits", "v000001", "image-classifier", run, "d")
        manifest = Manifest(*names, {}, {"accuracy": 0.99}, at, "0", {})
        write_run(Run(run, "digits", "image-classifier", "d", "", {}, at), bucket)
        write_claim("digits", "v000001", Claim(run), bucket)
        self.store.put(
            join(folder, "samples.json"),
            json.dumps([{"instance": {"b64": ""}, "prediction": {"label": "3"}}]).encode(),
        )
        self.store.put(manifest_uri(_ROOT, "digits", "v000001"), manifest.encode())
        self.store.put(outcome_uri(_ROOT, run), Outcome("succeeded", at, "v000001").encode())


class _Ear(logging.Handler):
    """Keeps the reason of a function's failure, which is only in its log."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Remember where an exception came from, in our own code."""
        error = record.exc_info[1] if record.exc_info else None
        places = [
            f"{Path(one.filename).name}:{one.name}"
            for one in traceback.extract_tb(error.__traceback__ if error else None)
            if "knoll" in one.filename
        ]
        self.heard = f"{type(error).__name__}: {error!a:.120} in {' > '.join(places[-2:])}"


_EAR = _Ear()


@contextmanager
def listening() -> Iterator[None]:
    """Silence the log of refusals, and keep the reasons of failures."""
    log = logging.getLogger("knoll")
    before = log.level, log.propagate
    log.addHandler(_EAR)
    log.setLevel(logging.ERROR)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(_EAR)
        log.level, log.propagate = before


def new_world() -> World:
    """A world that knows what its data asks for."""
    return World(_owed())


@cache
def seeds() -> tuple[Seed, ...]:
    """All valid bodies: those of stores, and those of knoll and Kubernetes, in equal numbers."""
    told, raw = event_seeds(), raw_seeds()
    return raw + told * max(1, len(raw) // len(told))


@cache
def event_seeds() -> tuple[Seed, ...]:
    """Events of the functions, of Kubernetes and of predictors in a world that works."""
    world = World(None)
    assert world.landed is not None
    _go_on(world)
    run, now = world.landed.data["runId"], world.platform.clock.now()
    told = {
        DATASET_LANDED: [world.landed],
        TRAINING_STARTED: [_event(TRAINING_STARTED, runId=run)],
        TRAINING_SUCCEEDED: [
            _event(
                TRAINING_SUCCEEDED,
                runId=run,
                version="v000001",
                uri=version_uri(_ROOT, "digits", "v000001"),
                metrics={},
            )
        ],
        TRAINING_FAILED: [_event(TRAINING_FAILED, runId=run, state="failed", reason="DeadlineExceeded")],
        PREDICTOR_OBSERVED: [_observed()],
    }
    seeds = [_seed(event, _function_for(type)) for type, events in told.items() for event in events]
    for kind in ("Job", "InferenceService"):
        seeds += [
            _seed(object_changed(one, source="/objects", time=now), _function_for(kind))
            for one in world.cluster.list(kind)
        ]
    seeds.append(_seed(object_changed(_pod(run), source="/objects", time=now), "train"))
    seeds += [_seed(_event(type), "sweep") for type in (TICK, "dev.knative.sources.ping")]
    seeds += [_seed(_uploaded(key), "ingest") for key in _DATA]
    return (
        *seeds,
        *(_seed(_dead(event), "dead-letters") for event in (_observed(), told[DATASET_LANDED][0])),
    )


@cache
def _owed() -> frozenset[str]:
    """The objects that the data in the bucket asks for: those that a sweep writes."""
    world = World(None)
    _go_on(world)
    return frozenset(one.uri for one in world.store.list(f"{_ROOT}/") if _OWED.fullmatch(one.uri))


def _go_on(world: World) -> None:
    for _ in range(3):
        STAGES["sweep"].handle(_event(TICK), world.platform)


@cache
def _settings() -> Settings:
    return Settings(home=Path("/nonexistent"))


def _model(name: str, rule: dict[str, str]) -> Document:
    rollout = {"steps": [20, 50], "minRequests": 20, "bake": "60s", "progressDeadline": "100s"}
    gate = {"metric": "accuracy", "atLeast": 0.9}
    return model_document(name, rule, data="s3://datasets", gate=gate, rollout=rollout)


def _pod(run: str) -> Document:
    waiting = {
        "name": "trainer",
        "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}},
    }
    labels = {
        "batch.kubernetes.io/job-name": run,
        "knoll.dev/model": "digits",
        "app.kubernetes.io/managed-by": "knoll",
    }
    metadata = {"name": f"{run}-0", "namespace": "default", "labels": labels}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "status": {"phase": "Pending", "containerStatuses": [waiting]},
    }


def _event(type: str, **data: Any) -> Event:
    time = datetime(2026, 1, 3, tzinfo=UTC)
    return new_event(
        type, source="/fuzz", time=time, subject="digits", data={"model": "digits", **data}, id="1"
    )


def _uploaded(key: str) -> Event:
    return created("datasets", key, source="aws:s3.eu.datasets", time="2026-01-02T00:00:00Z")


def _observed() -> Event:
    latency = {"bucketsSeconds": [0.01, 0.1, 1.0], "counts": [1, 5, 30, 0]}
    counts = {"requests": 36, "errors": 0, "refused": 1, "coldStarts": 1, "latency": latency}
    return _event(
        PREDICTOR_OBSERVED, version="v000001", revision="digits-predictor-00001", instance="pod-1", **counts
    )


def _dead(event: Event) -> Event:
    why = {
        "knativeerrordest": "http://knoll-train",
        "knativeerrorcode": "422",
        "knativeerrordata": "bm90IHJpZ2h0",
    }
    return Event(
        event.id, event.source, event.type, event.time, event.subject, event.data, {**event.extensions, **why}
    )


def _function_for(what: str) -> str:
    return "rollout" if what in (PREDICTOR_OBSERVED, "InferenceService") else "train"


def _seed(event: Event, function: str) -> Seed:
    """The event without its random ids: a seed must lead to the same inputs in every process."""
    return Seed(
        _UUID.sub("00000000-0000-4000-8000-000000000000", json.dumps(event_to_json(event))), True, function
    )


def _wrong_answer(given: Input, answered: Response) -> str:
    """An answer is 204, 200 with an event, or 422 with a line of text. The dead-letters function refuses
    nothing."""
    if answered.status >= 500:
        return f"5xx: {_EAR.heard or answered.body!a}"
    if answered.status == 422 and given.function != "dead-letters":
        return (
            f"text: {answered.body!a:.300}"
            if _CONTROL.search(answered.body) or len(answered.body) > 4100
            else ""
        )
    if answered.status == 204:
        return "text: a 204 with a body" if answered.body else ""
    if answered.status == 200:
        return (
            ""
            if _is_acceptable(event_from_http(answered.headers, answered.body))
            else "text: a reply that a broker refuses"
        )
    return f"status: {answered.status}"


def _is_acceptable(event: Event) -> bool:
    """Whether every broker takes the event: its attributes are valid, and its JSON survives a round trip."""
    try:
        is_same = (
            event_from_json(event_to_json(event)) == event
            and json.loads(json.dumps(event.data, allow_nan=False)) == event.data
        )
    except (Rejected, ValueError):
        return False
    return is_same and bool(_SOURCE.fullmatch(event.source))
