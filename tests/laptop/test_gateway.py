"""Predict requests through the gateway: paths, weights, tags, cold starts, crashes, limits."""

from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import httpx
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from knoll.kube.labels import VERSION_LABEL
from knoll.laptop.serving.gateway import Gateway
from knoll.request_limits import BODIES_LIMIT, BODY_LIMIT, ByteBudget
from laptop.running import Eventually, Laptop, LaptopWith

_READINESS = (
    "/v1/models/digits",
    "/v2/models/digits/ready",
    "/v2/health/ready",
    "/digits-predictor/v2/health/ready",
)


def test_a_hundred_requests_to_a_sleeping_model_share_one_start(
    laptop_with: LaptopWith, eventually: Eventually
) -> None:
    """They are held, none is lost, and one process answers all of them."""
    with laptop_with(idle=0.3) as laptop:
        laptop.serve("--delay", "0.5", containerConcurrency=8)
        eventually(lambda: not laptop.autoscaler.running)
        with ThreadPoolExecutor(100) as pool:
            answers = list(pool.map(lambda _: laptop.predict(), range(100)))
        assert {one.status_code for one in answers} == {200}
        assert len({one.json()["pid"] for one in answers}) == 1
        assert laptop.starts() == 2


def test_a_request_in_flight_outlives_the_idle_time(laptop_with: LaptopWith) -> None:
    """A replica is idle from the end of its last request, not from its beginning."""
    with laptop_with(idle=0.1) as laptop:
        laptop.serve()
        assert laptop.predict(content=b"slow").status_code == 200


def test_a_replica_gets_no_more_requests_at_a_time_than_it_takes(laptop: Laptop) -> None:
    """containerConcurrency 2: six slow requests are answered two by two."""
    laptop.serve(containerConcurrency=2)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: laptop.predict(content=b"slow"), range(6)))
    assert max(one.json()["at_once"] for one in answers) == 2


def test_traffic_follows_the_weights(laptop: Laptop) -> None:
    """Of any 100 requests in a row, 20/80 gives the candidate 20."""
    laptop.serve("--version", "v1")
    laptop.serve("--version", "v2", canary=20)
    versions = [laptop.predict().headers["x-model-version"] for _ in range(130)]
    for begin in (0, 17, 30):
        assert Counter(versions[begin : begin + 100]) == {"v1": 80, "v2": 20}


def test_no_request_is_lost_while_a_model_is_replaced(laptop: Laptop, eventually: Eventually) -> None:
    """Every request before, during and after a promotion is answered."""
    laptop.serve("--version", "v1")
    laptop.apply("--version", "v2", "--delay", "0.3")
    seen: list[httpx.Response] = []

    def has_moved() -> bool:
        seen.append(laptop.predict())
        return seen[-1].headers["x-model-version"] == "v2"

    eventually(has_moved)
    assert {one.status_code for one in seen} == {200}


def test_v1_and_v2_paths_answer_at_the_root_and_below_a_host(laptop: Laptop) -> None:
    """The gateway answers what the documents can tell; the replica answers the rest, on its own path."""
    laptop.serve()
    for prefix in ("", "/digits-predictor", "/latest-digits-predictor"):
        assert laptop.http.get(f"{prefix}/v1/models").json() == {"models": ["digits"]}
        assert laptop.http.get(f"{prefix}/v1/models/digits").json() == {"name": "digits", "ready": True}
        assert laptop.http.get(f"{prefix}/v2").json()["name"] == "knoll"
        assert laptop.http.get(f"{prefix}/v2/health/live").json() == {"live": True}
        assert laptop.http.get(f"{prefix}/v2/health/ready").json() == {"ready": True}
        assert laptop.http.get(f"{prefix}/v2/models/digits/ready").json() == {"name": "digits", "ready": True}
        assert laptop.http.get(f"{prefix}/v2/models/digits").json()["path"] == "/v2/models/digits"
        for path in (
            "/v1/models/digits:predict",
            "/v1/models/digits:explain",
            "/v1/models/digits:feedback",
            "/v2/models/digits/infer",
        ):
            assert laptop.http.post(prefix + path + "?a=1", content=b"{}").json()["path"] == path + "?a=1"
        assert laptop.http.post(f"{prefix}/v2/repository/models/digits/load").status_code == 403


def test_a_model_that_sleeps_shows_an_example_and_sleeps_on(
    laptop_with: LaptopWith, eventually: Eventually
) -> None:
    with laptop_with(idle=0.3) as laptop:
        signature = b'{"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}], "outputs": []}'
        laptop.store.put("s3://models/models/digits/v000001/signature.json", signature)
        laptop.serve(labels={VERSION_LABEL: "v000001"})
        eventually(lambda: not laptop.autoscaler.running)
        about = laptop.http.get("/v1/models/digits").json()
        assert about == {"name": "digits", "ready": True, "example": {"instances": [[0.0, 0.0]]}}
        assert not laptop.autoscaler.running


def test_headers_pass_and_those_of_one_hop_do_not(laptop: Laptop) -> None:
    """End-to-end headers reach the replica and the client, headers that Connection names do not. The answer
    names the revision."""
    laptop.serve()
    answer = laptop.predict(
        headers={
            "accept": "image/png",
            "x-b3-traceid": "7",
            "x-knoll-token": "another",
            "connection": "x-mine",
            "x-mine": "1",
        }
    )
    seen = {name.lower(): value for name, value in answer.json()["headers"].items()}
    assert (seen["accept"], seen["x-b3-traceid"]) == ("image/png", "7")
    assert "x-mine" not in seen
    assert seen.get("x-knoll-token") != "another"
    assert "x-hop" not in answer.headers
    assert answer.headers["x-knoll-revision"] == "digits-predictor-00001"
    assert answer.headers["x-model-version"] == "v1"
    assert [len(answer.headers.get_list(name)) for name in ("date", "server")] == [1, 1]


def test_an_encoded_slash_leads_nowhere(laptop: Laptop) -> None:
    """A path means the same to the gateway and to the replica behind it."""
    laptop.serve()
    for path in (
        "/x%2Fv1%2Fmodels%2Fdigits:predict",
        "/digits-predictor%2Fv1/models/digits:predict",
        "/v1%2Fmodels/digits:predict",
    ):
        assert laptop.http.post(path, json={"instances": [1]}).status_code == 404


def test_an_unknown_model_is_answered_with_those_that_are_known(laptop: Laptop) -> None:
    """404 with the names and the command that helps."""
    laptop.serve()
    for answer in (
        laptop.predict(model="digit"),
        laptop.predict("/digit-predictor"),
        laptop.http.get("/v2/models/digit/ready"),
    ):
        assert answer.status_code == 404
        assert "digits" in answer.json()["error"]
        assert "knoll models" in answer.json()["error"]


def test_a_tag_that_no_revision_has_is_not_found(laptop: Laptop) -> None:
    """Nothing has failed, and asking again does not help: no client should try."""
    laptop.serve()
    for method, path in (("POST", "/v1/models/digits:predict"), ("GET", "/v2/models/digits/ready")):
        answer = laptop.http.request(method, f"/prev-digits-predictor{path}", content=b"{}")
        assert answer.status_code == 404
        assert "no revision of digits has the tag prev; tags: latest" in answer.json()["error"]


def test_a_model_without_a_ready_revision_is_unavailable_with_the_reason(
    laptop: Laptop, eventually: Eventually
) -> None:
    """503 with Retry-After, and the last line of the log of the replica that did not start."""
    laptop.apply("--fail", "RuntimeError: no weights")
    eventually(
        lambda: laptop.status().get("modelStatus", {}).get("transitionStatus") == "BlockedByFailedLoad"
    )
    answer = eventually(lambda: one if "no weights" in (one := laptop.predict()).text else None)
    assert answer.status_code == 503
    assert "retry-after" in answer.headers
    for path in _READINESS:
        assert "no revision of digits has been ready" in laptop.http.get(path).json()["error"]


def test_a_sleeping_model_whose_last_start_failed_is_not_ready(
    laptop_with: LaptopWith, eventually: Eventually
) -> None:
    """503 with the reason until a start succeeds; asleep after a good start it is ready, and asking wakes
    nothing."""
    with laptop_with(idle=0.3) as laptop:
        laptop.serve()
        eventually(lambda: not laptop.autoscaler.running)
        assert {laptop.http.get(path).status_code for path in _READINESS} == {200}
        starts = laptop.folder / "digits.starts"
        starts.unlink()
        starts.mkdir()
        assert laptop.predict().status_code == 503
        answers = [laptop.http.get(path) for path in _READINESS]
        assert {(one.status_code, one.json()["name"], one.json()["ready"]) for one in answers} == {
            (503, "digits", False)
        }
        assert all("IsADirectoryError" in one.json()["error"] for one in answers)
        starts.rmdir()
        assert laptop.predict().status_code == 200
        eventually(lambda: not laptop.autoscaler.running)
        assert {laptop.http.get(path).status_code for path in _READINESS} == {200}
        assert laptop.starts() == 1


def test_a_request_that_kills_a_replica_is_not_sent_again_and_harms_no_other(laptop: Laptop) -> None:
    """Its sender gets 502 with the reason; the next request starts another replica."""
    laptop.serve()
    answer = laptop.predict(content=b"crash once")
    assert answer.status_code == 502
    assert "digits-predictor-00001 ended while it worked on this request" in answer.json()["error"]
    assert laptop.starts() == 1
    assert laptop.predict().status_code == 200
    assert laptop.starts() == 2


def test_paths_and_methods_that_are_not_there_are_answered_in_json(laptop: Laptop) -> None:
    laptop.serve()
    nowhere = laptop.http.post("/v2/models/digits/versions/1/infer")
    assert (nowhere.status_code, "there is no path" in nowhere.json()["error"]) == (404, True)
    wrong = laptop.http.get("/v1/models/digits:predict/x")
    assert (wrong.status_code, bool(wrong.json()["error"])) == (404, True)
    slash = laptop.http.post("/v1/models/digits:predict/")
    assert (slash.status_code, "there is no path" in slash.json()["error"]) == (404, True)
    read = laptop.http.get("/v1/models/digits:predict")
    assert (read.status_code, read.json()["error"]) == (405, "this path takes POST, not GET")
    method = laptop.http.put("/v2/models/digits/infer")
    assert (method.status_code, "does not take PUT" in method.json()["error"]) == (405, True)


def test_bodies_take_a_bounded_memory_together(laptop: Laptop, eventually: Eventually) -> None:
    """What is beyond is 503, and asked to come again; then there is room. Large bodies leave some for small
    ones. A body is let go when its answer is on its way."""
    laptop.serve()
    large = laptop.bodies.limit // 8 * 7
    laptop.bodies.take(large)
    answer = laptop.predict(content=bytes(2**20 + 1))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert laptop.predict(content=bytes(2000)).status_code == 200
    eventually(lambda: laptop.bodies.held == large)
    while laptop.bodies.held < laptop.bodies.limit:
        laptop.bodies.take(2**20)
    assert laptop.predict(content=bytes(2000)).status_code == 503
    laptop.bodies.give(laptop.bodies.held)
    assert laptop.predict(content=bytes(2**20 + 1)).status_code == 200
    eventually(lambda: laptop.bodies.held == 0)


def test_a_body_beyond_the_limit_is_refused_and_one_at_the_limit_is_not(laptop: Laptop) -> None:
    """32 MiB pass, one byte more is 413."""
    laptop.serve()
    assert laptop.predict(content=bytes(BODY_LIMIT)).json()["size"] == BODY_LIMIT
    assert laptop.predict(content=bytes(BODY_LIMIT + 1)).status_code == 413


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (aiohttp.ConnectionTimeoutError(), "digits-1 took no connection within 5 s"),
        (TimeoutError(), "digits-1 did not answer within 300 s"),
    ],
)
def test_a_connection_and_an_answer_that_do_not_come_are_told_apart(fault: Exception, words: str) -> None:
    class Slow:
        """An autoscaler whose replica takes too long."""

        def __init__(self) -> None:
            traffic = [{"revisionName": "digits-1", "percent": 100}]
            status = {"components": {"predictor": {"traffic": traffic}}}
            self.isvcs, self.http = {"digits": {"metadata": {"name": "digits"}, "status": status}}, self
            self.models: dict[str, Any] = {}

        @asynccontextmanager
        async def acquire(self, revision: str, patience: float) -> AsyncIterator[str]:
            yield "http://127.0.0.1:1"

        def request(self, *_: object, **__: object) -> None:
            raise fault

    autoscaler: Any = Slow()
    with TestClient(Starlette(routes=Gateway(autoscaler, ByteBudget(BODIES_LIMIT)).routes())) as client:
        answer = client.post("/v1/models/digits:predict", json={"instances": []})
    assert (answer.status_code, answer.json()) == (504, {"error": words})
