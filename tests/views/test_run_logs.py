"""The logs of a run on a cluster: those of its Pods, and those that outlive their Pods."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from knoll.errors import ClusterUnavailable
from knoll.ports import Document
from knoll.records.run_log import RunLog
from knoll.views.run_logs import PodLogs

RUN = "digits-0123456789abcdef0123"


def pod(name: str, begun: int, ended: int | None = None) -> Document:
    """A Pod whose container ran from one minute to another one."""
    times = {"startedAt": _minute(begun)} | ({} if ended is None else {"finishedAt": _minute(ended)})
    state = {"running" if ended is None else "terminated": times}
    status = {"phase": "Running" if ended is None else "Failed", "containerStatuses": [{"state": state}]}
    return {"metadata": {"name": name, "creationTimestamp": _minute(begun)}, "status": status}


def kept(minute: int) -> RunLog:
    at = datetime(2026, 1, 1, 0, minute, 0, 500_000, UTC)
    return RunLog(f"s3://knoll-models/logs/{RUN}/{minute}.log", at, f"kept {minute}\n")


def _minute(number: int) -> str:
    return f"2026-01-01T00:{number:02d}:00Z"


class Pods:
    """A cluster with these Pods. The logs of those `without` one cannot be read."""

    def __init__(self, pods: Sequence[Document], without: Sequence[str] = ()) -> None:
        self._pods, self._without = pods, without

    def list(self, *_: object) -> Sequence[Document]:
        return self._pods

    def log(self, name: str, *, follow: bool = False) -> Iterator[str]:
        if name in self._without:
            raise ClusterUnavailable(f"the node of {name} is gone")
        yield f"log of {name}\n"


def logs(pods: Pods, *minutes: int) -> PodLogs:
    return PodLogs(cast(Any, pods), RUN, lambda: [kept(minute) for minute in minutes])


def test_the_log_of_an_attempt_is_shown_once_with_or_without_its_pod() -> None:
    """The first Pod is gone, the second one has ended, the third one runs. Its kept log is older than that
    of the Pod."""
    read = logs(Pods([pod("b", 10, 20), pod("c", 30)]), 1, 10, 30).read()
    assert [text for _, text in read] == ["kept 1\n", "log of b\n", "log of c\n"]
    assert read[0][0].startswith("s3://")


def test_the_logs_are_there_when_all_pods_are_gone() -> None:
    assert [text for _, text in logs(Pods([]), 1, 10).read()] == ["kept 1\n", "kept 10\n"]
    assert list(logs(Pods([]), 1, 10).follow(lambda: True)) == ["kept 1\n", "kept 10\n"]


def test_a_kept_log_takes_the_place_of_one_that_cannot_be_read() -> None:
    """Without one, the fault is told."""
    gone = Pods([pod("b", 10)], without=["b"])
    assert [text for _, text in logs(gone, 10).read()] == ["kept 10\n"]
    with pytest.raises(ClusterUnavailable, match="the node of b is gone"):
        logs(gone).read()
