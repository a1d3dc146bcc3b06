"""The room for dead letters is bounded, no source takes that of others, and what is refused is told."""

from dataclasses import replace

import pytest

from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.platform import memory_platform
from knoll.caches import Caches
from knoll.dead_letters import quota
from knoll.dead_letters.letters import list_letters, read_dead_letters
from knoll.dead_letters.resend import drop
from knoll.events import Event
from knoll.events.http import Response, event_to_http
from knoll.ports import Platform
from knoll.records.dead_letter import list_letter_objects
from knoll.records.letter_room import find_refusals, measure
from knoll.records.strays import find_strays
from knoll.views import letter_room
from knoll.views.doctor import examine
from knoll.wiring.functions import answer

EVENT = Event("1", "/noisy", "com.example.odd", "2026-01-01T00:00:00Z", "", {"text": "x" * 1000})


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (quota, letter_room):
        monkeypatch.setattr(place, "MOST_DEATHS", 100)


def platform() -> Platform:
    return memory_platform(MemoryClock(step=0.001))


def send(platform: Platform, source: str, number: int, first: int = 0) -> list[Response]:
    """Deliver so many dead letters of a source."""
    events = (replace(EVENT, id=f"{first + one}", source=source) for one in range(number))
    return [answer("dead-letters", *event_to_http(event), platform) for event in events]


def statuses(answers: list[Response]) -> list[int]:
    return [one.status for one in answers]


def of_source(platform: Platform, source: str) -> int:
    letters = read_dead_letters(platform.bucket)
    return sum(one.last.event is not None and one.last.event.source == source for one in letters)


def told(platform: Platform) -> list[str]:
    """What the doctor says of dead letters."""
    return [one.what for one in examine(platform) if one.place == "dead letters"]


def test_one_noisy_source_leaves_half_of_the_room_to_others() -> None:
    here = platform()
    answers = send(here, "/noisy", 200)
    assert statuses(answers) == [204] * 50 + [507] * 150
    assert b"50 dead letters of the source /noisy" in answers[-1].body
    assert b"knoll dlq drop makes room" in answers[-1].body
    assert set(statuses(send(here, "/quiet", 20))) == {204}
    assert (of_source(here, "/noisy"), of_source(here, "/quiet")) == (50, 20)


def test_a_process_that_starts_anew_knows_how_much_each_source_has() -> None:
    """The function scales to zero, and several of it may run at once."""
    here = platform()
    for first in range(0, 200, 10):
        send(replace(here, caches=Caches()), "/noisy", 10, first)
    assert of_source(here, "/noisy") == 50
    assert set(statuses(send(replace(here, caches=Caches()), "/quiet", 20))) == {204}


def test_the_bytes_of_a_source_are_bounded_as_its_number_is(monkeypatch: pytest.MonkeyPatch) -> None:
    here = platform()
    send(here, "/noisy", 1)
    size = measure(here.bucket).bytes
    monkeypatch.setattr(quota, "MOST_BYTES", 20 * size + 10)
    assert statuses(send(here, "/noisy", 15, 1)) == [204] * 9 + [507] * 6
    assert set(statuses(send(here, "/quiet", 5))) == {204}


def test_what_is_no_event_is_a_source_of_its_own_unless_it_claims_another() -> None:
    here = platform()
    bodies = [{}, {"ce-source": "/noisy"}]
    for headers in bodies:
        answers = [answer("dead-letters", headers, b"%d" % number, here) for number in range(100)]
        kept = statuses(answers).count(204)
        assert kept == (50 if headers == {} else 25)
    assert set(statuses(send(here, "/quiet", 5))) == {204}


def test_a_full_room_is_told_with_what_to_do_and_room_that_is_made_is_used() -> None:
    """Whoever takes another source for each event fills it."""
    here = platform()
    assert told(here) == []
    answers = [send(here, f"/source-{number}", 1)[0] for number in range(101)]
    assert statuses(answers) == [204] * 100 + [507]
    assert b"100 dead letters with" in answers[-1].body
    full, refused = told(here)
    assert full.startswith("100 of 100 dead letters with")
    assert "further ones are refused" in full
    assert refused.startswith("dead letters were refused once, the last one 0s ago, of source /source-100")
    assert {one.fix for one in examine(here)} == {quota.FIX}
    for letter in list_letters(here.bucket)[:50]:
        drop(letter, here)
    assert len(list(here.store.list("s3://knoll-models/dead-letters/"))) == 2 * 50 + 1
    clock = here.clock
    assert isinstance(clock, MemoryClock)
    clock.move(61)
    assert statuses(send(here, "/source-100", 1)) == [204]
    assert told(here) == [refused.replace("0s ago", "1m1s ago")]
    clock.move(24 * 3600)
    assert told(here) == []


def test_a_flood_of_refusals_is_counted_and_written_now_and_then() -> None:
    here = platform()
    send(here, "/noisy", 500)
    first = find_refusals(here.bucket)
    assert first
    assert first.count == 1
    clock = here.clock
    assert isinstance(clock, MemoryClock)
    clock.move(11)
    send(here, "/noisy", 1, 500)
    later = find_refusals(here.bucket)
    assert later
    assert (later.count, later.since, later.source) == (451, first.since, "/noisy")
    assert later.last > first.last
    assert "refused 451 times or more" in told(here)[0]


def test_letters_of_an_older_release_count_for_no_source() -> None:
    here = platform()
    send(here, "/noisy", 40)
    for one in list(here.store.list("s3://knoll-models/dead-letters/")):
        if "/from-" in one.uri:
            here.store.delete(one.uri)
    anew = replace(here, caches=Caches())
    assert statuses(send(anew, "/noisy", 40, 40)) == [204] * 30 + [507] * 10
    assert sum(one.is_death for one in list_letter_objects(here.bucket)) == 70


def test_nothing_of_that_is_a_stray() -> None:
    here = platform()
    send(here, "/noisy", 60)
    assert list(find_strays(here.bucket)) == []
    here.store.put("s3://knoll-models/dead-letters/refused.json", b'{"last": "never"}')
    assert find_refusals(here.bucket) is None
    assert [one.key for one in find_strays(here.bucket)] == ["dead-letters/refused.json"]
