"""A family can be small: one class, with one line in `FAMILIES`, is trained, exported and served."""

import pytest

from families.toy import ColumnMean
from families.trainings import Trained
from knoll.errors import BadFiles, InvalidData
from knoll.families.base import Files


def test_learns_the_mean_and_answers_with_the_distance(trained: Trained) -> None:
    rows = [f"{day},{3 + (day % 5 - 2) / 10}\n" for day in range(100)]
    config = {"column": "rain", "batchSize": 16, "learningRate": 0.1}
    training = trained(ColumnMean, config, {"days.csv": "".join(["day,rain\n", *rows]).encode()})
    assert training.outcome.state == "succeeded"
    assert training.outcome.metrics["mse"] == pytest.approx(0.02, abs=0.01)
    assert training.predict([[3.0], [5.0]]) == [pytest.approx([0], abs=0.05), pytest.approx([2], abs=0.05)]
    assert training.version.samples[0].instance == pytest.approx([3], abs=1)


@pytest.mark.parametrize("cell", [b"much", b"", b"nan", b"inf", b"1e300", b"\xff3", b"9" * 200_000])
def test_a_cell_that_is_no_number_is_rejected_with_file_and_row(trained: Trained, cell: bytes) -> None:
    """Row 1 is the header, as in a spreadsheet."""
    training = trained(
        ColumnMean, {"column": "rain"}, {"days.csv": b"day,rain\n0,1\n1,2\n2," + cell + b"\n3,4\n"}
    )
    assert training.outcome.state == "rejected"
    assert training.outcome.reason.startswith("days.csv: it has no number in rain in row 4")


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("day,rain\n1\n", "days.csv: it has no number in rain in row 2"),
        ("day,snow\n1,2\n", "days.csv: it has no column rain"),
        ("", "days.csv: it has no column rain"),
        ("day,rain\n", "the number of examples is 0"),
        ("day,rain\n1,3\n", "the number of examples is 1"),
    ],
)
def test_other_tables_that_cannot_be_learnt_are_rejected(trained: Trained, table: str, reason: str) -> None:
    """A short row, another column, an empty file, no row, and a single row, which cannot be split."""
    training = trained(ColumnMean, {"column": "rain"}, {"days.csv": table.encode()})
    assert training.outcome.state == "rejected"
    assert reason in training.outcome.reason


def test_all_bad_files_are_named_and_a_mark_of_byte_order_is_no_fault() -> None:
    """Spreadsheets write such a mark before the name of the first column."""
    family, good = ColumnMean(), "\ufeffrain,day\n1,1\n2,2\n".encode()
    config = family.configure({"column": "rain"})
    with pytest.raises(BadFiles) as raised:
        family.examples(Files.of({"a.csv": b"rain\nx\n", "b.csv": b"snow\n1\n", "c.csv": good}), config)
    assert raised.value.faults == {
        "a.csv": "it has no number in rain in row 2",
        "b.csv": "it has no column rain",
    }


def test_by_default_all_rows_of_a_golden_set_are_scored_if_it_is_like_the_data() -> None:
    family = ColumnMean()
    config = family.configure({"column": "rain"})
    files = {"days.csv": b"day,rain\n1,1\n2,2\n3,3\n"}
    exam = family.golden(Files.of(files), {}, config)
    assert sorted(exam.held_out[0][:].flatten().tolist()) == [1, 2, 3]
    assert exam.train is exam.held_out
    with pytest.raises(InvalidData, match="it is not like the data, in unit"):
        family.golden(Files.of(files), {"unit": "mm"}, config)


def test_each_training_of_a_test_has_data_and_a_run_of_its_own(trained: Trained) -> None:
    """Else a second one would give the outcome of the first."""
    config = {"column": "rain", "epochs": 1}
    near = trained(ColumnMean, config, {"near.csv": b"rain\n1\n2\n3\n"})
    far = trained(ColumnMean, config, {"far.csv": b"rain\n40\n50\n60\n"})
    assert far.outcome.metrics["mse"] > 1000 > near.outcome.metrics["mse"]
    assert len(far.version.samples) == 1
