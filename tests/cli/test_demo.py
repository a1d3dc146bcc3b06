from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from knoll.cli.app import app
from knoll.cli.demo import find_example
from knoll.cli.demo_steps import next_lines
from knoll.families import FAMILIES


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A virtual environment below the current folder."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / ".venv" / "bin"
    folder.mkdir(parents=True)
    (folder / "activate").touch()
    return folder.parent


def test_what_to_try_next_can_be_typed_as_it_stands(
    venv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell that does not find knoll is first told how it does, on the shortest way; one that finds it is
    told nothing of it."""
    assert next_lines(venv, "digits", is_found=True)[0] == "knoll up"
    assert next_lines(venv, "digits", is_found=False)[:2] == (". .venv/bin/activate", "knoll up")
    monkeypatch.chdir("/usr/bin")
    assert (
        next_lines(Path("/usr/no venv"), "digits", is_found=False)[0]
        == "export PATH='/usr/no venv/bin':\"$PATH\""
    )
    far = tmp_path / "a" / "b" / "c" / "d" / "e" / "f" / "g" / "h"
    far.mkdir(parents=True)
    monkeypatch.chdir(far)
    assert (
        next_lines(venv, "digits", is_found=False)[0]
        == f". {min(f'{venv}/bin/activate', '../' * 8 + '.venv/bin/activate', key=len)}"
    )


def test_each_family_has_an_example() -> None:
    for family in FAMILIES:
        document = yaml.safe_load((find_example(family) / "model.yaml").read_text())
        assert document["spec"]["family"] == family


def test_a_family_that_is_not_there_is_told_at_once() -> None:
    ended = CliRunner().invoke(app, ["demo", "tabula"], prog_name="knoll")
    assert ended.exit_code == 1
    assert "did you mean tabular?" in ended.stderr
