"""The broker brings every event to every subscriber that wants it, whatever fails on the way; on a real file,
with real kills."""

import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from knoll.adapters.clock import SystemClock
from knoll.adapters.memory.clock import MemoryClock
from knoll.errors import InvalidEvent, Rejected, Unavailable
from knoll.events import PREDICTOR_RECORDED, Event
from knoll.laptop.broker.broker import Broker, Subscriber
from knoll.laptop.broker.event_log import EventLog
from knoll.laptop.broker.triggers import Delivery, Filter, Trigger

_QUICK = Delivery.model_validate({"retry": 2, "backoffPolicy": "linear", "backoffDelay": "PT0.01S"})

Start = Callable[[Mapping[str, Subscriber]], Broker]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a broker where the Trigger and the subscriber of an event type are both called like the type."""
    brokers = []

    def begin(subscribers: Mapping[str, Subscriber]) -> Broker:
        brokers.append(_broker(tmp_path / "knoll.db", subscribers))
        brokers[-1].start()
        return brokers[-1]

    yield begin
    for broker in brokers:
        broker.stop()


def _broker(path: Path, subscribers: Mapping[str, Subscriber], keep: int = 10_000) -> Broker:
    filters = {type: (Filter.model_validate({"exact": {"type": type}}),) for type in subscribers}
    triggers = [
        Trigger(name=type, subscriber=type, filters=filters[type], delivery=_QUICK) for type in subscribers
    ]
    return Broker(path, triggers, subscribers, SystemClock(), keep=keep)


def _with_sink(path: Path, subscribers: Mapping[str, Subscriber]) -> Broker:
    """A broker whose only Trigger takes every event for "work", and has the dead-letter sink "sink"."""
    sink = {"ref": {"kind": "Service", "name": "sink", "apiVersion": "serving.knative.dev/v1"}}
    trigger = Trigger(
        name="work", subscriber="work", delivery=Delivery.model_validate({"deadLetterSink": sink})
    )
    return Broker(path, [trigger], subscribers, SystemClock())


def _refuse(_: Event) -> None:
    raise Rejected("bad weights")


def _event(type: str, id: str = "1", data: object = None) -> Event:
    return Event(id, "/test", type, "2026-01-01T00:00:00+00:00", "digits", data)


def _eventually(is_true: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)


def _settle(broker: Broker) -> None:
    _eventually(lambda: broker.pending() == 0)


def test_an_event_reaches_the_subscribers_that_want_it_and_its_reply_the_next(start: Start) -> None:
    """Delivered once each, whole, and the reply is an event like any other."""
    seen: list[Event] = []
    question, answer = _event("question", data={"n": [1, 2.5, None, "é"]}), _event("answer", "2")

    def ask(event: Event) -> Event:
        seen.append(event)
        return answer

    broker = start({"question": ask, "answer": lambda event: seen.append(event)})
    broker.publish(question)
    _settle(broker)
    broker.publish(_event("nobody-cares"))
    assert seen == [question, answer]
    assert [(number, event.type) for number, event in broker.history()] == [
        (1, "question"),
        (2, "answer"),
        (3, "nobody-cares"),
    ]
    assert broker.history(after=1, limit=1) == [(2, answer)]
    assert broker.dead_letters() == []


def test_the_same_event_twice_is_delivered_twice(start: Start) -> None:
    """The broker does not judge identity, as Knative's does not."""
    seen: list[str] = []
    broker = start({"t": lambda event: seen.append(event.id)})
    broker.publish(_event("t"))
    broker.publish(_event("t"))
    _settle(broker)
    assert seen == ["1", "1"]


def test_a_failed_delivery_is_tried_again_until_it_is_taken(start: Start) -> None:
    """Unavailable, and a bug alike, are tried again; success ends it."""
    failures = [Unavailable("not yet"), ZeroDivisionError()]
    seen: list[str] = []

    def take(event: Event) -> None:
        if failures:
            raise failures.pop(0)
        seen.append(event.id)

    broker = start({"t": take})
    broker.publish(_event("t"))
    _settle(broker)
    assert seen == ["1"]
    assert broker.dead_letters() == []


@pytest.mark.parametrize(
    ("error", "attempts", "code", "data"),
    [
        (Rejected("no such model\nat all"), 1, "422", "no such model at all"),
        (Unavailable("é" * 2000), 3, "503", "é" * 512),
        (RuntimeError("secret=hunter2"), 3, "500", "RuntimeError"),
    ],
)
def test_what_nobody_takes_becomes_a_dead_letter(
    start: Start, error: Exception, attempts: int, code: str, data: str
) -> None:
    """Rejected at once, anything else after all retries; the reason is cut at 1024 bytes, and that of a bug
    is only its name."""
    tries: list[str] = []

    def refuse(event: Event) -> None:
        tries.append(event.id)
        raise error

    broker = start({"t": refuse})
    broker.publish(_event("t", data={"n": 1}))
    _settle(broker)
    [letter] = broker.dead_letters()
    assert len(tries) == attempts
    assert (letter.trigger, letter.event.id, letter.event.data) == ("t", "1", {"n": 1})
    assert letter.event.extensions == {
        "knativeerrordest": "t",
        "knativeerrorcode": code,
        "knativeerrordata": data,
    }


def test_a_dead_letter_is_brought_to_its_sink_until_that_takes_it(tmp_path: Path) -> None:
    """With the reason, and again after a failure; it is then nobody's event: neither it nor the sink's reply
    meets a Trigger."""
    failures, seen = [Unavailable("not yet")], list[Event]()

    def take(letter: Event) -> Event:
        if failures:
            raise failures.pop()
        seen.append(letter)
        return _event("reply")

    broker = _with_sink(tmp_path / "knoll.db", {"work": _refuse, "sink": take})
    broker.start()
    broker.publish(_event("t", data={"n": 1}))
    _settle(broker)
    broker.stop()
    error = {"knativeerrordest": "work", "knativeerrorcode": "422", "knativeerrordata": "bad weights"}
    assert [(letter.id, letter.data, letter.extensions) for letter in seen] == [("1", {"n": 1}, error)]
    assert [event.type for _, event in broker.history()] == ["t"]
    assert broker.dead_letters() == []


@pytest.mark.parametrize("sinks", [{"sink": _refuse}, {}])
def test_a_dead_letter_that_no_sink_takes_is_kept_once(tmp_path: Path, sinks: dict[str, Subscriber]) -> None:
    """A sink that refuses it, or is no subscriber here, leaves it where it can be seen, with the first
    reason."""
    broker = _with_sink(tmp_path / "knoll.db", {"work": _refuse, **sinks})
    broker.start()
    broker.publish(_event("t"))
    _settle(broker)
    broker.stop()
    [letter] = broker.dead_letters()
    assert (letter.trigger, letter.sink, letter.event.extensions["knativeerrordest"]) == (
        "work",
        "sink",
        "work",
    )


def test_a_dead_letter_without_a_sink_goes_to_the_last_one_and_again_after_a_restart(tmp_path: Path) -> None:
    """So none is left where nobody looks: neither when its sink is not there, nor when it could not take
    it."""
    seen: list[str] = []

    def run(last: Subscriber) -> list[str]:
        trigger = Trigger(name="work", subscriber="work", delivery=_QUICK)
        broker = Broker(
            tmp_path / "knoll.db", [trigger], {"work": _refuse, "last": last}, SystemClock(), last_sink="last"
        )
        broker.publish(_event("t", str(len(seen))))
        broker.start()
        _settle(broker)
        broker.stop()
        return [letter.event.id for letter in broker.dead_letters()]

    assert run(_refuse) == ["0"]
    assert run(lambda letter: seen.append(letter.id)) == []
    assert sorted(seen) == ["0", "0"]


def _die(_: Event) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _work_and_die(path: Path) -> None:
    """The child of the test below: its sink is killed with the dead letter in its hands."""
    broker = _with_sink(path, {"work": _refuse, "sink": _die})
    broker.publish(_event("t"))
    broker.start()
    threading.Event().wait()


@pytest.mark.parametrize("is_there", [True, False])
def test_kill_9_at_the_sink_loses_no_dead_letter(tmp_path: Path, is_there: bool) -> None:
    """The next start brings it to its sink, or keeps it when that is gone."""
    child = multiprocessing.get_context("spawn").Process(target=_work_and_die, args=(tmp_path / "knoll.db",))
    child.start()
    child.join(60)
    seen: list[str] = []
    sinks: dict[str, Subscriber] = {"sink": lambda letter: seen.append(letter.id)} if is_there else {}
    broker = _with_sink(tmp_path / "knoll.db", {"work": _refuse, **sinks})
    broker.start()
    _settle(broker)
    broker.stop()
    kept = [letter.event.id for letter in broker.dead_letters()]
    assert child.exitcode == -signal.SIGKILL
    assert (seen, kept) == ((["1"], []) if is_there else ([], ["1"]))


def test_data_that_is_no_json_is_refused_in_our_words(start: Start) -> None:
    with pytest.raises(InvalidEvent, match="the data of a 1 is not JSON: something in it is no object, list"):
        start({}).publish(_event("a", data={"a": {1}}))


def test_a_reply_that_is_no_event_fails_the_delivery(start: Start) -> None:
    """It never gets into the log, where it could not be read again."""
    broker = start({"t": lambda _: _event("reply", data={"n": float("nan")})})
    broker.publish(_event("t"))
    _settle(broker)
    assert [event.type for _, event in broker.history()] == ["t"]
    assert [letter.event.extensions["knativeerrorcode"] for letter in broker.dead_letters()] == ["422"]
    with pytest.raises(InvalidEvent, match="not JSON"):
        broker.publish(_event("t", data=object()))


def test_a_slow_subscriber_delays_nobody_else(start: Start) -> None:
    """While every worker of one Trigger is held, another Trigger's events are delivered."""
    release, reached = threading.Event(), threading.Event()

    def hold(_: Event) -> None:
        release.wait(30)

    broker = start({"slow": hold, "quick": lambda _: reached.set()})
    for number in range(5):
        broker.publish(_event("slow", str(number)))
    broker.publish(_event("quick"))
    assert reached.wait(10)
    assert broker.pending() == 5
    assert broker.pending("slow") == 5
    release.set()
    _settle(broker)


def test_what_was_published_before_a_start_or_in_flight_at_a_stop_is_delivered_after_the_next(
    tmp_path: Path,
) -> None:
    """The file is the truth, whichever broker opens it next."""
    path, release = tmp_path / "knoll.db", threading.Event()
    seen: list[str] = []

    def hold(event: Event) -> None:
        seen.append(f"held {event.id}")
        release.wait(30)

    first = _broker(path, {"t": hold})
    first.publish(_event("t"))
    assert seen == []
    first.start()
    _eventually(lambda: bool(seen))
    first.stop(timeout=0)
    second = _broker(path, {"t": lambda event: seen.append(event.id)})
    second.start()
    _settle(second)
    release.set()
    first.stop()
    second.stop()
    assert seen == ["held 1", "1"]


def test_attempts_and_due_times_survive_a_restart(tmp_path: Path) -> None:
    """A delivery that failed waits for its hour across restarts, and its retries are not counted anew."""
    path, tries = tmp_path / "knoll.db", []

    def refuse(event: Event) -> None:
        tries.append(event.id)
        raise Unavailable("later")

    hourly = Delivery.model_validate({"retry": 1, "backoffPolicy": "exponential", "backoffDelay": "PT1H"})
    triggers = [Trigger(name="t", subscriber="t", delivery=hourly)]
    clock = MemoryClock()
    brokers = [Broker(path, triggers, {"t": refuse}, clock) for _ in range(2)]
    brokers[0].publish(_event("t"))
    brokers[0].start()
    _eventually(lambda: EventLog(path).open_deliveries()["t"][0].attempts == 1)
    brokers[0].stop()
    assert brokers[0].pending() == len(tries) == 1
    clock.move(2 * 3600)
    brokers[1].start()
    _settle(brokers[1])
    brokers[1].stop()
    assert len(tries) == 2
    assert [letter.at for letter in brokers[1].dead_letters()] == ["2026-01-01T02:00:00+00:00"]


def test_a_clock_that_is_set_back_delays_no_retry(tmp_path: Path) -> None:
    """Nothing is due later than the longest pause of its Trigger."""
    clock, tries = MemoryClock(), []

    def refuse_once(event: Event) -> None:
        tries.append(event.id)
        if len(tries) == 1:
            raise Unavailable("later")

    delivery = Delivery.model_validate(
        {"retry": 2, "backoffPolicy": "exponential", "backoffDelay": "PT0.01S"}
    )
    broker = Broker(
        tmp_path / "knoll.db",
        [Trigger(name="t", subscriber="t", delivery=delivery)],
        {"t": refuse_once},
        clock,
    )
    broker.publish(_event("t"))
    broker.start()
    _eventually(lambda: EventLog(tmp_path / "knoll.db").open_deliveries()["t"][0].attempts == 1)
    clock.move(-3600)
    _settle(broker)
    broker.stop()
    assert tries == ["1", "1"]


def test_deliveries_of_a_trigger_that_is_gone_become_dead_letters(tmp_path: Path) -> None:
    """A Trigger that was taken out of the files leaves nothing open for ever, and loses nothing."""
    path = tmp_path / "knoll.db"
    _broker(path, {"t": lambda _: None}).publish(_event("t"))
    broker = _broker(path, {})
    broker.start()
    broker.stop()
    assert broker.pending() == 0
    assert [(letter.trigger, letter.event.id) for letter in broker.dead_letters()] == [("t", "1")]


def test_a_trigger_without_its_subscriber_is_rejected(tmp_path: Path) -> None:
    """A broker that could not deliver does not start."""
    with pytest.raises(Rejected, match="knoll-train"):
        Broker(tmp_path / "knoll.db", [Trigger(name="t", subscriber="knoll-train")], {}, SystemClock())


def test_old_events_are_forgotten_unless_they_are_still_to_be_delivered(tmp_path: Path) -> None:
    """The file does not grow for ever, and retention never eats a delivery."""
    broker = _broker(tmp_path / "knoll.db", {"open": lambda _: None}, keep=10)
    broker.publish(_event("open"))
    for number in range(30):
        broker.publish(_event("done", str(number)))
    numbers = [number for number, _ in broker.history()]
    assert numbers == [1, *range(22, 32)]
    assert broker.pending() == 1


def _work(folder: Path, round: int) -> None:
    """The child of the test below: publish 200 events, note each that was taken, deliver them through two
    Triggers."""
    broker = _broker(folder / "knoll.db", _noting(folder))
    broker.start()
    for number in range(200):
        event = _event("first", f"{round}-{number}")
        broker.publish(event)
        _note(folder / "published", event.id)
    threading.Event().wait()


def _noting(folder: Path) -> dict[str, Subscriber]:
    def reply(event: Event) -> Event:
        return _event("second", event.id)

    def take(event: Event) -> None:
        _note(folder / "delivered", event.id)

    return {"first": reply, "second": take}


def _note(path: Path, line: str) -> None:
    """Append a line in one write, so that a kill leaves all of it or nothing."""
    file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.write(file, f"{line}\n".encode())
    os.close(file)


def _has_lines(path: Path, count: int) -> bool:
    return len(_lines(path)) >= count


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def test_kill_9_at_any_moment_loses_no_event(tmp_path: Path) -> None:
    """Five times a process that publishes and delivers is killed at a random moment; then every event that
    was taken is delivered."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    for round in range(5):
        before, wanted = len(_lines(tmp_path / "delivered")), moments.randrange(1, 150)
        child = multiprocessing.get_context("spawn").Process(target=_work, args=(tmp_path, round))
        child.start()
        _eventually(partial(_has_lines, tmp_path / "delivered", before + wanted), 60)
        child.kill()
        child.join()
    published = set(_lines(tmp_path / "published"))
    assert published <= {
        event.id
        for _, event in EventLog(tmp_path / "knoll.db").history(limit=10_000)
        if event.type == "first"
    }
    broker = _broker(tmp_path / "knoll.db", _noting(tmp_path))
    broker.start()
    _settle(broker)
    broker.stop()
    assert published
    assert published <= set(_lines(tmp_path / "delivered"))
    assert broker.dead_letters() == []


def test_the_log_keeps_so_many_bytes_at_most(tmp_path: Path) -> None:
    """Large events push out the oldest, but none that is still to be delivered."""
    log = EventLog(tmp_path / "knoll.db", most=100_000)
    waiting = log.append(_event("large", "waits", "x" * 10_000), ["train"])
    for number in range(40):
        log.append(_event("large", str(number), "x" * 10_000), [])
    kept = [seq for seq, _ in log.history()]
    assert waiting in kept
    assert 9 <= len(kept) <= 14
    assert kept[-1] == 41


def test_what_users_have_asked_stays_in_no_history(start: Start) -> None:
    """It goes with its last delivery. Until then it is there, also if it must be delivered again."""
    tries: list[str] = []

    def fail_once(event: Event) -> None:
        tries.append(event.id)
        if len(tries) == 1:
            raise Unavailable("not now")

    broker = start({PREDICTOR_RECORDED: fail_once, "other": lambda _: None})
    for type in (PREDICTOR_RECORDED, "other"):
        broker.publish(Event(type, "/test", type, ""))
    _settle(broker)
    assert tries == [PREDICTOR_RECORDED] * 2
    assert [event.type for _, event in broker.history()] == ["other"]
