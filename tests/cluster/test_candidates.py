"""Versions that are broken, failing, slow or wrong, and good ones, on a real cluster under real traffic.

Setup        an installation in a namespace of its own, a Model without data, versions made of one of the
             digits
Requirement  a first version is the champion, and clients ask without pause
Must         each bad version is left within five seconds of the decision; a function that is killed in each
             state changes nothing
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from knoll.errors import KnollError
from support.candidates import Kind, marked
from support.load import Answered, Load, Question, asking, questions

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

SAID: dict[Kind, str] = {
    "failing": "requests failed, and 0 of ",
    "slow": "requests took longer than ",
    "broken": "never became ready",
    "wrong": "the gate asks for agreement on 80%",
}
ENDS = {"Promote", "Rollback", "Hold", "Reject"}
FIRST = ["Start 100", "Shift 100", "Bake 100", "Promote 100"]
GOOD = ["Start 0", "Shift 50", "Bake 100", "Promote 100"]
BAD = ["Start 0", "Shift 50", "Rollback 0"]
MOMENT = 5.0  # seconds after a decision in which traffic must have moved
FUNCTION = "serving.knative.dev/service=knoll-rollout"


@pytest.fixture(scope="module")
def pictures(digits: Callable[..., Path]) -> list[Question]:
    """Pictures of three classes, each as it is and with the mark on which a failing version fails."""
    shown = [(next((digits(one, count=1) / one).iterdir()).read_bytes(), one) for one in "017"]
    return questions((change(body), label) for body, label in shown for change in (bytes, marked))


def begin(installation: Any, name: str, seven: Any, bake: str = "3s") -> None:
    """A Model whose first version is the champion."""
    installation.declare(name, steps=[50], idle="hold", progressDeadline="60s", bake=bake)
    installation.try_candidate("good", name)
    installation.until(lambda: installation.status(name).get("rollout", {}).get("seen"), 120)

    def has_champion() -> bool:
        answer = installation.predict(name, seven)
        return bool(answer.status_code == 200 and installation.status(name).get("champion") == "v000001")

    installation.until(has_champion, 240)
    installation.wait_for_champion(name, "v000001")


@contextmanager
def load(installation: Any, name: str, asked: Sequence[Question]) -> Iterator[Load]:
    """Clients of a Model."""
    host = installation.host(name)
    url = installation.environment.get("GATEWAY_URL") or f"http://{host}"
    with asking(url, name, asked, rate=15, host=host) as clients:
        yield clients


def end_of(installation: Any, name: str, version: str) -> dict[str, Any]:
    """The record of the last decision about a version, when its trial is over."""

    def find() -> dict[str, Any] | None:
        records = installation.records(name, version)
        is_idle = installation.status(name)["phase"] == "Idle"
        return records[-1] if is_idle and records and records[-1]["action"] in ENDS else None

    installation.until(find, 300)
    found: dict[str, Any] = find() or {}
    return found


def lateness(clients: Load, version: str, record: dict[str, Any]) -> float:
    """Seconds from a decision to the last request that its version got."""
    decided = datetime.fromisoformat(record["at"]).timestamp()
    return max((one.sent - decided for one in clients.answered if one.version == version), default=0.0)


def is_its_own(one: Answered, failing: str) -> bool:
    """Whether the failing version has failed the request itself."""
    return one.status == 500 and one.version == failing


def test_bad_versions_lose_their_traffic_at_once_and_a_good_one_follows(
    installation: Any, first: object, seven: dict[str, Any], pictures: list[Question]
) -> None:
    begin(installation, "shop", seven)
    tried: dict[Kind, str] = {}
    with load(installation, "shop", pictures) as clients:
        for kind, words in SAID.items():
            tried[kind] = installation.try_candidate(kind, "shop")
            record = end_of(installation, "shop", tried[kind])
            assert words in record["reason"]
            assert installation.status("shop")["champion"] == "v000001"
            assert lateness(clients, tried[kind], record) <= MOMENT
        good = installation.try_candidate("good", "shop")
        assert end_of(installation, "shop", good)["action"] == "Promote"
    assert [one for one in clients.answered if one.fault and not is_its_own(one, tried["failing"])] == []
    assert {one.version for one in clients.answered} == {"v000001", tried["failing"], tried["slow"], good}
    assert installation.steps("shop", tried["failing"]) == installation.steps("shop", tried["slow"]) == BAD
    assert installation.steps("shop", tried["broken"]) == ["Start 0", "Rollback 0"]
    assert installation.steps("shop", tried["wrong"]) == ["Start 0", "Hold 0"]
    installation.forget("shop")


@contextmanager
def killing(installation: Any, name: str) -> Iterator[set[str]]:
    """Kill the Pods of the function whenever the rollout is in another phase. Yields these phases."""
    killed: set[str] = set()
    over = threading.Event()
    place = ("-n", installation.namespace, "-l", FUNCTION)

    def kill() -> None:
        last = "Idle"
        while not over.wait(0.1):
            with suppress(KnollError):
                phase = installation.status(name).get("phase", "Idle")
                if phase not in (last, "Idle"):
                    installation.kubectl(
                        "delete", "pod", *place, "--force", "--grace-period=0", "--wait=false"
                    )
                    killed.add(phase)
                last = phase

    worker = threading.Thread(target=kill)
    worker.start()
    try:
        yield killed
    finally:
        over.set()
        worker.join()


def test_a_function_that_is_killed_in_each_state_takes_each_step_once(
    installation: Any, first: object, seven: dict[str, Any], pictures: list[Question]
) -> None:
    begin(installation, "mortal", seven)
    with load(installation, "mortal", pictures) as clients, killing(installation, "mortal") as killed:
        failing = installation.try_candidate("failing", "mortal")
        assert end_of(installation, "mortal", failing)["action"] == "Rollback"
        good = installation.try_candidate("good", "mortal")
        assert end_of(installation, "mortal", good)["action"] == "Promote"
    assert killed == {"Deploying", "Canary", "Baking", "RollingBack"}
    assert installation.steps("mortal", failing) == BAD
    assert installation.steps("mortal", good) == GOOD
    assert [one for one in clients.answered if one.fault and not is_its_own(one, failing)] == []
    installation.forget("mortal")


def test_a_version_that_goes_wrong_in_its_bake_shares_the_traffic_again_and_loses_it(
    installation: Any, first: object, seven: dict[str, Any], pictures: list[Question]
) -> None:
    """Until then clients ask only for what it answers well."""
    begin(installation, "baked", seven, bake="60s")
    well, marked_ones = pictures[::2], pictures[1::2]
    with load(installation, "baked", well):
        failing = installation.try_candidate("failing", "baked")
        installation.until(lambda: installation.status("baked")["phase"] == "Baking", 240)
    with load(installation, "baked", marked_ones) as clients:
        record = end_of(installation, "baked", failing)
    assert (record["action"], installation.status("baked")["champion"]) == ("Rollback", "v000001")
    assert installation.steps("baked", failing) == [
        "Start 0",
        "Shift 50",
        "Bake 100",
        "Shift 50",
        "Rollback 0",
    ]
    assert lateness(clients, failing, record) <= MOMENT
    assert [one for one in clients.answered if one.fault and not is_its_own(one, failing)] == []
    installation.forget("baked")
