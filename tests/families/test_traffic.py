"""The family `traffic-forecast`: from tables of series to quantiles."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
import torch

from families.trainings import Trained, Training
from knoll.codecs import decode, encode_picture
from knoll.errors import BadFiles, InvalidData, InvalidModel, Rejected
from knoll.families.base import Examples, Files
from knoll.families.traffic.family import TrafficForecast
from knoll.families.traffic.metrics import sums_of
from knoll.predict.graph import Graph
from knoll.trainer.bad_data import decode_good
from knoll.trainer.graph import serve_graph

FAMILY = TrafficForecast()
SMALL: dict[str, Any] = {
    "history": 28,
    "horizon": 4,
    "stride": 3,
    "epochs": 6,
    "batchSize": 8,
    "width": 8,
    "blocks": 1,
    "learningRate": 0.01,
}
START = datetime(2026, 1, 5)  # a Monday


def table(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def count(place: int, series: int) -> int:
    """A day of four steps, with less on Sundays."""
    is_free = place // 4 % 7 == 6
    return round(100 * (1 + series) * (1.2 + math.sin(math.pi * place / 2)) * (0.3 if is_free else 1))


def when(place: int) -> str:
    return (START + timedelta(hours=6 * place)).isoformat(sep=" ")


def wide(steps: int = 280) -> list[list[Any]]:
    """Two streets, with a gap in one, and whether a day is free."""
    return [
        ["when", "north", "south", "free"],
        *(
            [when(n), count(n, 0), "" if n == 50 else count(n, 1), "yes" if n // 4 % 7 == 6 else ""]
            for n in range(steps)
        ),
    ]


def tall(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """The same in the long form."""
    return [
        ["when", "street", "cars", "free"],
        *(
            [row[0], name, row[place], row[3]]
            for row in rows[1:]
            for place, name in ((1, "north"), (2, "south"))
        ),
    ]


def examples_of(files: dict[str, bytes], **config: Any) -> Examples:
    return FAMILY.examples(Files.of(files), FAMILY.configure({**SMALL, "events": ["free"], **config}))


@pytest.fixture(scope="module")
def kept() -> dict[str, Training]:
    return {}


def trained_on_streets(trained: Trained, kept: dict[str, Training]) -> Training:
    """Train once for several tests."""
    if "streets" not in kept:
        kept["streets"] = trained(
            TrafficForecast, {**SMALL, "events": ["free"]}, {"streets.csv": table(wide())}
        )
    return kept["streets"]


def test_learns_a_week_and_answers_with_quantiles_in_order(
    trained: Trained, kept: dict[str, Training]
) -> None:
    training = trained_on_streets(trained, kept)
    assert training.outcome.state == "succeeded", training.outcome.reason
    assert set(training.outcome.metrics) == {"wape", "pinball", "coverage_error"}
    assert training.outcome.metrics["wape"] < 0.3
    history = {"north": [count(n, 0) for n in range(28)], "south": [count(n, 1) for n in range(28)]}
    (answer,) = training.predict([{"time": when(27), "history": history, "events": {"free": ["2026-01-11"]}}])
    assert [*answer] == ["north", "south"]
    for name, quantiles in answer.items():
        low, middle, high = (quantiles[share] for share in ("0.1", "0.5", "0.9"))
        assert len(middle) == 4, name
        assert all(0 <= one <= two <= three for one, two, three in zip(low, middle, high, strict=True))


def test_a_forecast_is_a_picture_on_request(trained: Trained, kept: dict[str, Training]) -> None:
    """Also of a single street, whose history is short."""
    version = trained_on_streets(trained, kept).version
    inputs = decode([{"start": when(0), "history": {"south": [7, None, 9]}}], version.signature)
    picture = encode_picture(Graph(version, threads=1).run(inputs), version.signature)
    assert picture.startswith(b"\x89PNG")


def test_a_version_has_scores_of_each_series_and_the_graph_of_its_network(
    trained: Trained, kept: dict[str, Training]
) -> None:
    """The graph is scored as the network was, also on series in another order."""
    version = trained_on_streets(trained, kept).version
    assert {"wape": {"north", "south"}} == {name: set(one) for name, one in version.manifest.slices.items()}
    served, config = serve_graph(version.signature, version.graph, threads=1), FAMILY.configure(SMALL)
    turned = [[row[0], row[2], row[1], row[3]] for row in wide()]
    for rows in (wide(), turned):
        found = FAMILY.score_served(served, examples_of({"a.csv": table(rows)}), config)
        assert found.metrics == pytest.approx(version.manifest.metrics, abs=1e-4)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"names": ["when", "north", "east", "free"]}, "it does not know the series east"),
        ({"events": [], "leaveOut": ["free"]}, "it wants the events free, which the data lacks"),
        ({"horizon": 8}, "it looks another time ahead"),
        ({"history": 24}, "or further back"),
        ({"quantiles": [0.5]}, "its quantiles are others"),
    ],
    ids=["series", "events", "horizon", "history", "quantiles"],
)
def test_a_version_that_tells_something_else_is_not_scored(
    trained: Trained, kept: dict[str, Training], change: dict[str, Any], told: str
) -> None:
    version = trained_on_streets(trained, kept).version
    served = serve_graph(version.signature, version.graph, threads=1)
    head, *rows = wide()
    body = table([change.pop("names", head), *rows])
    with pytest.raises(Rejected, match=told):
        FAMILY.score_served(
            served,
            examples_of({"a.csv": body}, **change),
            FAMILY.configure({**SMALL, "events": ["free"], **change}),
        )


def test_a_sample_is_the_history_of_a_held_out_forecast(trained: Trained, kept: dict[str, Training]) -> None:
    version = trained_on_streets(trained, kept).version
    rows = {row[0]: row for row in wide()}
    assert version.samples
    for sample in version.samples:
        last = datetime.fromisoformat(sample.instance["time"])
        assert sample.instance["history"]["north"][-1] == rows[last.isoformat(sep=" ")][1]


def test_the_graph_answers_as_the_network_whatever_is_sent(
    trained: Trained, kept: dict[str, Training]
) -> None:
    """Also wild values, odd calendars, and nothing at all."""
    version = trained_on_streets(trained, kept).version
    served = serve_graph(version.signature, version.graph, threads=1)
    odd = torch.stack([torch.full((5, 32, 2), one) for one in (3e38, -3e38, 0.0, 0.7)])
    (found,) = served.answer((odd,))
    assert torch.isfinite(found).all()
    assert (found.diff(dim=3) >= 0).all()


def test_the_long_form_is_the_wide_form() -> None:
    """Found by the columns alone; in several files, in any order, and with equal rows twice."""
    one = examples_of({"a.csv": table(wide())})
    head, *rows = tall(wide())
    other = examples_of({"a.csv": table([head, *rows[200:], *rows[:7]]), "b.csv": table([head, *rows[:200]])})
    assert one.about == other.about
    for mine, theirs in ((one.train, other.train), (one.held_out, other.held_out)):
        assert all(torch.equal(a[:], b[:]) for a, b in zip(mine, theirs, strict=True))


def test_the_end_is_held_out_and_told_once_step_by_step() -> None:
    """It begins with a day. No forecast that is learnt from reaches into it, and it only moves on with more
    data."""
    examples = examples_of({"a.csv": table(wide())})
    begins, learnt = examples.held_out[2][:], examples.train[2][:]
    assert begins[0] % 86_400 == 0
    assert {*begins.diff().tolist()} == {4 * 6 * 3600}
    assert int(learnt.max()) + 4 * 6 * 3600 <= int(begins[0])
    later = examples_of({"a.csv": table(wide(300))})
    assert int(later.held_out[2][:][0]) >= int(begins[0])
    again = examples_of({"a.csv": table(wide())})
    assert torch.equal(again.held_out[0][:], examples.held_out[0][:])


def test_what_is_missing_is_a_gap_and_the_future_is_not_seen() -> None:
    rows = [row for number, row in enumerate(wide()) if number != 62]
    examples = examples_of({"a.csv": table(rows)})
    windows, targets, begins = (column[:] for column in examples.train)
    assert not windows[:, :2, 28:].any()
    seconds = [
        int((datetime.fromisoformat(when(n)) - datetime(1970, 1, 1)).total_seconds()) for n in (61, 50)
    ]
    for gap, series in zip(seconds, (slice(0, 2), slice(1, 2)), strict=True):
        row = int((begins > gap).nonzero()[0])
        place = 28 - (int(begins[row]) - gap) // 21_600
        assert not windows[row, series, place].any()
        assert windows[row, series, place - 1, 1].all()
    assert targets[..., 1].mean() > 0.99


@pytest.mark.parametrize(
    ("rows", "config", "told"),
    [
        ([["a", "b"], [1, 2], [2, 3]], {"events": []}, "no column has times"),
        ([["t", "u", "x"], ["2026-01-01", "2026-01-02", 1]], {"events": []}, "the columns t, u have times"),
        (
            [["t", "x"], ["2026-01-01", "a"], ["2026-01-02", "b"]],
            {"events": []},
            "no column has numbers to learn",
        ),
        (wide(), {"events": ["fre"]}, "events names the column fre, which is not there; did you mean free?"),
        (wide(), {"events": []}, "free is a category: name it in series, events or leaveOut"),
        (wide(), {"time": "north"}, "the column north has no times"),
        (wide(), {"history": 400}, "have no forecast to learn and to score"),
        (
            [["t", "x"], *([when(0), n] for n in range(9))],
            {"events": []},
            "fewer than two rows have different times",
        ),
        (
            [["t", "x"], *([str(START + timedelta(minutes=7 * n)), n] for n in range(9))],
            {"events": []},
            "its times are most often 420 seconds apart",
        ),
    ],
    ids=[
        "no time",
        "two times",
        "no number",
        "unknown",
        "text",
        "time",
        "short",
        "one time",
        "odd steps",
    ],
)
def test_data_that_does_not_fit_is_told_what_to_do(
    rows: list[list[Any]], config: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidData) as raised:
        examples_of({"a.csv": table(rows)}, **config)
    assert told in str(raised.value)
    assert raised.value.fix


def test_a_wild_time_is_refused_before_it_takes_memory() -> None:
    rows = [*wide(), ["2999-01-01 00:00:00", 1, 1, ""]]
    files = Files({"a.csv": 1}, lambda _: table(rows), room=2**20)
    with pytest.raises(InvalidData, match=r"to 2999-01-01T00:00 take .* of memory"):
        FAMILY.examples(files, FAMILY.configure({**SMALL, "events": ["free"]}))


def test_bad_rows_reject_the_run_by_name_or_are_left_out() -> None:
    rows = wide()
    rows[100][1], rows[101][0], rows[102] = "much", "2026-13-01 00:00", [rows[102][0], 5]
    rows[103][0] = rows[103][0] + "Z"
    rows.append([str(START + timedelta(minutes=5)), 1, 1, ""])
    rows.append([rows[1][0], 7777, rows[1][2], ""])
    files, config = Files.of({"a.csv": table(rows)}), FAMILY.configure({**SMALL, "events": ["free"]})

    def decode(some: Files) -> Any:
        return FAMILY.examples(some, config)

    with pytest.raises(InvalidData) as raised:
        decode_good(files, {}, decode, FAMILY.form, 0)
    for told in (
        "6 of 282 rows are bad",
        "a.csv, line 101: north is 'much', no number",
        "a.csv, line 102: when is '2026-13-01 00:00', no date or time of whole seconds",
        "a.csv, line 103: it has 2 cells, and the header has 4",
        "a.csv, line 104: its time has a zone, and those of most rows have none",
        "a.csv, line 282: its time lies between the steps of 21,600 seconds",
        "a.csv, line 283: north has another value at that time in a.csv, line 2",
    ):
        assert told in str(raised.value)
    examples, bad = decode_good(files, {}, decode, FAMILY.form, 0.1)
    assert not bad
    assert "6 of 282 rows are bad, and were left out" in examples.notes[-1]
    clean = examples_of(
        {"a.csv": table(row for n, row in enumerate(wide()) if n not in (100, 101, 102, 103))}
    )
    assert torch.equal(examples.held_out[0][:], clean.held_out[0][:])


def test_a_series_without_a_value_before_the_end_is_not_learnt() -> None:
    rows = [[*row, "new" if not n else 5 if n > 260 else ""] for n, row in enumerate(wide())]
    examples = examples_of({"a.csv": table(rows)})
    assert [one["name"] for one in examples.about["series"]] == ["north", "south"]
    assert "Not learnt, because it has no value before the end: new." in examples.notes


def test_times_with_a_zone_are_one_clock() -> None:
    """Whatever zone each names."""
    plain, zoned = wide(), wide()
    for number, row in enumerate(zoned[1:]):
        moved = datetime.fromisoformat(row[0]) + timedelta(hours=number % 3)
        row[0] = f"{moved.isoformat()}+0{number % 3}:00"
    one, other = (examples_of({"a.csv": table(rows)}) for rows in (plain, zoned))
    assert torch.equal(one.held_out[0][:], other.held_out[0][:])
    assert (one.about["is_zoned"], other.about["is_zoned"]) == (False, True)


def test_a_golden_set_has_the_series_of_the_data() -> None:
    config = FAMILY.configure({**SMALL, "events": ["free"]})
    about = examples_of({"a.csv": table(wide())}).about
    exam = FAMILY.golden(Files.of({"b.csv": table(wide(60))}), about, config)
    assert exam.held_out[0][:].shape == (8, 5, 32, 2)
    east: list[list[Any]] = [["when", "east", "free"], [when(0), 1, ""]]
    for rows, told in (
        (east, "it has the series east, which the data lacks"),
        (wide(20), "it has 20 steps, and a forecast needs 32"),
    ):
        with pytest.raises(InvalidData, match=told):
            FAMILY.golden(Files.of({"b.csv": table(rows)}), about, config)
    with pytest.raises(BadFiles, match="no number"):
        FAMILY.golden(Files.of({"b.csv": table([*wide(60), [when(60), *3 * ["much"]]])}), about, config)


def test_the_baselines_are_last_week_and_a_ridge_for_each_series() -> None:
    """Where each week is the last one, last week is right; where each step is the sum of two others, a ridge
    is better. Both have quantiles."""
    config = FAMILY.configure({**SMALL, "events": ["free"]})
    same = FAMILY.baseline(examples_of({"a.csv": table(wide())}), config)
    assert same.what.startswith("last week again; beside it a ridge regression for each series has wape ")
    assert same.metrics == pytest.approx({"wape": 0, "pinball": 0, "coverage_error": 0.2}, abs=1e-6)
    grown = [
        [*row[:1], *(round(one * 1.01**n) if one else one for one in row[1:3]), row[3]] if n else row
        for n, row in enumerate(wide())
    ]
    ridge = FAMILY.baseline(examples_of({"a.csv": table(grown)}), config)
    assert ridge.what.startswith("a ridge regression for each series; beside it last week again has wape ")


def test_series_are_scored_by_what_they_sum_to() -> None:
    """A distance of 1 from values of 10 and 30 is 2 of 40; a gap counts nothing."""
    quantiles = torch.tensor([[[[8.0, 11, 12]], [[28.0, 29, 29.5]], [[0.0, 0, 0]]]])
    targets = torch.tensor([[[[10.0, 1]], [[30.0, 1]], [[99.0, 0]]]])
    sums = sums_of(quantiles, targets, (0.1, 0.5, 0.9))
    losses = 2 / 3 * (0.1 * 2 + 0.5 + 0.1 * 2 + 0.1 * 2 + 0.5 + 0.9 * 0.5)
    assert sums.metrics() == pytest.approx({"wape": 2 / 40, "pinball": losses / 40, "coverage_error": 0.3})
    assert sums.wapes(["a", "b", "c"]) == pytest.approx({"a": 0.1, "b": 1 / 30})


@pytest.mark.parametrize("quantiles", [[0.1, 0.9], [0.5, 0.1], [0.5, 0.5], []])
def test_quantiles_rise_and_have_the_middle_one(quantiles: list[float]) -> None:
    with pytest.raises(InvalidModel, match="quantiles"):
        FAMILY.configure({"quantiles": quantiles})
