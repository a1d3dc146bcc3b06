"""The whole loop on a real cluster: from an upload to a champion, step by step, and back when a version is
bad.

Setup        an installation in a namespace of its own, real digits, a client that asks without pause
Requirement  the version before is the champion, and answers
Must         exact counts of Jobs, versions, records and failed requests

upload ─▶ v1 ─▶ upload ─▶ v2, asked meanwhile ─▶ v3 is broken, asked meanwhile ─▶ v4
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from knoll.errors import KnollError
from knoll.repeating import repeating

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

Digits = Callable[..., Path]
FIRST = ["Start 100", "Shift 100", "Bake 100", "Promote 100"]
LATER = ["Start 0", "Shift 20", "Shift 50", "Bake 100", "Promote 100"]


@dataclass
class Watched:
    """The shares of traffic that status.traffic gave the newest revision, one after the other."""

    parts: list[int] = field(default_factory=list)


@contextmanager
def watching(installation: Any, name: str) -> Iterator[Watched]:
    """Look at the InferenceService while the block runs."""
    seen = Watched()

    def look() -> None:
        with suppress(KnollError):
            part = next((percent for percent, tag in installation.traffic(name) if tag == "latest"), None)
            if part is not None and seen.parts[-1:] != [part]:
                seen.parts.append(part)

    with repeating(look, 0.1):
        yield seen


@pytest.fixture(scope="module")
def second(installation: Any, digits: Digits, seven: dict[str, Any], first: None) -> tuple[Any, Watched]:
    """The second version, rolled out while a client asks without pause: what the client and status.traffic
    saw."""
    with installation.asking("digits", seven) as client, watching(installation, "digits") as watched:
        installation.upload("digits", digits(start=40))
        installation.wait_for_champion("digits", "v000002")
    return client, watched


@pytest.fixture(scope="module")
def third(installation: Any, seven: dict[str, Any], second: object) -> tuple[Any, dict[str, Any]]:
    """The third version cannot be loaded, because a bit of its graph differs from its manifest. Returns what
    a client got, and what is served afterwards."""
    with installation.asking("digits", seven) as client:
        installation.give_version(("digits", "v000002"), ("digits", "v000003"), broken=True)
        installation.until(lambda: "v000003" in installation.status("digits").get("quarantine", {}), 180)
        installation.wait_for_champion("digits", "v000002")
    return client, installation.isvc("digits")["spec"]["predictor"]


@pytest.fixture(scope="module")
def fourth(installation: Any, third: object) -> None:
    """The fourth version is good."""
    installation.give_version(("digits", "v000002"), ("digits", "v000004"))
    installation.wait_for_champion("digits", "v000004")


def test_one_upload_becomes_one_job_one_version_and_the_champion(installation: Any, first: Any) -> None:
    """Notification, broker, Job, version in S3, InferenceService: the prediction is right and names its
    version."""
    assert (first.jobs, first.runs, first.versions) == (1, 1, 1)
    assert (
        first.cause.startswith("com.amazonaws.s3.ObjectCreated:")
        or "NOTIFY_COMMAND" not in installation.environment
    )
    assert installation.steps("digits", "v000001") == FIRST
    assert first.answer.status_code == 200, first.answer.text
    assert first.answer.json()["predictions"][0]["label"] == "7"
    assert first.answer.headers["x-model-version"] == "v000001"


def test_a_second_version_takes_over_in_steps_that_are_seen_and_no_request_fails(
    installation: Any, second: tuple[Any, Watched]
) -> None:
    client, watched = second
    assert client.failures == []
    assert set(client.versions) == {"v000001", "v000002"}
    assert client.total >= 100
    assert installation.steps("digits", "v000002") == LATER
    assert [part for part in watched.parts if part not in (0, 100)] == [20, 50]
    assert watched.parts[-1] == 100
    assert (len(installation.runs("digits")), len(installation.jobs("digits"))) == (2, 2)


def test_a_version_that_cannot_be_loaded_never_gets_traffic_and_leaves_no_trace(
    installation: Any, third: tuple[Any, dict[str, Any]]
) -> None:
    """Only v2 answers the client. Afterwards the spec is that of v2, without a canary field."""
    client, predictor = third
    assert predictor["containers"][0]["args"][-1].endswith("/v000002/")
    assert "canaryTrafficPercent" not in predictor
    assert client.failures == []
    assert set(client.versions) == {"v000002"}
    assert installation.steps("digits", "v000003") == ["Start 0", "Rollback 0"]
    assert "not what was trained" in installation.status("digits")["quarantine"]["v000003"]


def test_after_a_rollback_the_next_version_rolls_out_cleanly(
    installation: Any, fourth: None, seven: dict[str, Any]
) -> None:
    assert installation.steps("digits", "v000004") == LATER
    assert installation.predict("digits", seven).headers["x-model-version"] == "v000004"
    predictor = installation.isvc("digits")["spec"]["predictor"]
    assert predictor["containers"][0]["args"][-1].endswith("/v000004/")
    assert "canaryTrafficPercent" not in predictor


def test_data_whose_notification_is_lost_is_trained_within_two_ticks(
    installation: Any, digits: Digits
) -> None:
    installation.declare("unheard")
    with installation.without_ticks():
        with installation.without_notifications():
            installation.upload("unheard", digits(start=80))
        assert installation.jobs("unheard") == []
        installation.tick()
        with suppress(AssertionError):
            installation.until(lambda: installation.jobs("unheard"), 20)
        if not installation.jobs("unheard"):
            installation.tick()
        installation.until(lambda: installation.jobs("unheard"), 20)
    assert len(installation.jobs("unheard")) == 1
    installation.forget("unheard")


def test_one_event_posted_fifty_times_at_once_is_one_job(installation: Any, digits: Digits) -> None:
    installation.declare("burst")
    with installation.without_ticks():
        with installation.without_notifications():
            installation.upload("burst", digits(start=120))
        record = {
            "bucket": {"name": installation.datasets},
            "object": {"key": "burst/_SUCCESS", "size": 0, "eTag": "x"},
        }
        event = {
            "id": "the-same",
            "type": "com.amazonaws.s3.ObjectCreated:Put",
            "data": {"eventName": "ObjectCreated:Put", "s3": record},
        }
        with ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(installation.publish, [event] * 50))
        assert answers == [202] * 50
        installation.until(lambda: installation.jobs("burst"), 60)
        installation.tick()
    assert (len(installation.jobs("burst")), len(installation.runs("burst"))) == (1, 1)
    installation.forget("burst")


def test_a_rollout_goes_on_from_its_step_when_its_function_has_been_away(
    installation: Any, seven: dict[str, Any], first: None
) -> None:
    """The function is deleted in the middle of a canary, and comes back: no step is taken twice, and none is
    left out."""
    installation.declare("steady", idle="hold", minRequests=10)
    installation.give_version(("digits", "v000001"), ("steady", "v000001"))
    installation.until(lambda: installation.status("steady").get("rollout", {}).get("seen"), 120)

    def ask() -> int:
        return int(installation.predict("steady", seven).status_code)

    installation.until(lambda: ask() == 200 and installation.status("steady")["champion"] == "v000001", 120)
    installation.wait_for_champion("steady", "v000001")
    installation.give_version(("digits", "v000001"), ("steady", "v000002"))
    installation.until(lambda: installation.steps("steady", "v000002") == LATER[:2], 120)
    with installation.without_ticks():
        installation.kubectl("delete", "ksvc", "knoll-rollout", "-n", installation.namespace, "--wait")
        before = installation.status("steady")
        assert (before["phase"], before["rollout"]["percent"]) == ("Canary", 20)
        installation.kubectl("apply", "-k", str(installation.folder))
        installation.kubectl(
            "wait",
            "--for=condition=Ready",
            "ksvc/knoll-rollout",
            "-n",
            installation.namespace,
            "--timeout=120s",
        )
        assert installation.status("steady")["rollout"]["percent"] == 20
    installation.until(lambda: ask() == 200 and installation.status("steady")["champion"] == "v000002", 180)
    installation.wait_for_champion("steady", "v000002")
    assert installation.steps("steady", "v000002") == LATER
    installation.forget("steady")


def test_deleting_a_model_deletes_what_trains_and_serves_it(installation: Any, first: None) -> None:
    """kubectl delete model is enough, because the Model owns its InferenceService."""
    installation.declare("brief", idle="hold")
    installation.give_version(("digits", "v000001"), ("brief", "v000001"))
    installation.until(lambda: installation.exists("InferenceService", "brief"), 60)
    installation.kubectl("delete", "model", "brief", "-n", installation.namespace)
    installation.until(lambda: not installation.exists("InferenceService", "brief"), 60)
