"""The family `tabular`: from files of columns to answers."""

import csv
import io
import tracemalloc
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
import torch
from sklearn.metrics import roc_auc_score

from families.trainings import Trained, Training
from knoll.errors import BadFiles, InvalidData, Rejected
from knoll.families.base import Files, ServedGraph
from knoll.families.classifying import class_metrics
from knoll.families.table_files import count_tables
from knoll.families.tabular.family import Tabular
from knoll.families.tabular.metrics import number_metrics
from knoll.trainer.bad_data import decode_good
from knoll.trainer.graph import serve_graph

FAMILY = Tabular()
SMALL = {"epochs": 30, "width": 16, "blocks": 1, "learningRate": 0.02, "batchSize": 32}


def table(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def people(count: int = 200) -> list[list[object]]:
    """Who is old or smokes is ill. Some have no age, and each has a name."""
    rows: list[list[object]] = [["name", "age", "sex", "smokes", "ill"]]
    for number in range(count):
        age, smokes = (number * 37) % 90 + number / 1000, number % 3 == 0
        is_ill = age > 60 or smokes
        rows.append(
            [
                f"p{number}",
                "" if number % 11 == 5 else age,
                "FMX"[number % 3],
                str(smokes).lower(),
                "ny"[is_ill],
            ]
        )
    return rows


PEOPLE = {"target": "ill", "leaveOut": ["name"]}


@pytest.fixture(scope="module")
def kept() -> dict[str, Training]:
    return {}


def trained_on_people(trained: Trained, kept: dict[str, Training]) -> Training:
    """Train once for several tests."""
    if "people" not in kept:
        config = {**PEOPLE, **SMALL, "slices": ["sex"]}
        kept["people"] = trained(Tabular, config, {"people.csv": table(people())})
    return kept["people"]


def test_learns_a_class_from_numbers_categories_and_what_is_missing(
    trained: Trained, kept: dict[str, Training]
) -> None:
    training = trained_on_people(trained, kept)
    assert training.outcome.state == "succeeded", training.outcome.reason
    metrics = training.outcome.metrics
    assert set(metrics) == {"auroc", "accuracy", "macro_f1", "loss", "calibration_error"}
    assert metrics["accuracy"] > 0.8
    ill, well, unknown = training.predict(
        [
            {"age": 80, "sex": "F", "smokes": True},
            {"age": 20, "sex": "M", "smokes": False, "name": "p7", "ill": "n"},
            {"sex": "never seen", "smokes": False},
        ]
    )
    assert (ill["label"], well["label"]) == ("y", "n")
    assert sum(unknown["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_a_version_has_scores_of_each_class_and_of_each_value_of_a_slice(
    trained: Trained, kept: dict[str, Training]
) -> None:
    slices = trained_on_people(trained, kept).version.manifest.slices
    assert set(slices["recall"]) == {"n", "y"}
    assert set(slices["accuracy"]) == {"sex=F", "sex=M", "sex=X"}


def test_a_sample_is_a_row_of_the_data_with_its_class(trained: Trained, kept: dict[str, Training]) -> None:
    training = trained_on_people(trained, kept)
    for one in training.version.samples:
        assert one.target == ("y" if one.instance.get("age", 99) > 60 or one.instance["smokes"] else "n") or (
            "age" not in one.instance
        )


def test_the_graph_of_a_version_is_scored_as_its_network(trained: Trained, kept: dict[str, Training]) -> None:
    """Also on rows with other places for its columns and categories; and not on rows that lack one."""
    version = trained_on_people(trained, kept).version
    served = serve_graph(version.signature, version.graph, threads=1)
    config = FAMILY.configure({**PEOPLE, "slices": ["sex"]})
    rows = people()
    turned = [[*reversed(row)] for row in rows if row[2] != "F"]
    examples = [FAMILY.examples(Files.of({"a.csv": table(one)}), config) for one in (rows, turned)]
    same, other = (FAMILY.score_served(served, one, config) for one in examples)
    assert same.metrics == pytest.approx(version.manifest.metrics, abs=1e-4)
    assert same.slices.keys() == version.manifest.slices.keys()
    assert other.metrics["accuracy"] > 0.7
    lacking = FAMILY.examples(
        Files.of({"a.csv": table(row[:2] + row[3:] for row in rows)}), FAMILY.configure(PEOPLE)
    )
    with pytest.raises(Rejected, match="it wants the columns sex, which the data lacks"):
        FAMILY.score_served(served, lacking, config)


def test_learns_a_number_and_the_interval_in_which_it_lies(trained: Trained) -> None:
    rows: list[list[Any]] = [
        ["x", "kind", "y"],
        *([n / 50, "ab"[n % 2], 1000 + n * 2 + 100 * (n % 2)] for n in range(300)),
    ]
    training = trained(Tabular, {"target": "y", **SMALL}, {"a.csv": table(rows)})
    metrics = training.outcome.metrics
    assert set(metrics) == {"rmse", "mae", "r2", "coverage"}
    assert metrics["r2"] > 0.9
    (answer,) = training.predict([{"x": 3, "kind": "b"}])
    assert answer["low"] <= answer["value"] <= answer["high"]
    assert answer["value"] == pytest.approx(1400, abs=60)


def examples_of(files: dict[str, bytes], **config: Any) -> Any:
    return FAMILY.examples(Files.of(files), FAMILY.configure({**PEOPLE, **config}))


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"target": "il"}, "target names the column il, which is not there; did you mean ill?"),
        ({"leaveOut": []}, "name is text or an identifier, such as 'p0': 200 different values in 200 rows"),
        ({"slices": ["age"], "leaveOut": ["name", "agee"]}, "leaveOut names the column agee"),
        ({"task": "regression"}, "the target ill is a category, and regression needs numbers"),
        ({"target": "name", "leaveOut": []}, "the target name is text"),
        ({"leaveOut": ["name", "age", "sex", "smokes"]}, "no column is left to learn from"),
    ],
    ids=["target", "text", "unknown", "regression", "text as target", "nothing"],
)
def test_a_config_that_does_not_fit_the_columns_is_told_what_to_do(
    config: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InvalidData) as raised:
        examples_of({"people.csv": table(people())}, **config)
    assert reason in str(raised.value)
    assert raised.value.fix


def test_two_numbers_are_classes_and_more_are_not() -> None:
    def task(values: Sequence[object]) -> str:
        rows: list[list[Any]] = [
            ["x", "ill"],
            *([number, values[number % len(values)]] for number in range(40)),
        ]
        about: dict[str, str] = examples_of({"a.csv": table(rows)}, leaveOut=[]).about
        return about["task"]

    assert [task([0, 1]), task(["0", "1.0"]), task([0, 1, 2]), task(["true", "false"])] == [
        *("classification", "classification", "regression", "classification")
    ]


def test_bad_rows_reject_the_run_by_name_or_are_left_out() -> None:
    """The others are learnt from."""
    rows = people()
    rows[7][1], rows[9] = "much", ["p8", 5]
    files = Files.of({"people.csv": table(rows)})
    config = FAMILY.configure(PEOPLE)

    def decode(some: Files) -> Any:
        return FAMILY.examples(some, config)

    with pytest.raises(
        InvalidData,
        match=r"2 of 200 rows are bad: people.csv, line 8: age is 'much', no number; "
        r"people.csv, line 10: it has 2 cells, and the header has 5",
    ):
        decode_good(files, {}, decode, FAMILY.form, 0)
    examples, bad = decode_good(files, {}, decode, FAMILY.form, 0.01)
    assert len(examples.train[0]) + len(examples.held_out[0]) == 198
    assert not bad
    assert examples.notes[-1].startswith("2 of 200 rows are bad, and were left out: people.csv, line 8")


def test_bad_files_are_named_together() -> None:
    files = {"a.csv": table(people()), "b.csv": "é".encode("latin-1"), "c.xlsx": b"", "d.csv": b"other\n1x\n"}
    config = FAMILY.configure(PEOPLE)
    with pytest.raises(BadFiles) as raised:
        decode_good(Files.of(files), {}, lambda some: FAMILY.examples(some, config), FAMILY.form, 0)
    assert [*raised.value.faults] == ["c.xlsx", "b.csv", "d.csv"]


def held_out_rows(rows: list[list[object]], **config: Any) -> set[tuple[float, ...]]:
    examples = examples_of({"a.csv": table(rows)}, **config)
    return {tuple(row) for row in examples.held_out[0][:, :, 0].tolist()}


def test_a_row_stays_on_its_side_wherever_it_lies_and_however_often() -> None:
    head, *rows = people()
    before = held_out_rows([head, *rows])
    after = held_out_rows([head, *people(300)[201:], *reversed(rows), *rows])
    assert before <= after


def test_rows_of_one_group_are_on_one_side() -> None:
    rows: list[list[Any]] = [["who", "x", "ill"], *([f"p{n // 4}", n, "ny"[n % 2]] for n in range(80))]
    examples = examples_of({"a.csv": table(rows)}, leaveOut=[], groupBy="who")
    sides = [
        {int(row) // 4 for row in side[0][:, 0, 0].tolist()} for side in (examples.train, examples.held_out)
    ]
    assert sides[1]
    assert not sides[0] & sides[1]


def test_a_class_that_cannot_be_on_both_sides_rejects_the_run() -> None:
    rows = [*people(), ["p", 1, "F", "true", "rare"], ["q", 1, "F", "true", "rare"]]
    with pytest.raises(InvalidData, match="the classes rare have no row to learn from"):
        examples_of({"a.csv": table(rows)})


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([], "no table has a good row"),
        ([[1, "p"], [2, "q"]], "the data has 2 different rows or groups, too few to hold some out"),
        ([[1, "p"], [1, "p"], [1, "q"]], "the data has 2 different rows"),
    ],
    ids=["header alone", "two", "equal"],
)
def test_too_few_rows_are_told_by_their_number(rows: list[list[Any]], told: str) -> None:
    with pytest.raises(InvalidData, match=told):
        examples_of({"a.csv": table([["a", "ill"], *rows])}, leaveOut=[])


def test_rows_that_do_not_fit_into_memory_are_refused_before_they_are_read() -> None:
    head, *rows = people(20)
    files = Files({"a.csv": 1}, lambda _: table([head, *rows * 100]), room=100_000)
    with pytest.raises(InvalidData, match="its 2,000 rows of 3 columns take 1Mi of memory") as raised:
        FAMILY.examples(files, FAMILY.configure(PEOPLE))
    assert "resources.memory" in raised.value.fix


def test_columns_with_many_values_that_do_not_fit_into_memory_are_refused() -> None:
    files = Files({"a.csv": 1}, lambda _: table(people()), room=50_000)
    with pytest.raises(InvalidData, match="the different values of its columns take 1Mi of memory"):
        FAMILY.examples(files, FAMILY.configure(PEOPLE))


def test_what_many_tables_hold_is_counted_in_the_memory_of_one() -> None:
    bodies = {
        f"{file}.csv": table([["a", "b"], *([row / 7 + file, -row / 7 - file] for row in range(500))])
        for file in range(20)
    }
    tracemalloc.start()
    try:
        counts = count_tables(Files.of(bodies), sorted(bodies))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (counts.rows, [*counts.columns]) == (10_000, ["a", "b"])
    assert peak < 10**6


def test_a_config_names_columns_in_any_form_of_unicode() -> None:
    config = FAMILY.configure({"target": "e\u0301", "leaveOut": ["a\u0308"]})
    assert (config.target, config.leave_out) == ("é", ("ä",))


def test_a_golden_set_has_the_columns_and_categories_of_the_data() -> None:
    config = FAMILY.configure(PEOPLE)
    about = FAMILY.examples(Files.of({"a.csv": table(people())}), config).about
    exam = FAMILY.golden(
        Files.of({"b.jsonl": b'{"ill": "y", "sex": "new", "smokes": true, "age": null}'}), about, config
    )
    assert exam.held_out[0][:].tolist() == [[[0, 0], [0, 1], [2, 1]]]
    for body, told in (
        (b"ill,sex\ny,F\n", "it lacks the columns age, smokes"),
        (b"age,sex,smokes,ill\n1,F,true,x\n", "ill is 'x', which is no class"),
    ):
        with pytest.raises(InvalidData, match=told):
            FAMILY.golden(Files.of({"b.csv": body}), about, config)


def test_auroc_is_that_of_scikit_learn_and_ties_count_half() -> None:
    torch.manual_seed(0)
    logits, targets = torch.randn(60, 3).round(decimals=1).double(), torch.arange(60) % 3
    shares = logits.softmax(1)
    wanted = roc_auc_score(targets, shares, multi_class="ovr")
    assert class_metrics(logits, targets)["auroc"] == pytest.approx(wanted)
    two = class_metrics(logits[:, :2], targets % 2)["auroc"]
    assert two == pytest.approx(roc_auc_score(targets % 2, logits[:, 1] - logits[:, 0]))


def test_the_calibration_error_is_the_distance_of_probability_and_frequency() -> None:
    """Of 100 rows with a probability of 0.8, 60 are right: 0.2 apart."""
    logits = torch.tensor([[0.2, 0.8]]).log().expand(100, 2)
    targets = torch.tensor([1, 1, 1, 0, 0] * 20)
    assert class_metrics(logits, targets)["calibration_error"] == pytest.approx(0.2)


def test_numbers_are_scored_with_their_interval() -> None:
    value, truth = torch.tensor([1.0, 2, 3, 4]), torch.tensor([1.0, 2, 3, 6])
    metrics = number_metrics((value, value - 1, value + 1), truth)
    assert metrics == pytest.approx({"rmse": 1, "mae": 0.5, "r2": 1 - 4 / 14, "coverage": 0.75})


def test_wild_numbers_and_categories_that_are_none_are_answered(
    trained: Trained, kept: dict[str, Training]
) -> None:
    """As V2 may send them."""
    version = trained_on_people(trained, kept).version
    served: ServedGraph = serve_graph(version.signature, version.graph, threads=1)
    cells = torch.tensor([[[3e38, 1.0], [99, 1], [-5, 1]], [[-3e38, 1], [0.4, 7], [2, -1]]])
    (shares,) = served.answer((cells,))
    assert torch.isfinite(shares).all()
