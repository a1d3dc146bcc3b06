"""Any schedule converges: nothing is lost, doubled or of the wrong version. `make test-schedules` tries ten
thousand, here is a sample."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings

from schedules.machine import Loop
from schedules.memory import repeatable

TestLoop = Loop.TestCase
TestLoop.settings = settings(
    max_examples=30,
    stateful_step_count=30,
    derandomize=True,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with repeatable():
        yield
