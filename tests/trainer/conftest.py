"""Real data: the UCI digits. One thread, because more slow each other down on a busy machine. A DCGAN draws
few pictures of its progress: they take longer than its steps."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from trainer.cheap import few_pictures


@pytest.fixture(scope="session")
def digits(every_digit: Path) -> dict[str, bytes]:
    files = sorted(every_digit.rglob("*.png"))
    return {path.relative_to(every_digit).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module", autouse=True)
def _few_pictures() -> Iterator[None]:
    with few_pictures():
        yield
