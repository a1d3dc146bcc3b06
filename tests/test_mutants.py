"""The goal of mutation testing is counted over all changes that were tried."""

import json
from pathlib import Path

import pytest

from support.mutants import main


def _write(folder: Path, module: str, *codes: int | None) -> None:
    path = folder / "src" / f"{module}.py.meta"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        json.dumps({"exit_code_by_key": {str(number): code for number, code in enumerate(codes)}})
    )


def test_a_change_counts_as_noticed_if_a_test_fails_or_hangs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(tmp_path, "one", 1, 1, 3, -24, 1, 1, 1, None)
    _write(tmp_path, "two", 0, 33, 1)
    _write(tmp_path, "untried", None)
    assert main(tmp_path) == 1
    first, second, goal = capsys.readouterr().out.splitlines()
    assert first.split() == ["100.0%", "7", "of", "7", "src/one.py"]
    assert second.split() == ["33.3%", "1", "of", "3", "src/two.py"]
    assert json.loads(goal) == {"goal": "mutants killed", "value": 0.8, "target": 0.85, "met": False}


def test_the_goal_is_met_at_its_bound_and_not_without_any_change(tmp_path: Path) -> None:
    assert main(tmp_path) == 1
    _write(tmp_path, "one", *[1] * 17, *[0] * 3)
    assert main(tmp_path) == 0
