from collections.abc import Sequence
from io import StringIO

import pytest
from rich.console import Console

from knoll.cli.render.models import models_table
from knoll.cli.render.runs import RUN_HEADINGS
from knoll.cli.render.versions import VERSION_HEADINGS
from knoll.cli.tables import plain_table, state_cell
from knoll.views.models import ModelView, model_view
from support.models import model_document

OLD, NEW = "digits-0123456789abcdef0123", "digits-fedcba98765432100123"
IMAGE = "registry.example.com/a-rather-long-name/knoll-trainer:0.1.0-and-more"
REASON = f"ErrImagePull: failed to pull {IMAGE}: not found"


def lines(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]], width: int) -> list[str]:
    printed = StringIO()
    Console(file=printed, width=width).print(plain_table(headings, rows))
    found = printed.getvalue().splitlines()
    assert all(len(line) <= width for line in found)
    return found


def column(found: list[str], heading: str) -> str:
    """All that stands under the last heading, without the breaks."""
    start = found[0].index(heading)
    return "".join(line[start:] for line in found[1:]).replace(" ", "")


def test_80_columns_keep_the_run_its_state_and_its_progress() -> None:
    """A long reason wraps in the last column, beside a run that has everything else."""
    waiting = (NEW, "digits", "Pending", "0 %", "0s", "", "", "4s", REASON)
    done = (OLD, "digits", "Succeeded", "100 %", "", "accuracy 0.98", "v000001", "2m", "")
    for rows in ([waiting], [waiting, done]):
        found = lines(RUN_HEADINGS, rows, 80)
        assert {"RUN", "STATE", "PROGRESS", "ETA", "AGE", "WHY"} <= set(found[0].split())
        assert all(
            part in next(line for line in found if line.startswith(NEW))
            for part in ("Pending", "0 %", "0s", "4s")
        )
        assert column(found, "WHY") == REASON.replace(" ", "")
    assert all(
        part in next(line for line in found if OLD in line)
        for part in ("Succeeded", "100 %", "v000001", "2m")
    )


def test_80_columns_keep_the_version_and_its_run() -> None:
    """A version that was rolled back shows why, and does not push the others out."""
    bad = (
        "v000003",
        "quarantined",
        "accuracy 0.97",
        "0123456789ab",
        NEW,
        "4s",
        "12 of 50 requests failed, at most 1 % may fail",
    )
    good = ("v000002", "champion", "accuracy 0.98", "ba9876543210", OLD, "2m", "")
    found = lines(VERSION_HEADINGS, [bad, good], 80)
    assert all(
        part in next(line for line in found if line.startswith("v000003"))
        for part in ("quarantined", NEW, "4s")
    )
    assert all(
        part in next(line for line in found if line.startswith("v000002")) for part in ("champion", OLD, "2m")
    )
    assert column(found, "WHY") == bad[-1].replace(" ", "")


def test_a_wide_table_has_every_column_on_one_line() -> None:
    """Pipes get all columns, empty ones as well, so that awk counts the same columns each time."""
    found = lines(RUN_HEADINGS, [(NEW, "digits", "Pending", "0 %", "0s", "", "", "4s", REASON)], 240)
    assert found[0].split() == list(RUN_HEADINGS)
    assert len(found) == 2
    assert REASON in found[1]


def test_a_key_is_never_cut() -> None:
    """Also where nothing else has room."""
    row = (NEW, "digits", "Pending", "0 %", "0s", "", "", "4s", REASON)
    assert any(line.startswith(NEW) for line in lines(RUN_HEADINGS, [row], 40))
    revision = ("digits-predictor-00001 [1] (2m5s)", "100 %", "v000001", "champion", "#latest", "True")
    headings = ("REVISION", "TRAFFIC", "VERSION", "ROLE", "TAGS", "READY")
    assert any(line.startswith(revision[0]) for line in lines(headings, [revision], 60))


def test_a_state_has_its_colour_and_a_reason_that_begins_with_its_word_has_none() -> None:
    rows = [("digits", state_cell("Failed"), "Failed login pictures are missing")]
    printed = StringIO()
    console = Console(file=printed, width=120, force_terminal=True, color_system="standard")
    console.print(plain_table(("NAME", "STATE", "WHY"), rows))
    row = printed.getvalue().splitlines()[1]
    assert row.count("\x1b[31mFailed") == 1
    assert row.index("\x1b[31m") < row.index("login")
    assert row.rstrip().endswith("Failed login pictures are missing")


LONG = "a-model-with-a-name-of-forty-characters1"
WAITING = "Waiting (1797 objects are there, the marker s3://datasets/digits/_SUCCESS is not)"


def model(name: str) -> ModelView:
    """A model of which everything is told that can be told."""
    status = {
        "champion": "v000012",
        "candidate": "v000013",
        "phase": "Idle",
        "damage": "model.onnx has changed",
        "dataset": {"state": "Waiting", "reason": WAITING[9:-1]},
        "rollout": {"transition": {"action": "Rollback", "version": "v000014"}},
    }
    traffic = [{"revisionName": f"{name}-predictor-00012", "percent": 100}]
    isvc = {"status": {"url": "http://127.0.0.1:8080", "components": {"predictor": {"traffic": traffic}}}}
    return model_view({**model_document(name), "status": status}, isvc)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("name", ["digits", LONG])
def test_models_can_be_read_at_any_width(width: int, name: str) -> None:
    """A state stands whole on one line, as a cell or in a block of its own model."""
    printed = StringIO()
    Console(file=printed, width=width).print(models_table([model(name), model("faces")]))
    found = printed.getvalue().splitlines()
    assert all(len(line) <= width for line in found)
    for state in (name, "v000012 (damaged)", "Idle (v000014 RolledBack)", "faces"):
        assert any(state in line for line in found), f"{state} is not whole in {found}"
    assert "Waiting (1797" in printed.getvalue()
    assert len(found) <= 28
