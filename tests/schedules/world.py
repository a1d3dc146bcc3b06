"""The world of a schedule, in memory: a bucket with users' data, a broker that may lose, repeat and reorder
events, and the parts of Kubernetes and KServe.

The world calls the functions as a broker does, and the sweep as the ticker does. Store and documents pass the
contract suites, triggers are read from eventing/, and Jobs and InferenceServices follow the laptop's own
rules. Time passes only if the schedule says so.
"""

import io
import json
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from knoll.errors import NewerSchema, Rejected, Unavailable
from knoll.events import TICK, Event, new_event, object_changed
from knoll.ingest.created import created
from knoll.kube.annotations import ROLLOUT_WISH
from knoll.kube.jobs import is_live
from knoll.kube.labels import MANAGED
from knoll.laptop.jobs.attempts import Action, Fail, JobAttempt, next_action
from knoll.ports import Caches, Document, Platform
from knoll.recent import recent_models
from knoll.rollout.wishes import Verb, new_wish
from knoll.settings import Settings
from knoll.wiring.stages import STAGES
from schedules.broker import RETRIES, Delivery, subscribers
from schedules.checks import wrong_after_a_tick, wrong_change, wrong_skip, wrong_start, wrong_write
from schedules.faults import Crash, Fault, Process
from schedules.hooks import Hooks
from schedules.kubelet import note
from schedules.memory import Documents, Names, Objects, Time
from schedules.reached import in_status, in_step
from schedules.releases import Release, platform_of, release_of, told
from schedules.serving import Serving
from schedules.trainer import train
from support.keys import private_key, signer_of

__all__ = ["Declared", "Delivery", "Past", "Saved", "Trace", "World"]

Strike = Callable[[int], Fault | None]
_CHANGING = (
    "feed",
    "wrong",
    "past",
    "declared",
    "bodies",
    "cut_off",
    "log",
    "delivered",
    "attempts",
    "was_paused",
    "wished",
)


@cache
def _settings(quota: int, *, has_keys: bool) -> Settings:
    """Read once: there are ten thousand worlds."""
    keys = {"stamp_key": private_key(), "stamp_verify_key": signer_of().public.pem} if has_keys else {}
    return Settings(home=Path("/nowhere"), quota=quota, survey=600).model_copy(update=keys)


def _spared(number: int) -> Fault | None:
    return None


@dataclass(frozen=True)
class Past:
    """The data under a model's prefix, etags by URI, after the user has written or removed the object
    `touched`."""

    at: datetime
    etags: Mapping[str, str]
    touched: str


@dataclass(frozen=True)
class Declared:
    """A Model as the user has declared it; after its deletion it has no document."""

    at: datetime
    document: Document | None


@dataclass(frozen=True)
class Saved:
    """A world at a moment."""

    objects: tuple[Any, ...]
    documents: tuple[bytes, int, int]
    present: datetime
    names: int
    mine: Mapping[str, Any]


class Trace(NamedTuple):
    """What no call of a port can change the world without changing."""

    present: datetime
    written: int
    waiting: int


@dataclass
class World:
    """All that there is. `wrong` collects what must never happen; `past` has all states of the data of each
    model."""

    models: Mapping[str, Document]
    quota: int = 2
    keeps_versions: bool = False
    whole_seconds: bool = False
    forgets_crashed: bool = False  # whether a crash loses the event
    is_deaf: bool = False  # whether all events get lost
    remembers: bool = False  # whether what a call of a function has seen of the cluster may serve the next
    has_keys: bool = False  # whether functions stamp their records
    releases: int = 0  # a seed by which half of the calls are another release's; 0 for none of them
    release: Release = "ours"  # whose call is carried out
    feed: list[Delivery] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    past: dict[str, list[Past]] = field(default_factory=dict)
    declared: dict[str, list[Declared]] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    cut_off: set[str] = field(default_factory=set)
    log: list[str] = field(default_factory=list)
    delivered: int = 0
    attempts: int = 0
    was_paused: bool = False
    wished: set[str] = field(default_factory=set)  # Models of which a human has asked for something
    reached: Counter[str] = field(default_factory=Counter)  # states and steps of rollouts

    def __post_init__(self) -> None:
        self.time = Time()
        self.store = Objects(
            self.time,
            self._watch_object,
            keeps_versions=self.keeps_versions,
            whole_seconds=self.whole_seconds,
        )
        self.cluster = Documents(self.time, self._watch, self._watch_status)
        settings = _settings(self.quota, has_keys=self.has_keys)
        self.serving = Serving(self.store, self.cluster, settings.model_root)
        self.platform = Platform(
            self.store, self.cluster, self, self.serving, self.time, settings, hooks=Hooks()
        )
        self.memory = Caches()
        recent_models(Process(self.platform, memory=self.memory).platform)
        for name, document in self.models.items():
            self.declared[name] = [Declared(self.time.now(), self.cluster.create(document))]
            self.past[name] = [Past(self.time.now(), {}, "")]

    def _process(self, strike: Strike) -> Process:
        """The process that carries out the next call."""
        if not self.releases:
            return Process(self.platform, strike, memory=self.memory if self.remembers else Caches())
        self.release = self._release()
        self.log.append(f"by a process of release: {self.release}")
        memory = self.memory if self.remembers and self.release == "ours" else Caches()
        platform = platform_of(self.release, self.platform, self.wrong, self.releases)
        return Process(platform, strike, memory=memory)

    def _release(self) -> Release:
        return release_of(self.releases, len(self.log), has_keys=self.has_keys)

    def _watch_object(self, uri: str, before: bytes | None, after: bytes | None) -> None:
        self.wrong += wrong_change(self.platform.settings.model_root, uri, before, after)
        self.wrong += wrong_skip(self, uri, after) + wrong_start(self, uri, after)
        if after and before is None and uri.startswith(f"{self.platform.settings.model_root}/rollouts/"):
            self.reached += in_step(after)

    def _watch(self, written: Document) -> None:
        self.wrong += wrong_write(self, written)

    def _watch_status(self, written: Document) -> None:
        if written["kind"] == "Model":
            self.reached.update(in_status(written))

    # The user

    def write(self, model: str, name: str, body: bytes) -> None:
        """Put one object of the model's data; its notification goes out."""
        etag = self.store.put(f"s3://data/{model}/{name}", body)
        self.bodies[etag] = body
        self._remember(model, name)
        source, at = "aws:s3.us-east-1.data", self.time.now().isoformat()
        self.publish(
            created(
                "data",
                f"{model}/{name}",
                source=source,
                time=at,
                etag=etag,
                size=len(body),
                seal=f"{len(self.log)}",
            )
        )

    def mark(self, model: str) -> None:
        """Say that the data is complete, in the way of the model's gate."""
        gate = self.models[model]["spec"]["dataset"]["landed"]["when"]
        prefix = f"s3://data/{model}/"
        if gate == "marker":
            self.write(model, "_SUCCESS", b"")
        if gate == "manifest":
            data = [
                (one.uri.removeprefix(prefix), self.store.get(one.uri)) for one in self.store.list(prefix)
            ]
            listed = [
                {"path": path, "sha256": sha256(body).hexdigest()}
                for path, body in data
                if path not in ("manifest.json", "_SUCCESS")
            ]
            self.write(model, "manifest.json", json.dumps(listed).encode())

    def remove(self, model: str, name: str) -> None:
        """Delete one object, without a notification."""
        self.store.delete(f"s3://data/{model}/{name}")
        self._remember(model, name)

    def declare(self, model: str, epochs: int) -> None:
        """Apply the Model with that config."""
        found = self._find_model(model)
        spec = self.models[model]["spec"]
        training = {**spec["training"], "config": {"epochs": epochs}}
        document = {**(found or self.models[model]), "spec": {**spec, "training": training}}
        written = self.cluster.update(document) if found else self.cluster.create(document)
        self.declared[model].append(Declared(self.time.now(), written))
        self.log.append(f"declare {model} with {epochs} epochs")

    def wish(self, model: str, verb: Verb, version: str, id: str = "") -> None:
        """Leave a wish on the Model, of that id or of one of its own; its change is told."""
        found = self._find_model(model)
        if not found:
            return
        self.log.append(f"wish: {verb} {model} {version}")
        self.wished.add(model)
        wish = replace(new_wish(verb, version, "ann", ""), id=id or f"wish-{len(self.log)}")
        annotations = {**(found["metadata"].get("annotations") or {}), ROLLOUT_WISH: wish.encode()}
        self._tell(
            self.cluster.update({**found, "metadata": {**found["metadata"], "annotations": annotations}})
        )

    def tried(self, model: str) -> str:
        """The version that is on trial, or waits for approval; "" if none is."""
        status = (self._find_model(model) or {}).get("status") or {}
        return status.get("candidate") or (status.get("held") or {}).get("version") or ""

    def delete(self, model: str) -> None:
        """Delete the Model. Kubernetes deletes its parts when the next minute passes or KServe has a turn."""
        if self._find_model(model):
            self.cluster.delete("Model", model)
            self.declared[model].append(Declared(self.time.now(), None))
            self.log.append(f"delete {model}")

    def _find_model(self, model: str) -> Document | None:
        return next((one for one in self.cluster.list("Model") if one["metadata"]["name"] == model), None)

    def in_force(self, model: str, since: datetime) -> list[Document]:
        """The declarations of the model that were in force at any time since then."""
        past = self.declared[model]
        first = max((place for place, one in enumerate(past) if one.at <= since), default=0)
        return [one.document for one in past[first:] if one.document]

    def _remember(self, model: str, name: str) -> None:
        state = {one.uri: one.etag for one in self.store.list(f"s3://data/{model}/")}
        self.past[model].append(Past(self.time.now(), state, f"s3://data/{model}/{name}"))

    # The broker

    def publish(self, event: Event) -> None:
        """`ports.Events`: send the event to each function whose Trigger lets it pass."""
        if not self.is_deaf:
            self.feed += [Delivery(function, event) for function in subscribers(event)]

    def deliver(self, number: int, strike: Strike = _spared) -> Process:
        """Deliver one event. If the function is killed or is unavailable, it gets the event again. A reply is
        published."""
        delivery = self.feed.pop(number)
        self.delivered += 1
        self.log.append(f"deliver {delivery.event.type} of {delivery.event.subject} to {delivery.function}")
        release, process = self._release(), self._process(strike)
        try:
            reply = STAGES[delivery.function].handle(delivery.event, process.platform)
        except Crash:
            self._deliver_again(delivery, not self.forgets_crashed)
        except NewerSchema as error:
            self.wrong.append(f"{delivery.function} could not do without a hint of a newer knoll: {error}")
        except Unavailable:
            self._deliver_again(delivery, True)
        except Rejected as error:
            self.wrong.append(f"{delivery.function} rejected {delivery.event.type}, which was sound: {error}")
        else:
            if reply is not None:
                self.publish(told(reply, release))
        self.log += process.struck
        return process

    def _deliver_again(self, delivery: Delivery, is_known: bool) -> None:
        if is_known and delivery.attempts < RETRIES and not self.is_deaf:
            self.feed.append(Delivery(delivery.function, delivery.event, delivery.attempts + 1))

    def tick(self, strike: Strike = _spared) -> Process:
        """One sweep of all stages."""
        self.log.append("tick")
        process = self._process(strike)
        with suppress(Crash, Unavailable):
            STAGES["sweep"].handle(
                new_event(TICK, source="/ticker", time=self.time.now(), id=f"tick-{len(self.log)}"),
                process.platform,
            )
        self.log += process.struck
        return process

    # Kubernetes

    def jobs(self) -> list[Document]:
        """All Jobs. A Job that is over may still have a live Pod, on a node that was given up."""
        return self.cluster.list("Job", MANAGED)

    def live_jobs(self) -> list[Document]:
        """Jobs that are neither complete nor failed."""
        return [job for job in self.jobs() if is_live(job)]

    def attempt(self, job: Document, strike: Strike = _spared) -> Process:
        """One attempt of a Job, from its start to its end. If it crashes, its node was lost, and the attempt
        does not count."""
        name = job["metadata"]["name"]
        self.log.append(f"attempt {name}")
        process = self._process(strike)
        self.attempts += 1
        with suppress(Crash), redirect_stdout(io.StringIO()):
            code = train(name, process.platform, self.attempts)
            self._after_attempt(job, next_action(job, JobAttempt(exit_code=code), self.time.now()))
        self.log += process.struck
        return process

    def cut(self, job: Document) -> None:
        """End a Job by its deadline."""
        self.cut_off.add(job["metadata"]["name"])
        self._after_attempt(job, Fail("DeadlineExceeded", "Job was active longer than specified deadline"))

    def _after_attempt(self, job: Document, action: Action) -> None:
        written = note(self.cluster, job, action, self.time.now())
        if written:
            self._tell(written)
            self.log.append(f"{written['metadata']['name']}: {action}")

    def _tell(self, document: Document) -> None:
        self.publish(object_changed(document, source="/apiserver", time=self.time.now()))

    def serve(self) -> None:
        """One pass of KServe and Knative Serving, after Kubernetes has deleted what has no owner."""
        owners = {one["metadata"]["uid"] for one in self.cluster.list("Model")}
        for kind in ("Job", "InferenceService"):
            for one in self.cluster.list(kind):
                if owners.isdisjoint(owner["uid"] for owner in one["metadata"]["ownerReferences"]):
                    self.cluster.delete(kind, one["metadata"]["name"])
        for service in self.serving.reconcile():
            self._tell(service)

    def settle(self, *, deaf: bool) -> int:
        """Let minutes pass without faults until all is at rest; how many. With `deaf` all events are
        lost from now on."""
        self.is_deaf = deaf
        self.feed = [] if deaf else self.feed
        return self.pass_minutes(200)

    def pass_minutes(self, most: int) -> int:
        """Let minutes pass until two of them wrote nothing, or until `most` have passed; how many."""
        minutes = quiet = 0
        while quiet < 2 and minutes < most:
            before = self.written
            self.pass_a_minute()
            minutes += 1
            quiet = quiet + 1 if self.written == before and not self.feed else 0
        return minutes

    def pass_a_minute(self) -> None:
        """Deliver all events of now, tick, and let Jobs and KServe do their work."""
        for _ in range(len(self.feed)):
            self.deliver(0)
        self.tick()
        self.wrong += wrong_after_a_tick(self)
        for job in self.live_jobs():
            self.attempt(job)
        self.serve()
        self.advance(61)

    def save(self) -> Saved:
        """The whole state, for `load`."""
        mine = {name: _copied(getattr(self, name)) for name in _CHANGING}
        return Saved(self.store.save(), self.cluster.save(), self.time.present, Names.given, mine)

    def load(self, saved: Saved) -> None:
        """Return to that state."""
        self.store.load(saved.objects)
        self.cluster.load(saved.documents)
        self.time.present, Names.given = saved.present, saved.names
        for name, value in saved.mine.items():
            setattr(self, name, _copied(value))

    def key(self) -> object:
        """Equal for worlds that have the same future."""
        feed = tuple((one.function, one.event.type, one.event.id, one.attempts) for one in self.feed)
        return self.store.key(), self.cluster.key(), self.time.present, feed, tuple(self.wrong), self.attempts

    def trace(self) -> Trace:
        """Other than before if a call of a port has changed something."""
        return Trace(self.time.present, self.written, len(self.feed))

    @property
    def written(self) -> int:
        """How much has been written so far."""
        return self.cluster.revision() + self.store.writes

    def advance(self, seconds: float) -> None:
        """Let time pass; KServe needs less than ten seconds of it."""
        if seconds >= 10:
            self.serve()
        self.time.present += timedelta(seconds=seconds)


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: list(each) if isinstance(each, list) else each for key, each in value.items()}
    return value.copy() if isinstance(value, list | set) else value
