"""Work that is done again and again, whatever goes wrong with it."""

import threading
from collections.abc import Callable

import pytest

from knoll.errors import Unavailable
from knoll.laptop.repeated import Repeated


class Failing(Repeated):
    """Fails with the errors, one after the other, then works."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__("failing", 0.001)
        self.errors, self.done = list(errors), 0

    def work(self) -> None:
        if self.errors:
            raise self.errors.pop()
        self.done += 1


def test_a_failure_and_a_bug_do_not_end_the_work(
    until: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    """Both are logged, with the name of the work."""
    failing = Failing(Unavailable("away"), ValueError("a bug"))
    failing.start()
    until(lambda: failing.done > 1)
    failing.stop()
    assert sorted(one.levelname for one in caplog.records) == ["ERROR", "WARNING"]
    assert all("failing cannot work" in one.getMessage() for one in caplog.records)


def test_work_that_is_under_way_ends_before_the_stop() -> None:
    """Nothing works after `stop` has returned."""
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    class Slow(Repeated):
        def work(self) -> None:
            begun.set()
            may_end.wait(10)
            ended.set()

    slow = Slow("slow", 0)
    slow.start()
    assert begun.wait(10)
    threading.Timer(0.05, may_end.set).start()
    slow.stop()
    assert ended.is_set()
