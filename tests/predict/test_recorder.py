"""Which requests a predictor reports for replays, and what never leaves its process."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.events import MemoryEvents
from knoll.adapters.memory.platform import memory_platform
from knoll.codecs import decode
from knoll.errors import Unavailable
from knoll.events import Event, event_to_json
from knoll.predict.receipts import new_id
from knoll.predict.recorder import MOST_AT_ONCE, MOST_OF_A_REPORT, Recorder, is_sampled, recorded_body
from knoll.predict.served import Served
from knoll.predict.work import Work
from knoll.proofs import RECORDED_PURPOSE, is_proven
from knoll.records.recorded import MOST_OF_ONE, claimed
from knoll.records.signature import Signature, Tensor
from knoll.rollout.recordings import read_recorded
from knoll.settings import Settings
from predict.test_served import DARK, LIGHT, Files, served_from

KEY = "k" * 64
PICTURE = {"mode": "L", "width": 4, "height": 4}
PERSON = Signature(
    (
        Tensor("age", "INT64", (-1, 1)),
        Tensor("face", "FP32", (-1, 1, 4, 4), "image", PICTURE),
        Tensor("income", "FP32", (-1, 3)),
    ),
    (Tensor("score", "FP32", (-1, 1)),),
)
RAW = Signature((Tensor("x", "FP32", (-1, 2)),), PERSON.outputs)
HEADERS = {"content-type": "application/json", "authorization": "Bearer secret"}


def make(signature: Signature = RAW, **changes: Any) -> tuple[Recorder, MemoryEvents]:
    """A recorder that keeps all it is asked to, and the events that it sends."""
    sink, settings = MemoryEvents(), {"sink": "http://sink", "revision_key": KEY, "recorded_share": 100}
    platform = memory_platform(MemoryClock(), Settings(**{**settings, **changes}), events=sink)
    return Recorder("digits", "v000001", signature, platform), sink


def body_of(*found: Any, **beside: Any) -> bytes:
    return json.dumps({"instances": [*found], **beside}).encode()


def sent(recorder: Recorder, sink: MemoryEvents) -> list[Any]:
    recorder.send()
    return (
        [json.loads(one["body"])["instances"] for one in sink.taken[-1].data["requests"]]
        if sink.taken
        else []
    )


@settings(deadline=None)
@given(st.integers(0, 2**64 - 1), st.integers(0, 100))
def test_the_id_alone_says_whether_a_request_is_of_the_share(number: int, share: int) -> None:
    """What is of a share is of each larger one, of 100 % each is, and of 0 % none."""
    id = f"{number:016x}"
    assert is_sampled(id, share) <= is_sampled(id, min(share + 1, 100))
    assert (is_sampled(id, 100), is_sampled(id, 0)) == (True, False)


def test_as_many_are_of_the_share_as_it_says() -> None:
    """Also of ids that are drawn as predictors draw them."""
    even = [f"{number << 46:016x}" for number in range(2**18)]
    assert [sum(is_sampled(id, share) for id in even) for share in (1, 50)] == [2622, 2**17]
    assert 3 < sum(is_sampled(new_id(), 1) for _ in range(3_000)) < 100


numbers = st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3)
pictures = st.lists(st.lists(st.integers(17, 255), min_size=4, max_size=4), min_size=4, max_size=4)
people = st.fixed_dictionaries(
    {
        "age": st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=1),
        "face": pictures,
        "income": numbers,
    }
)


@settings(deadline=None)
@given(
    st.lists(st.tuples(people, people), min_size=1, max_size=3),
    st.sets(st.sampled_from(("age", "face", "income"))),
)
def test_what_is_recorded_does_not_depend_on_what_is_redacted(
    pairs: list[tuple[dict[str, Any], dict[str, Any]]], redact: set[str]
) -> None:
    """Two clients whose requests differ in these fields alone, and in what the version does not read, leave
    the same bytes. So nothing of them can be there. The rest is as it was sent, and can be decoded."""
    ones = [one for one, _ in pairs]
    others = [{**one, **{name: other[name] for name in redact}} for one, other in pairs]
    bodies = [
        recorded_body(
            body_of(*({**each, "ssn": secret} for each in found), user=secret), HEADERS, PERSON, [*redact]
        )
        for secret, found in (("ada", ones), ("bob", others))
    ]
    assert bodies[0] == bodies[1] != ""
    kept = json.loads(bodies[0])
    assert kept.keys() == {"instances"}
    for one, recorded in zip(ones, kept["instances"], strict=True):
        assert recorded.keys() == one.keys()
        assert {name: recorded[name] for name in one if name not in redact} == {
            name: one[name] for name in one if name not in redact
        }
        inputs = decode([recorded], PERSON)
        assert all(not np.any(inputs[name]) for name in redact)


def test_no_redacted_value_is_anywhere_in_the_bytes_that_are_sent() -> None:
    """Nor any header, though a client may have its key in one."""
    recorder, sink = make(PERSON, recorded_redact=("age", "face"))
    face = base64.b64encode(b"a face that nobody else shall see").decode()
    asked = {"age": [18446], "face": {"b64": face}, "income": [1.5, 2.5, 3.5], "name": "Ada"}
    recorder.note(new_id(), body_of(asked, trace="xyzzy"), HEADERS)
    recorder.send()
    said = json.dumps(event_to_json(sink.taken[0]))
    assert not [one for one in ("18446", face, "Ada", "xyzzy", "Bearer") if one in said]
    assert "[1.5,2.5,3.5]" in said
    assert sink.taken[0].data["redacted"] == ["age", "face"]


@pytest.mark.parametrize(
    ("signature", "redact"),
    [
        (RAW, ("x",)),
        (PERSON, ("age", "agee")),
        (replace(RAW, inputs=(PERSON.inputs[1],)), ("face",)),
        (replace(PERSON, inputs=(PERSON.inputs[0], Tensor("huge", "FP32", (-1, 5000)))), ("age",)),
    ],
)
def test_a_version_that_lacks_a_field_to_redact_records_nothing(
    signature: Signature, redact: tuple[str, ...]
) -> None:
    """Because its owner believes that it is redacted."""
    recorder, sink = make(signature, recorded_redact=redact)
    recorder.note(new_id(), body_of({"age": [1]}), {})
    assert sent(recorder, sink) == []


@pytest.mark.parametrize("change", [{"recorded_share": 0}, {"revision_key": ""}, {"sink": ""}])
def test_without_a_share_a_key_or_a_sink_nothing_is_recorded(change: dict[str, Any]) -> None:
    recorder, sink = make(**change)
    recorder.note(new_id(), body_of([1, 2]), {})
    assert sent(recorder, sink) == []


def test_newer_requests_take_the_place_of_older_ones_and_none_is_sent_twice() -> None:
    recorder, sink = make()
    for number in range(3 * MOST_AT_ONCE):
        recorder.note(new_id(), body_of([number, 0]), {})
    assert [one[0][0] for one in sent(recorder, sink)] == [
        *reversed(range(2 * MOST_AT_ONCE, 3 * MOST_AT_ONCE))
    ]
    recorder.send()
    assert len(sink.taken) == 1


def test_neither_a_request_nor_a_report_is_larger_than_its_bound() -> None:
    recorder, sink = make()
    long = [[0.12345678] * 2] * (MOST_OF_ONE // 30)
    for found in ([[1, 2]], long, long * 2, long, long):
        recorder.note(new_id(), body_of(*found), {})
    bodies = sent(recorder, sink)
    assert [len(one) for one in bodies] == [len(long), len(long), 1]
    assert len(json.dumps(event_to_json(sink.taken[0]))) < MOST_OF_A_REPORT + 5_000


def test_a_report_is_proved_and_says_what_was_asked_and_when() -> None:
    recorder, sink = make()
    recorder.note(id := new_id(), body_of([1, 2]), {})
    recorder.send()
    event = Event("1", "/x", sink.taken[0].type, "", data=sink.taken[0].data)
    (one,) = found = read_recorded("digits", event)
    now = int(MemoryClock().present.timestamp())
    assert (one.version, one.id, one.body) == ("v000001", id, '{"instances":[[1,2]]}')
    assert now <= one.at < now + 60
    assert is_proven(event.data["proof"], KEY, RECORDED_PURPOSE, claimed(found))
    assert not is_proven(event.data["proof"], KEY, RECORDED_PURPOSE, claimed([replace(one, redacted=("x",))]))


def test_a_lost_report_and_a_body_that_cannot_be_kept_end_nothing() -> None:
    recorder, sink = make(Signature((PERSON.inputs[1],), PERSON.outputs))
    deep: Any = 1
    for _ in range(600):
        deep = [deep]
    recorder.note(new_id(), b"no JSON", {})
    recorder.note(new_id(), body_of({"b64": "", "x": deep}), {})
    recorder.send()
    assert sink.taken == []

    def lose(event: Event) -> None:
        raise Unavailable("the broker is away")

    taken, sink.publish = sink.publish, lose  # type: ignore[method-assign]
    recorder.note(new_id(), body_of([[20] * 4] * 4), {})
    recorder.send()
    sink.publish = taken  # type: ignore[method-assign]
    recorder.note(new_id(), body_of([[30] * 4] * 4), {})
    assert sent(recorder, sink) == [[[[30] * 4] * 4]]


def test_only_what_users_were_answered_well_is_recorded(
    tmp_path: Path, files_of: Files, classifier: Any
) -> None:
    """No replay, no copy and nothing that was refused. An event is recorded as the request in it."""
    served: Served = served_from(tmp_path, files_of(classifier))
    recorder, sink = make(served.version.signature)
    recording = replace(served, recorder=recorder)
    event = {"specversion": "1.0", "id": "1", "source": "/x", "type": "t", "data": {"instances": [DARK]}}
    for body, headers, status in (
        (body_of(LIGHT), HEADERS, 200),
        (body_of(DARK), {"x-knoll-replay": "true"}, 200),
        (body_of(DARK), {"x-knoll-compare": "x"}, 200),
        (body_of("x"), {}, 400),
        (b"{", {}, 400),
        (json.dumps(event).encode(), {"content-type": "application/cloudevents+json"}, 200),
        (body_of(DARK), {f"ce-{name}": "1.0" for name in ("specversion", "id", "source", "type")}, 200),
    ):
        assert recording.predict(body, headers, Work()).status == status
    assert sent(recorder, sink) == [[DARK], [DARK], [LIGHT]]
