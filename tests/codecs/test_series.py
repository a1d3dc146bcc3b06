"""Series: what a history becomes, and what is refused by the name of its series, event or time."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from knoll.codecs import Reading, decode, encode, encode_picture, example_request
from knoll.errors import InvalidInstance
from knoll.records.signature import Signature, Tensor
from knoll.rollout.signature_change import signature_change

OPTIONS: dict[str, Any] = {
    "names": ["north", "south"],
    "events": ["free"],
    "usual": [5, 7.5],
    "step": 3600,
    "offset": 0,
    "zoned": False,
    "latest": "2026-01-05T00:00",
    "history": 4,
    "horizon": 2,
}


def of(**options: Any) -> Signature:
    told = OPTIONS | options
    rows, steps = len(told["names"]) + 2 + len(told["events"]), told["history"] + told["horizon"]
    window = Tensor("window", "FP32", (-1, rows, steps, 2), "series", told)
    answer = {"names": told["names"], "step": told["step"], "quantiles": [0.1, 0.5, 0.9]}
    shape = (-1, len(told["names"]), told["horizon"], 3)
    return Signature((window,), (Tensor("forecast", "FP32", shape, "series", answer),))


STREETS, ONE = of(), of(names=["north"], usual=[5], events=[])
RIGHT = {"time": "2026-01-05T09:00", "history": {"north": [1, None, 3, 4], "south": [5, 6, 7, 8.5]}}


def read(signature: Signature = STREETS, **fields: Any) -> tuple[Any, list[str]]:
    told: list[str] = []
    sent = {name: value for name, value in {**RIGHT, **fields}.items() if value is not ...}
    (window,) = decode([sent], signature, reading=Reading(told.append))["window"]
    assert (window.dtype, window.shape) == (np.float32, signature.inputs[0].shape[1:])
    return window, told


def test_a_value_has_a_one_beside_it_and_a_gap_a_zero() -> None:
    window, told = read()
    assert window[0].tolist() == [[1, 1], [0, 0], [3, 1], [4, 1], [0, 0], [0, 0]]
    assert window[1, :4, 0].tolist() == [5, 6, 7, 8.5]
    assert not told


def test_the_calendar_says_which_part_of_day_week_and_year_has_passed() -> None:
    """The last value is that of nine o'clock on a Monday."""
    day, week = read()[0][2].T
    assert day * 24 == pytest.approx([6, 7, 8, 9, 10, 11])
    assert week * 168 == pytest.approx([6, 7, 8, 9, 10, 11])
    assert read()[0][3, 0].tolist() == pytest.approx([4.25 / 365.2425, 0], abs=0.002)


@pytest.mark.parametrize(
    ("times", "wanted"),
    [
        (["2026-01-05T10:00"], [0, 0, 0, 0, 1, 0]),
        (["2026-01-05"], [1, 1, 1, 1, 1, 1]),
        (["2026-01-04", "2027-01-01", "2026-01-05 06:00:00"], [1, 0, 0, 0, 0, 0]),
        ([], [0, 0, 0, 0, 0, 0]),
    ],
)
def test_an_event_is_on_for_a_day_or_for_a_step(times: list[str], wanted: list[int]) -> None:
    window, told = read(events={"free": times})
    assert window[4, :, 0].tolist() == wanted
    assert not told


def test_the_start_of_a_history_says_the_same_as_its_end() -> None:
    assert np.array_equal(read(time=..., start="2026-01-05T06:00")[0], read()[0])


def test_one_series_needs_no_name() -> None:
    window, _ = read(ONE, history=[1, 2, 3, 4])
    assert window[0, :4, 0].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("history", "row", "told"),
    [
        ({"north": [1, 2], "south": [5, 6, 7, 8]}, [0, 0, 1, 2], "a history has 2 of 4 values"),
        ({"north": [9, 9, 1, 2, 3, 4], "south": [5, 6, 7, 8]}, [1, 2, 3, 4], "the newest 4 were read"),
        ({"south": [5, 6, 7, 8]}, [0, 0, 0, 0], "no history of north was sent: it was taken as a gap"),
        ({"north": [None] * 4, "south": [5, 6, 7, 8]}, [0, 0, 0, 0], ""),
    ],
    ids=["short", "long", "absent", "gaps"],
)
def test_a_history_of_another_length_is_answered_with_a_warning(
    history: dict[str, Any], row: list[float], told: str
) -> None:
    window, warnings = read(history=history)
    assert window[0, :4, 0].tolist() == row
    assert all(told in one for one in warnings) if told else not warnings
    assert bool(warnings) == bool(told)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"history": [1, 2]}, "history is one list, and there are several series"),
        ({"history": {"nroth": [1]}}, "it has the series 'nroth', which is unknown; did you mean north?"),
        ({"history": {}}, "history is no object of lists by series"),
        ({"history": ...}, "history is no object of lists by series"),
        ({"history": {"north": []}}, "the history of north is empty"),
        ({"history": {"north": 3}}, "the history of north is 3, and must be a list"),
        ({"history": {"north": [1, "2"]}}, "value 1 of north is '2', and must be a finite number or null"),
        ({"history": {"north": [True]}}, "value 0 of north is true"),
        ({"history": {"north": [1e39]}}, "value 0 of north is 1e\\+39"),
        ({"history": {"north": [1, 10**400]}}, "value 1 of north is 1000"),
        ({"history": {"north": [float("nan")]}}, "value 0 of north is .nan"),
        ({"history": {"north": [[1]]}}, "value 0 of north is a list"),
        ({"history": {"north": [None, None]}}, "no series has a value"),
        ({"time": ...}, "it has neither time nor start"),
        ({"start": "2026-01-05T06:00"}, "it has both time and start"),
        ({"time": "soon"}, "time is 'soon', no date or time of whole seconds"),
        ({"time": 1767603600}, "time is 1767603600, no date or time"),
        ({"time": "2026-02-30T10:00"}, "no date or time of whole seconds"),
        ({"time": "2026-01-05T09:30"}, "the steps of 3,600 seconds that were learnt have none there"),
        ({"time": "2026-01-05T09:00Z"}, "has a zone, and the times of the data have none"),
        (
            {"time": ..., "start": "2026-01-05T09:00", "history": {"north": [1], "south": [1, 2]}},
            "1 to 2 values",
        ),
        ({"events": {"fre": []}}, "it has the event 'fre', which is unknown; did you mean free?"),
        ({"events": ["2026-01-05"]}, "events are no object of lists by name"),
        ({"events": {"free": "2026-01-05"}}, "the times of event 'free' are no list"),
        ({"events": {"free": ["monday"]}}, "a time of event 'free' is 'monday', no date or time"),
        ({"evnts": {}}, "it has the field 'evnts', which is unknown; did you mean events?"),
    ],
    ids=map(str, range(26)),
)
def test_what_is_wrong_is_refused_by_name(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidInstance, match="instance 0: .*" + told.replace("?", r"\?")):
        read(**fields)


def test_data_with_a_zone_wants_one_and_takes_any() -> None:
    zoned = of(zoned=True, latest="2026-01-05T00:00Z")
    assert np.array_equal(
        read(zoned, time="2026-01-05T10:00+01:00")[0], read(zoned, time="2026-01-05T09:00Z")[0]
    )
    with pytest.raises(InvalidInstance, match="has no zone, and the times of the data have one"):
        read(zoned)


@pytest.mark.parametrize("instance", [[1, 2], "north", 63, None])
def test_a_forecast_needs_an_object(instance: Any) -> None:
    with pytest.raises(InvalidInstance, match="a forecast needs an object with a time and a history"):
        decode([instance], STREETS)


def test_the_example_is_answered_without_a_warning_and_left_out_if_it_is_large() -> None:
    told: list[str] = []
    decode(example_request(STREETS)["instances"], STREETS, reading=Reading(told.append))
    assert not told
    assert example_request(of(history=5000)) is None


def test_quantiles_have_the_names_of_their_series() -> None:
    numbers = np.arange(12, dtype=np.float32).reshape(1, 2, 2, 3)
    (found,) = encode({"forecast": numbers}, STREETS)
    assert found["north"] == {"0.1": [0, 3], "0.5": [1, 4], "0.9": [2, 5]}
    assert found["south"]["0.9"] == [8, 11]


@pytest.mark.parametrize("steps", [1, 24])
@pytest.mark.parametrize("series", [1, 30])
def test_a_forecast_is_a_picture_with_a_field_for_each_series(series: int, steps: int) -> None:
    """Of many series the first ones; also of numbers that are all the same, and of names from strangers."""
    signature = of(names=[f"\u202e{n}" * 99 for n in range(series)], horizon=steps)
    row = np.full((1, series, steps, 3), 7, np.float32)
    picture = Image.open(io.BytesIO(encode_picture({"forecast": row}, signature)))
    assert picture.size == (640, 120 if series == 1 else 24 * 120 + 16)
    assert len(picture.getcolors(9999) or ()) > 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.sampled_from(["north", "south", "free"]), inner, max_size=2)
    ),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {"time": st.sampled_from(["2026-01-05T09:00", "0001-01-01", "9999-12-31T23:00"]) | JSON},
        optional={"history": JSON, "start": JSON, "events": JSON},
    )
)
def test_any_history_is_decoded_or_refused(instance: dict[str, Any]) -> None:
    for signature in (STREETS, ONE):
        try:
            (window,) = decode([instance], signature)["window"]
        except InvalidInstance:
            continue
        assert np.isfinite(window).all()


@pytest.mark.parametrize(
    ("new", "told"),
    [
        (of(), ""),
        (of(names=["south", "north"]), ""),
        (of(names=["north", "west"]), "input window comes without south and with the new west"),
    ],
    ids=["same", "order", "other"],
)
def test_a_version_with_other_series_has_another_signature(new: Signature, told: str) -> None:
    assert told in signature_change(STREETS, new, "v000001")
    assert bool(signature_change(STREETS, new, "v000001")) == bool(told)
