"""What an upload skips is told with the reason, before anything is sent."""

from pathlib import Path
from typing import Any

import pytest

from knoll.cli.upload_plan import UploadPlan, plan_upload
from knoll.data_files import skipped_words
from knoll.errors import InvalidData
from knoll.models import parse_model
from support.models import model_document


def _plan(folder: Path, *names: str, landed: Any = None) -> UploadPlan:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return plan_upload(parse_model(model_document("digits", landed=landed)), [folder], [], replace=False)


@pytest.mark.parametrize(
    ("name", "landed", "told"),
    [
        ("_SUCCESS", {}, "marker of this Model, which knoll writes itself: _SUCCESS"),
        ("DONE", {"marker": "DONE"}, "marker of this Model, which knoll writes itself: DONE"),
        ("list.json", {"when": "manifest", "manifest": "list.json"}, "manifest of this Model, which knoll"),
        ("_SUCCESS", {"marker": "DONE"}, "marker of another program: _SUCCESS"),
    ],
)
def test_the_marker_of_the_model_is_told_from_those_of_others(
    name: str, landed: Any, told: str, tmp_path: Path
) -> None:
    plan = _plan(tmp_path, "0/a.png", name, landed=landed)
    (words,) = skipped_words(plan.skipped)
    assert words.startswith(f"skipped 1 file, {told}")
    assert [item.path.name for item in plan.items] == ["a.png"]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ((), "there is no file to upload: nothing lies there"),
        ((".a", ".b"), "there is no file to upload: skipped 2 files, hidden: .a, .b"),
        (("_SUCCESS",), "there is no file to upload: skipped 1 file, marker of this Model"),
    ],
)
def test_why_there_is_nothing_to_send_is_told(names: tuple[str, ...], told: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidData, match=told):
        _plan(tmp_path, *names)
