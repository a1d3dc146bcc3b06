"""Fixtures: a running laptop, and waiting for what it does."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from laptop import running
from laptop.running import Eventually, Laptop, LaptopWith


@pytest.fixture
def eventually() -> Eventually:
    """Waits for a condition: its first true value, within 20 seconds."""
    return running.eventually


@pytest.fixture
def laptop_with(tmp_path: Path) -> LaptopWith:
    """A running laptop with given times, in seconds."""

    @contextmanager
    def run(idle: float = 60.0, progress_deadline: float = 20.0) -> Iterator[Laptop]:
        laptop = Laptop(tmp_path, idle, progress_deadline)
        try:
            yield laptop
        finally:
            laptop.stop()

    return run


@pytest.fixture
def laptop(laptop_with: LaptopWith) -> Iterator[Laptop]:
    """A running laptop with patient times."""
    with laptop_with() as running:
        yield running
