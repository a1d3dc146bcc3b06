"""The whole way from a notification to a champion, with every fault at every call, alone and with every later
one.

Nothing is sampled. Two faults that leave the same world have the same future. So each world is played on from
its fault, and only once; and a fault that must leave the world of another one is left out.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice, product

from schedules.checks import wrong_after_a_tick, wrong_at_the_end
from schedules.declared import model_document
from schedules.faults import Fault, Kind, Process
from schedules.humans import HUMANS, react, wrong_in_story
from schedules.memory import Names
from schedules.world import Saved, Trace, World

__all__ = ["ENDS", "STORIES", "STRIKES", "Found", "Passage"]

STORIES = ("first", "second", "broken", "queued", "replaced", "failed", "objects", "deleted", *HUMANS)
_OF_TWO = ("second", "broken", *HUMANS)
_NEWER = {"broken": b"broken-2", "held": b"shifted-2"}
ENDS: tuple[Kind, ...] = ("before", "after")
STRIKES: tuple[Kind, ...] = (*ENDS, "lost", "twice")
_MOST_STEPS = 400
Faults = tuple[tuple[int, Kind], ...]


@dataclass(frozen=True)
class Place:
    """Where the play is: in which minute, what is next in it, which Jobs have had their attempt, and how many
    minutes were quiet."""

    minute: int = 0
    part: str = "events"
    tried: frozenset[str] = frozenset()
    written: int = 0
    quiet: int = 0


@dataclass(frozen=True)
class Moment:
    """A world between two steps, and its place in the play."""

    saved: Saved
    place: Place
    key: int


@dataclass(frozen=True)
class Step:
    """A step as it was made: its process, and the world before each call."""

    process: Process
    traces: Sequence[Trace]

    def faults(self, strikes: Sequence[Kind], first: int) -> Iterator[tuple[int, Kind]]:
        """The faults at the calls from `first` on, without those that must leave the world of another one.

        An end before a call is one after the call before it, unless the process has waited between them. A
        call that has changed nothing may as well be the last one or not, and be made once or twice.
        """
        for number, kind in product(range(first, len(self.process.calls)), strikes):
            if kind == "lost" or (
                number == first or self._has_waited(number) if kind == "before" else self._has_changed(number)
            ):
                yield number, kind

    def _has_changed(self, number: int) -> bool:
        return self.traces[number + 1 : number + 2] != [self.traces[number]]

    def _has_waited(self, number: int) -> bool:
        return self.traces[number].present - self.traces[number - 1].present >= timedelta(seconds=1)


@dataclass(frozen=True)
class Found:
    """How many schedules were judged, how many of them had two faults, and what was wrong with which. Of the
    pairs, `played` were carried out; the others begin in a world from which others were."""

    singles: int
    pairs: int
    wrong: Mapping[str, list[str]]
    played: int = 0


class Passage:
    """The play: events in their order, then a tick, a Pod for each Job and KServe, each minute, until two
    minutes change nothing.

    Of the stories, `first` is that of a first version, `second` that of one that replaces a champion,
    `broken` that of one that cannot be served, and `held` that of one that answers otherwise and is approved.
    In `edited` a human changes the InferenceService in a canary, and later resumes; in `removed` somebody
    deletes it then. In `queued` and `replaced` the Job of older data is live when newer data comes, and in
    `failed` it has just failed for good; in `objects` each object is a dataset, and the newer one is heard of
    first; in `deleted` the Model is deleted and applied again with another config while one run trains and
    one waits.
    """

    def __init__(self, story: str, *, forgets_crashed: bool, strikes: Sequence[Kind] = STRIKES) -> None:
        self._strikes, self._story = strikes, story
        document = model_document(
            "digits",
            "object" if story == "objects" else "marker",
            "Replace" if story == "replaced" else "Queue",
        )
        self._world = World({"digits": document}, forgets_crashed=forgets_crashed, has_keys=True)
        if story == "objects":
            self._world.write("digits", "1", b"good-1")
            self._world.advance(1)
        elif story != "first":
            self._upload(b"good-1")
            _ = self._world.settle(deaf=False) if story in _OF_TWO else self._world.tick()
        if story == "failed":
            self._world.cut(*self._world.live_jobs())
        if story == "deleted":
            self._upload(b"good-2", "1")
            self._world.tick()
            self._world.delete("digits")
            self._world.declare("digits", 2)
        else:
            self._upload(_NEWER.get(story, b"good-2"))
        if story == "objects":
            self._world.feed.reverse()
        self._good: set[int] = set()
        self._after: dict[int, tuple[int, dict[str, list[str]]]] = {}
        self._played = 0
        self._meant: dict[str, tuple[object, Saved]] = {}
        self._start = self._moment(Place(written=self._world.written))

    def _upload(self, body: bytes, name: str = "0") -> None:
        self._world.write("digits", name, body)
        self._world.mark("digits")

    def calls(self) -> list[str]:
        """All calls of a passage that nothing befalls."""
        return [str(call) for _, step in self._path(self._start) for call in step.process.calls]

    def left_out(self) -> tuple[int, list[str]]:
        """How many faults are left out, and those of them that leave a world that no other fault leaves at
        their step, nor that step itself."""
        count, unlike = 0, list[str]()
        for moment, step in self._path(self._start):
            tried = list(step.faults(self._strikes, 0))
            worlds = {self._world_after(moment, faults) for faults in ((), *((one,) for one in tried))}
            left_out = set(product(range(len(step.process.calls)), self._strikes)).difference(tried)
            count += len(left_out)
            unlike += [
                f"{kind} {step.process.calls[number]}"
                for number, kind in left_out
                if self._world_after(moment, ((number, kind),)) not in worlds
            ]
        return count, unlike

    def _world_after(self, moment: Moment, faults: Faults) -> object:
        self._step(moment, faults)
        return self._world.key()

    def singles(self) -> Found:
        """Every fault at every call."""
        count, wrong = self._later(self._start)
        return Found(count, 0, wrong)

    def pairs(self) -> Found:
        """Every fault at every call and every fault at every call after it."""
        wrong: dict[str, list[str]] = {}
        singles = pairs = 0
        for moment, step in self._path(self._start):
            for faults, after, struck in self._struck(moment, step):
                singles += 1
                wrong |= self._verdict(str(faults), after)
                for second, both, _ in self._struck(moment, struck, faults):
                    pairs += 1
                    self._played += 1
                    wrong |= self._verdict(f"{step.process.calls[faults[0][0]]}: {second}", both)
                count, later = self._later(after)
                pairs += count
                wrong |= {f"{faults} then {where}": what for where, what in later.items()}
        return Found(singles, pairs, wrong, self._played)

    def pauses(self, *, of_each: int = 1) -> Found:
        """Every call that is held up while something else happens: a minute of all that happens anyway,
        another Pod, or newer data; only one of `of_each` such pairs."""
        wrong: dict[str, list[str]] = {}
        count = 0
        meanwhile: dict[str, Callable[[], object]] = {
            "tick": self._world.tick,
            "pods": lambda: [self._world.attempt(job) for job in self._world.jobs()],
            "minutes": self._pass_three_minutes,
            "data": self._hear_of_newer_data,
        }
        pairs = (
            (moment, step.process.calls, number, one)
            for moment, step in self._path(self._start)
            for number, one in product(range(len(step.process.calls)), meanwhile.items())
        )
        for moment, calls, number, (name, act) in islice(pairs, 0, None, of_each):
            after = self._held_up(moment, number, name, act)
            wrong |= self._verdict(f"{calls[number]} while {name}", after)
            count += 1
        return Found(count, 0, wrong)

    def _pass_three_minutes(self) -> None:
        for _ in range(3):
            self._pass_a_minute()

    def _hear_of_newer_data(self) -> None:
        self._upload(b"good-3")
        self._pass_a_minute()

    def _pass_a_minute(self) -> None:
        self._look()
        self._world.pass_a_minute()

    def _held_up(self, moment: Moment, number: int, name: str, act: Callable[[], object]) -> Moment:
        self._world.load(moment.saved)
        self._world.was_paused = True
        pause = Fault("pause", lambda: self._meanwhile(moment, name, act))
        place, _ = self._act(moment.place, {number: pause}.get)
        return self._moment(place)

    def _meanwhile(self, moment: Moment, name: str, act: Callable[[], object]) -> None:
        """Let it happen. Calls of a step between which nothing has changed are held up in one world, in which
        it happens once."""
        held_up = moment.key, self._world.trace(), Names.given
        known, after = self._meant.get(name, (None, None))
        if after and known == held_up:
            self._world.load(after)
        else:
            act()
            self._meant[name] = held_up, self._world.save()

    def _struck(
        self, moment: Moment, step: Step, before: Faults = ()
    ) -> Iterator[tuple[Faults, Moment, Step]]:
        """The step that comes at the moment, with each fault at each of its calls behind those of
        `before`."""
        for fault in step.faults(self._strikes, before[-1][0] + 1 if before else 0):
            faults = (*before, fault)
            after, struck = self._step(moment, faults)
            yield faults, after, struck

    def _later(self, moment: Moment) -> tuple[int, Mapping[str, list[str]]]:
        """The same of a world that one fault has befallen: how many second ones, and what is wrong with
        which. From the first moment that was met before, the rest is known."""
        count, wrong = 0, dict[str, list[str]]()
        new = list[tuple[int, int, dict[str, list[str]]]]()
        for one, step in self._path(moment):
            if one.key in self._after:
                count, wrong = self._after[one.key]
                break
            new.append((one.key, *self._struck_here(one, step)))
        for key, here, found in reversed(new):
            count, wrong = count + here, found | wrong
            self._after[key] = count, wrong
        return count, wrong

    def _struck_here(self, moment: Moment, step: Step) -> tuple[int, dict[str, list[str]]]:
        """How many faults there are in one step, and what is wrong with which."""
        count, wrong = 0, dict[str, list[str]]()
        for faults, after, struck in self._struck(moment, step):
            count += 1
            wrong |= self._verdict(_named(moment, struck, faults), after)
        self._played += count
        return count, wrong

    def _verdict(self, name: str, moment: Moment) -> dict[str, list[str]]:
        """What is wrong at the end, if nothing else befalls the world; worlds that were met before are not
        played again."""
        met = []
        while moment.key not in self._good:
            met.append(moment.key)
            if moment.place.quiet == 2 or moment.place.minute == _MOST_STEPS:
                self._world.load(moment.saved)
                wrong = [*wrong_at_the_end(self._world), *self._without_champion()]
                wrong += wrong_in_story(self._story, self._world)
                if wrong:
                    return {name: [*wrong, *self._world.log]}
                break
            moment, _ = self._step(moment, ())
        self._good.update(met)
        return {}

    def _without_champion(self) -> list[str]:
        status = self._world.cluster.get("Model", "digits").get("status") or {}
        return [] if status.get("champion") else ["lost: there is no champion"]

    def _path(self, moment: Moment) -> Iterator[tuple[Moment, Step]]:
        """The steps to the end that call a port, when nothing befalls them."""
        while moment.place.quiet < 2:
            after, step = self._step(moment, ())
            if step.process.calls:
                yield moment, step
            moment = after

    def _step(self, moment: Moment, faults: Faults) -> tuple[Moment, Step]:
        """One step with its faults: the moment after it, and how it was made."""
        self._world.load(moment.saved)
        planned, traces = {number: Fault(kind) for number, kind in faults}, []

        def strike(number: int) -> Fault | None:
            traces.append(self._world.trace())
            return planned.get(number)

        place, process = self._act(moment.place, strike)
        if process.struck:  # a minute in which something failed is not one in which there was nothing to do
            place = replace(place, written=-1)
        return self._moment(place), Step(process, traces)

    def _look(self) -> None:
        """Let the human of the story do what follows from what there is to see."""
        if self._story in HUMANS:
            react(self._story, self._world)

    def _act(self, place: Place, strike: Callable[[int], Fault | None]) -> tuple[Place, Process]:
        world = self._world
        self._look()
        idle = Process(world.platform)
        if place.part == "events":
            return (place, world.deliver(0, strike)) if world.feed else (replace(place, part="tick"), idle)
        if place.part == "tick":
            process = world.tick(strike)
            world.wrong += wrong_after_a_tick(world) if not process.struck else []
            return replace(place, part="jobs", tried=frozenset()), process
        job = next((one for one in world.live_jobs() if one["metadata"]["name"] not in place.tried), None)
        if job:
            return replace(place, tried=place.tried | {job["metadata"]["name"]}), world.attempt(job, strike)
        world.serve()
        world.advance(61)
        quiet = place.quiet + 1 if world.written == place.written and not world.feed else 0
        return Place(place.minute + 1, written=world.written, quiet=quiet), idle

    def _moment(self, place: Place) -> Moment:
        where = (place.part, place.tried, place.quiet, place.written == self._world.written)
        return Moment(self._world.save(), place, hash((where, self._world.key())))


def _named(moment: Moment, struck: Step, faults: Faults) -> str:
    return f"{moment.place.part} {moment.place.minute}: {struck.process.struck} {faults}"
