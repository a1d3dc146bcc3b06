"""Any schedule: what users, a broker and a cluster may do, in any order, with any fault at any call.

At its end the faults stop. After a bounded number of ticks nothing may be lost, doubled or of the wrong
version.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, get_args

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from knoll.names import version_name
from knoll.rollout.wishes import Verb
from schedules.acts import correct, edit_service, remove_service, report, shut_quota, spoil
from schedules.checks import wrong_at_the_end
from schedules.declared import GATES, POLICIES, model_document
from schedules.faults import KINDS, Fault, Kind
from schedules.world import World

__all__ = ["ACTS", "Loop"]

_MODELS = ("beans", "digits")
_QUALITIES = st.sampled_from(("good", "good", "good", "shifted", "poor", "broken", "unreadable"))
ACTS = ("pause", "resume", "promote", "abort", "approve", "undo", "edit", "remove", "fail", "spoil")
_NAMES = st.sampled_from(("0", "1", "2"))
_MODEL = st.sampled_from(_MODELS)
_ANY = st.integers(0, 11)
_FAULT = st.tuples(
    st.sampled_from(KINDS),
    st.one_of(st.integers(0, 4), st.integers(0, 12), st.integers(0, 40)),
    st.integers(0, 6),
    _ANY,
)
Plan = list[tuple[Kind, int, int, int]]
_NO_FAULTS: Plan = []
_FAULTS: st.SearchStrategy[Plan] = st.one_of(st.just(_NO_FAULTS), st.lists(_FAULT, min_size=1, max_size=4))


class Loop(RuleBasedStateMachine):
    """One world and what happens to it."""

    world: World
    events: int  # what has happened so far, settling excluded
    reports: int

    @initialize(
        gates=st.tuples(st.sampled_from(GATES), st.sampled_from(GATES)),
        concurrency=st.sampled_from(("Queue", "Queue", "Replace", "Forbid")),
        quota=st.integers(1, 2),
        world=st.fixed_dictionaries(
            {name: st.booleans() for name in ("keeps_versions", "whole_seconds", "remembers", "has_keys")}
        ),
        end=st.tuples(st.booleans(), st.booleans()),
        has_champion=st.booleans(),
        releases=st.one_of(st.just(0), st.integers(1, 1_000_000)),
        policies=st.tuples(st.sampled_from([*POLICIES]), st.sampled_from([*POLICIES])),
    )
    def begin(
        self,
        gates: tuple[str, str],
        concurrency: str,
        quota: int,
        world: dict[str, Any],
        end: tuple[bool, bool],
        has_champion: bool,
        releases: int,
        policies: tuple[str, str],
    ) -> None:
        documents = {
            name: model_document(name, gate, concurrency, policy)
            for name, gate, policy in zip(_MODELS, gates, policies, strict=True)
        }
        self.world = World(documents, quota=quota, releases=releases, **world)
        self.ends_deaf, self.has_last_word = end
        self.uploads = self.events = self.reports = 0
        if has_champion:
            self.upload(_MODELS[0], ["0", "1"], "good")
            self.calm(8)

    @rule(model=_MODEL, names=st.lists(_NAMES, min_size=1, max_size=3, unique=True), quality=_QUALITIES)
    def upload(self, model: str, names: list[str], quality: str) -> None:
        """New data, and the marker after it."""
        self.uploads += 1
        for name in names:
            self._pass(1)
            self.world.write(model, name, f"{quality}-{self.uploads}-{name}".encode())
        self.mark(model)

    @rule(model=_MODEL, name=_NAMES, old=_ANY)
    def overwrite(self, model: str, name: str, old: int) -> None:
        """One object gets the bytes of any earlier object; the data is not marked as complete."""
        bodies = [b"good-0", *(body for body in self.world.bodies.values() if b"-" in body)]
        self._pass(1)
        self.world.write(model, name, bodies[old % len(bodies)])

    @rule(model=_MODEL, name=st.sampled_from(("0", "1", "2", "_SUCCESS", "manifest.json")))
    def remove(self, model: str, name: str) -> None:
        self._pass(1)
        self.world.remove(model, name)

    @rule(model=_MODEL, old=_ANY)
    def restore(self, model: str, old: int) -> None:
        """The data becomes what it once was."""
        wanted = self.world.past[model][-1 - old % len(self.world.past[model])].etags
        for name in ("0", "1", "2"):
            etag = wanted.get(f"s3://data/{model}/{name}")
            self._pass(1)
            if etag:
                self.world.write(model, name, self.world.bodies[etag])
            else:
                self.world.remove(model, name)
        self.mark(model)

    @rule(model=_MODEL)
    def mark(self, model: str) -> None:
        """The marker or manifest, where the gate wants one."""
        self._pass(1)
        self.world.mark(model)

    @rule(model=_MODEL, epochs=st.sampled_from((0, 1, 2)))
    def declare(self, model: str, epochs: int) -> None:
        """The user deletes the Model, or applies it with the same or another config."""
        self._pass(1)
        if epochs:
            self.world.declare(model, epochs)
        else:
            self.world.delete(model)

    @rule(model=_MODEL, is_faulty=st.booleans())
    def spoil(self, model: str, is_faulty: bool) -> None:
        """The declaration gets a fault, or loses it."""
        self._pass(1)
        (spoil if is_faulty else correct)(self.world, model)

    @rule(model=_MODEL, verb=st.sampled_from(get_args(Verb)), number=st.integers(0, 3))
    def wish(self, model: str, verb: Verb, number: int) -> None:
        """A human steers the rollout; 0 names no version."""
        self._pass(1)
        self.world.wish(model, verb, version_name(number) if number else "")

    @rule(
        model=_MODEL,
        quality=st.sampled_from(("good", "good", "shifted")),
        turns=st.integers(1, 4),
        act=st.sampled_from(ACTS),
    )
    def interrupt(self, model: str, quality: str, turns: int, act: str) -> None:
        """Another version, so many turns of its rollout, from its start to its bake, and then a human."""
        self.upload(model, ["0"], quality)
        self.world.pass_a_minute()
        for _ in range(turns):
            self._take_turn()
        if act == "undo":
            self.calm(3)
        match act:
            case "edit" | "remove":
                self.meddle(model, act == "remove")
            case "fail":
                self.report(model, 10)
            case "spoil":
                self.spoil(model, is_faulty=True)
            case _:
                self._steer(model, act)
        self._take_turn()

    def _take_turn(self) -> None:
        """All events of now, and KServe."""
        self._pass(1)
        for _ in range(len(self.world.feed)):
            self.world.deliver(0)
        self.world.serve()

    def _steer(self, model: str, verb: Any) -> None:
        """A human steers what is on trial, or waits for approval, or serves."""
        self._pass(1)
        version = self.world.tried(model) if verb == "approve" else ""
        self.world.wish(model, verb, version)

    @precondition(lambda self: self.world.cluster.list("InferenceService"))
    @rule(model=_MODEL, is_removed=st.booleans())
    def meddle(self, model: str, is_removed: bool) -> None:
        """Somebody changes or deletes what serves."""
        self._pass(1)
        (remove_service if is_removed else edit_service)(self.world, model)

    @precondition(lambda self: self.world.cluster.list("InferenceService"))
    @rule(model=_MODEL, failing=st.sampled_from((0, 10)))
    def report(self, model: str, failing: int) -> None:
        """A predictor has answered ever more requests."""
        self._pass(1)
        self.reports += 1
        report(self.world, model, 20 * self.reports, failing * self.reports)

    @rule()
    def shut_quota(self) -> None:
        """There is room, or none."""
        self._pass(1)
        shut_quota(self.world, is_open=False)

    @precondition(lambda self: self.world.feed)
    @rule(number=_ANY, faults=_FAULTS)
    def deliver_one(self, number: int, faults: Plan) -> None:
        """Deliveries are what happens most."""
        self.deliver(number, faults)

    @precondition(lambda self: self.world.feed)
    @rule(number=_ANY, faults=_FAULTS)
    def deliver_another(self, number: int, faults: Plan) -> None:
        """And once more."""
        self.deliver(number, faults)

    @precondition(lambda self: self.world.feed)
    @rule(number=_ANY, faults=_FAULTS)
    def deliver(self, number: int, faults: Plan) -> None:
        """Events come in any order."""
        self._pass(1)
        self.world.deliver(number % len(self.world.feed), self._strike(faults))

    @precondition(lambda self: self.world.feed)
    @rule(number=_ANY)
    def duplicate(self, number: int) -> None:
        self._pass(0)
        self.world.feed.append(self.world.feed[number % len(self.world.feed)])

    @precondition(lambda self: self.world.feed)
    @rule(number=_ANY)
    def drop(self, number: int) -> None:
        self._pass(0)
        del self.world.feed[number % len(self.world.feed)]

    @rule(faults=_FAULTS)
    def tick(self, faults: Plan) -> None:
        self._pass(1)
        self.world.tick(self._strike(faults))

    @precondition(lambda self: self.world.jobs())
    @rule(number=_ANY, faults=_FAULTS, is_zombie=st.booleans())
    def attempt(self, number: int, faults: Plan, is_zombie: bool) -> None:
        """A Pod of a Job runs: again, beside another one, or long after the end of its Job."""
        jobs = (not is_zombie and self.world.live_jobs()) or self.world.jobs()
        self._pass(1)
        self.world.attempt(jobs[number % len(jobs)], self._strike(faults))

    @precondition(lambda self: self.world.live_jobs())
    @rule(number=_ANY)
    def cut(self, number: int) -> None:
        """A Job is over its deadline."""
        self._pass(1)
        jobs = self.world.live_jobs()
        self.world.cut(jobs[number % len(jobs)])

    @rule()
    def serve(self) -> None:
        self._pass(1)
        self.world.serve()

    @rule(seconds=st.sampled_from((1, 5, 30, 120, 100_000)))
    def advance(self, seconds: int) -> None:
        self._pass(seconds)

    @rule(minutes=st.sampled_from((1, 1, 1, 3, 8)))
    def calm(self, minutes: int) -> None:
        """Minutes without faults. Eight are enough for a champion."""
        self._pass(1)
        self.world.pass_minutes(minutes)

    @rule(model=_MODEL, name=_NAMES)
    def prune(self, model: str, name: str) -> None:
        """Less data, and the word that it is complete."""
        self.world.remove(model, name)
        self.mark(model)

    def teardown(self) -> None:
        """The faults stop. From now on all events come or none, and there may be new data once more."""
        if not hasattr(self, "world"):
            return
        for model in _MODELS:
            if self.world.declared[model][-1].document is None:
                self.world.declare(model, 1)
            correct(self.world, model)
        shut_quota(self.world, is_open=True)
        for model in self.world.wished:
            self.world.wish(model, "resume", "")
        if self.has_last_word:
            self.upload(_MODELS[0], ["0"], "good")
        self.world.settle(deaf=self.ends_deaf)
        wrong = wrong_at_the_end(self.world)
        assert not wrong, "\n".join([*wrong, "what happened:", *self.world.log])

    def _pass(self, seconds: float) -> None:
        """Time for one more event."""
        self.events += 1
        self.world.advance(seconds)

    def _strike(self, faults: Plan) -> Callable[[int], Fault | None]:
        planned = {
            number: Fault(kind, partial(self._meanwhile, what, which)) for kind, number, what, which in faults
        }
        return planned.get

    def _meanwhile(self, what: int, which: int) -> None:
        """One thing happens while a process is held up, without other faults."""
        self.world.was_paused = True
        acts: list[Callable[[], object]] = [
            self.world.tick,
            lambda: self.world.feed and self.world.deliver(which % len(self.world.feed)),
            lambda: (
                self.world.jobs() and self.world.attempt(self.world.jobs()[which % len(self.world.jobs())])
            ),
            lambda: self.upload(_MODELS[which % 2], ["0"], "good"),
            lambda: self.overwrite(_MODELS[which % 2], str(which % 3), which),
            self._serve_and_tick,
            lambda: self.declare(_MODELS[which % 2], which % 3),
        ]
        self._pass(1)
        acts[what]()

    def _serve_and_tick(self) -> None:
        self.world.serve()
        self.world.tick()
