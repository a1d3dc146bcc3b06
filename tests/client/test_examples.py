"""The examples of docs/predict.md, against a predictor of a tiny version."""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from client import examples

PAGE = Path(__file__).parents[2] / "docs" / "predict.md"
FETCH = Path(__file__).with_name("fetch.mjs")


@pytest.fixture(scope="module")
def digits(start: Callable[..., Any], files_of: Callable[..., Any], classifier: Any) -> str:
    """The URL of a predictor that tells 7 from 1: a light picture is 7."""
    (tensor,) = classifier.signature.outputs
    signature = replace(classifier.signature, outputs=(replace(tensor, options={"labels": ["1", "7"]}),))
    recipe = replace(classifier, model="digits", signature=signature)
    predictor = start("digits", files_of(recipe), answer_key="a" * 64)
    assert predictor.wait_ready("/v2/models/digits/ready"), predictor.stop()
    return str(predictor.url)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, light in (("one", 0), ("seven", 255)):
        Image.new("L", (4, 4), light).save(tmp_path / f"{name}.png")
    return tmp_path


def test_the_examples_in_python(digits: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    examples.ask_one_by_one(digits, folder)
    first, *batch = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"7 0\.98\d+ v000001", first)
    assert batch == ["7", "1"]
    assert asyncio.run(examples.ask_at_once(digits, folder)) == ["1", "7"]
    pixels = np.stack([np.zeros((1, 4, 4)), np.ones((1, 4, 4))])
    assert examples.ask_by_grpc(digits, pixels) == ["1", "7"]


def test_the_example_with_the_sdk_of_kserve(digits: str) -> None:
    answer = asyncio.run(examples.ask_with_kserve(digits, np.ones((2, 1, 4, 4), np.float32)))
    assert answer.argmax(axis=1).tolist() == [1, 1]


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node")
def test_the_example_in_javascript(digits: str, folder: Path) -> None:
    shown = subprocess.run(
        ["node", str(FETCH), str(folder / "seven.png")],
        env={**os.environ, "KNOLL_URL": digits},
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.stdout == "7 v000001\n", shown.stderr


def test_the_examples_with_curl(digits: str, folder: Path) -> None:
    """Each line of the page that calls curl, with a picture of ours."""
    (block,) = re.findall(r"^## With curl.*?```sh\n(.*?)```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    lines = [line for line in block.splitlines() if line.startswith("curl")]
    for line in lines:
        shown = subprocess.run(
            line.replace("digits-data/7/0007.png", str(folder / "seven.png")),
            shell=True,
            env={**os.environ, "KNOLL_URL": digits},
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        assert '"error"' not in shown.stdout
    assert len(lines) == 2
    assert (
        '"label":"7"'
        in subprocess.run(
            lines[0].replace("digits-data/7/0007.png", str(folder / "seven.png")),
            shell=True,
            env={**os.environ, "KNOLL_URL": digits},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )
