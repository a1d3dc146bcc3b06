"""From InferenceService documents to processes: proof of readiness, canary, scale to zero, crashes, restarts,
deletion."""

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import aiohttp
import pytest

from knoll.laptop.serving.activator import Activator
from knoll.laptop.serving.replica import Command, Replica, backoff
from knoll.request_limits import RETRY_SECONDS
from laptop.running import PREDICTOR, Eventually, Laptop, LaptopWith


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_service_becomes_ready_and_says_so(laptop: Laptop, eventually: Eventually) -> None:
    """One revision, one replica, a status as KServe writes it, and an object-change event for each
    status."""
    laptop.serve("--version", "v1")
    status = laptop.status()
    assert status["url"] == laptop.front.url
    assert status["components"]["predictor"]["latestRolledoutRevision"] == "digits-predictor-00001"
    assert {one["type"]: one["status"] for one in status["conditions"]}["PredictorReady"] == "True"
    eventually(lambda: laptop.events.taken and laptop.events.taken[-1].data["status"] == laptop.status())
    event = laptop.events.taken[-1]
    assert event.type == "dev.knative.apiserver.resource.update"
    assert event.extensions["kind"] == "InferenceService"
    answer = laptop.predict()
    assert answer.headers["x-env-revision"] == "digits-predictor-00001"
    assert answer.json()["s3"] == "key"
    assert laptop.starts() == 1


def test_a_canary_runs_beside_the_champion_until_it_is_promoted(
    laptop: Laptop, eventually: Eventually
) -> None:
    """20/80 once the candidate is ready, each reachable by its tag; after promotion everything is the
    candidate's."""
    laptop.serve("--version", "v1")
    laptop.serve("--version", "v2", canary=20)
    assert [one["percent"] for one in laptop.status()["components"]["predictor"]["traffic"]] == [20, 80]
    eventually(lambda: laptop.predict("/latest-digits-predictor").headers.get("x-model-version") == "v2")
    assert laptop.predict("/prev-digits-predictor").headers["x-model-version"] == "v1"
    laptop.apply("--version", "v2")
    eventually(
        lambda: (
            laptop.status()["components"]["predictor"]["latestRolledoutRevision"] == "digits-predictor-00002"
        )
    )
    eventually(lambda: laptop.predict("/prev-digits-predictor").status_code == 404)
    assert {laptop.predict().headers["x-model-version"] for _ in range(10)} == {"v2"}


def test_a_candidate_that_crashes_at_its_start_gets_no_traffic_and_says_why(
    laptop: Laptop, eventually: Eventually
) -> None:
    """Its last log line is in the status, and the champion serves on."""
    laptop.serve("--version", "v1")
    laptop.apply("--version", "v2", "--fail", "ValueError: weights do not match", canary=20)
    status = eventually(
        lambda: (
            laptop.status()
            if laptop.status()["modelStatus"]["transitionStatus"] == "BlockedByFailedLoad"
            else None
        )
    )
    assert status["modelStatus"]["lastFailureInfo"]["message"] == "ValueError: weights do not match"
    assert status["modelStatus"]["lastFailureInfo"]["exitCode"] == 1
    assert {laptop.predict().headers["x-model-version"] for _ in range(10)} == {"v1"}


def test_a_candidate_that_is_never_ready_is_given_up(laptop_with: LaptopWith, eventually: Eventually) -> None:
    """After the progress deadline its replica is stopped and PredictorReady is False."""
    with laptop_with(progress_deadline=0.6) as laptop:
        laptop.apply("--never")
        eventually(
            lambda: laptop.status().get("modelStatus", {}).get("transitionStatus") == "BlockedByFailedLoad"
        )
        assert (
            laptop.cluster.get("Revision", "digits-predictor-00001")["status"]["conditions"][0]["reason"]
            == "ProgressDeadlineExceeded"
        )
        eventually(lambda: not laptop.autoscaler.running)
        assert laptop.predict().status_code == 503


def test_an_idle_replica_stops_and_the_next_request_is_answered(
    laptop_with: LaptopWith, eventually: Eventually
) -> None:
    """0 processes after the idle time; the request that wakes the model is held and answered."""
    with laptop_with(idle=0.3) as laptop:
        laptop.serve("--delay", "0.3")
        pid = laptop.predict().json()["pid"]
        eventually(lambda: not laptop.autoscaler.running and not _is_alive(pid))
        assert laptop.http.get("/v1/models/digits").json() == {"name": "digits", "ready": True}
        assert laptop.autoscaler.running == []
        assert laptop.predict().status_code == 200


def test_a_request_to_a_sleeping_model_outlasts_a_store_that_does_not_answer(
    laptop_with: LaptopWith, eventually: Eventually, tmp_path: Path
) -> None:
    """Its replica is started again within the request's patience. If that does not help, the answer says what
    the replica said, and when to ask again."""
    away = tmp_path / "away"
    with laptop_with(idle=0.1) as laptop:
        laptop.serve("--away", str(away))
        eventually(lambda: not laptop.autoscaler.running)
        away.touch()
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(laptop.predict)
            eventually(lambda: laptop.starts() >= 3)
            away.unlink()
            assert waiting.result(20).status_code == 200
        eventually(lambda: not laptop.autoscaler.running)
        away.touch()
        laptop.gateway._patience = 2.0
        told = "did not start within 2 s: StoreUnavailable: nothing listens there"
        answer = eventually(lambda: one if told in (one := laptop.predict()).json()["error"] else None)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, str(RETRY_SECONDS))


def test_a_predictor_that_refuses_its_version_says_so_in_a_pod_until_it_serves(
    laptop_with: LaptopWith, eventually: Eventually, tmp_path: Path
) -> None:
    """With exit code 65, as the kubelet would say it, also if the Revision has been ready before."""
    spoilt = tmp_path / "spoilt"
    with laptop_with(idle=0.1) as laptop:
        laptop.serve("--spoilt", str(spoilt))
        eventually(lambda: not laptop.autoscaler.running)
        spoilt.touch()
        assert laptop.predict().status_code == 503
        label = {"serving.knative.dev/revision": "digits-predictor-00001"}
        (pod,) = eventually(lambda: [one for one in laptop.cluster.list("Pod", label) if one.get("status")])
        (replica,) = pod["status"]["containerStatuses"]
        end = {"exitCode": 65, "reason": "Error", "message": "not what was trained"}
        assert (replica["ready"], replica["lastState"]["terminated"]) == (False, end)
        spoilt.unlink()
        eventually(lambda: laptop.predict().status_code == 200)
        eventually(lambda: not laptop.cluster.list("Pod", label))


def test_with_min_replicas_a_replica_is_kept_and_brought_back(
    laptop_with: LaptopWith, eventually: Eventually
) -> None:
    """minReplicas 1 outlives the idle time, a crash and a restart of the platform."""
    with laptop_with(idle=0.2) as laptop:
        laptop.serve(minReplicas=1)
        assert laptop.predict(content=b"crash once").status_code == 502  # it is sent to no second replica
        assert laptop.predict().status_code == 200
        laptop.restart()
        eventually(lambda: laptop.autoscaler.running == ["digits-predictor-00001"])
        assert laptop.predict().status_code == 200


def test_after_a_restart_nothing_starts_before_it_is_needed(laptop: Laptop) -> None:
    """A revision that was ready once is known to be so: it starts with its first request."""
    laptop.serve()
    laptop.restart()
    assert laptop.is_settled()
    assert laptop.autoscaler.running == []
    assert laptop.starts() == 1
    assert laptop.status()["url"] == laptop.front.url
    assert laptop.predict().status_code == 200


def test_deletion_stops_everything(laptop: Laptop, eventually: Eventually) -> None:
    """No process, no Revision and no route are left."""
    laptop.serve()
    pid = laptop.predict().json()["pid"]
    laptop.cluster.delete("InferenceService", "digits")
    eventually(lambda: not _is_alive(pid))
    assert laptop.cluster.list("Revision") == []
    assert laptop.predict().status_code == 404


def test_a_request_that_waits_for_a_model_that_is_deleted_is_answered(
    laptop_with: LaptopWith, eventually: Eventually
) -> None:
    """The start is called off, its process ends, and the request gets 503 at once."""
    with laptop_with(idle=0.2) as laptop:
        laptop.serve("--delay", "1")
        eventually(lambda: not laptop.autoscaler.running)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(laptop.predict)
            eventually(lambda: laptop.starts() == 2)
            laptop.cluster.delete("InferenceService", "digits")
            assert waiting.result(10).status_code == 503
        pid = int((laptop.folder / "digits.starts").read_text().split()[-1])
        eventually(lambda: not _is_alive(pid))


def test_an_image_without_entry_point_is_refused_with_a_reason(
    laptop: Laptop, eventually: Eventually
) -> None:
    """The status names the image and what this machine has."""
    laptop.serve()
    document = laptop.cluster.get("InferenceService", "digits")
    document["spec"]["predictor"]["containers"][0]["image"] = "tritonserver"
    laptop.cluster.update(document)
    status = eventually(
        lambda: (
            laptop.status()
            if laptop.status()["modelStatus"]["transitionStatus"] == "BlockedByFailedLoad"
            else None
        )
    )
    assert "tritonserver" in status["modelStatus"]["lastFailureInfo"]["message"]
    assert laptop.predict().status_code == 200


def test_one_unreadable_service_does_not_keep_others_from_being_served(laptop: Laptop) -> None:
    """A document that no cluster would admit is left alone."""
    metadata = {"name": "broken"}
    laptop.cluster.create(
        {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": metadata,
            "spec": {},
        }
    )
    laptop.serve()
    assert laptop.predict().status_code == 200


def test_a_quantity_that_cannot_be_read_harms_no_other_model(laptop: Laptop, eventually: Eventually) -> None:
    """The revision is refused with the reason, the others are served on."""
    laptop.serve()
    laptop.serve(name="odd")
    document = laptop.cluster.get("InferenceService", "odd")
    document["spec"]["predictor"]["containers"][0]["resources"] = {"limits": {"cpu": "two"}}
    laptop.cluster.update(document)
    status = eventually(lambda: laptop.status("odd").get("modelStatus", {}).get("lastFailureInfo"))
    assert "'two' is not a quantity" in status["message"]
    laptop.restart()
    assert laptop.predict().status_code == 200


def test_a_replica_that_cannot_be_started_now_is_started_later(
    laptop: Laptop, eventually: Eventually
) -> None:
    """A log that cannot be written, as on a full disk, holds a new revision up and does not fail it."""
    (laptop.folder / "logs").touch()
    laptop.apply()
    eventually(lambda: laptop.cluster.list("Revision"))
    eventually(lambda: laptop.predict().status_code == 503)
    (laptop.folder / "logs").unlink()
    eventually(lambda: laptop.predict().status_code == 200)


def test_a_replica_is_not_stopped_under_a_request_that_has_just_come(tmp_path: Path) -> None:
    """Between the look that finds it idle and its end, a request may take it."""

    async def answer() -> int:
        async with aiohttp.ClientSession() as http:
            argv = (sys.executable, str(PREDICTOR), "--starts", str(tmp_path / "starts"))
            command = Command("r", argv, {"K_REVISION": "r", "S3": "key"}, tmp_path / "log", "/ready", 0)
            activator = Activator(Replica(command, http))
            await activator.start(20.0)
            stopping = asyncio.create_task(activator.stop_if_idle(0.0))
            async with activator.slot(20.0) as address:
                await stopping
                async with http.get(f"{address}/ready") as found:
                    status = found.status
            await activator.close()
            return status

    assert asyncio.run(answer()) == 200


@pytest.mark.parametrize(
    ("crashes", "seconds"), [(0, 0.0), (1, 0.0), (2, 1.0), (3, 2.0), (5, 8.0), (50, 30.0)]
)
def test_crashes_in_a_row_wait_longer_and_longer(crashes: int, seconds: float) -> None:
    """The first restart is at once, the later ones double up to half a minute."""
    assert backoff(crashes) == seconds
