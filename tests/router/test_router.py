"""The router of a cluster, before an upstream that tells hosts apart as Knative's gateway does."""

import json
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from threading import Thread
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from starlette.testclient import TestClient

from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.cluster import MemoryCluster
from knoll.errors import Unavailable
from knoll.kube.labels import part_labels
from knoll.media_types import GRPC
from knoll.paths import MODEL_INFER
from knoll.ports import Document
from knoll.request_limits import BODIES_LIMIT, BODY_LIMIT, ByteBudget
from knoll.router.app import Router
from knoll.router.known import KnownCluster
from knoll.rpc.framing import frame
from support.models import model_document

PATH = "/v1/models/digits:predict"


class Loopback(AbstractResolver):
    """All names lead here."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)
        ]

    async def close(self) -> None:
        pass


class Gateway:
    """What is behind each host, and who was asked."""

    def __init__(self) -> None:
        self.hosts: dict[str, str] = {}
        self.asked: Counter[str] = Counter()
        self.status = 200
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                version = gateway.hosts.get(self.headers["host"].partition(".")[0])
                gateway.asked[version or "nobody"] += 1
                told = {name.lower(): one for name, one in self.headers.items()}
                is_call = told.get("content-type") == "application/grpc"
                answer = json.dumps(told).encode() if version else b""
                self.send_response(gateway.status if version or is_call else 404)
                self.send_header("content-length", str(len(answer)))
                if is_call and not version:
                    self.send_header("grpc-status", "12")  # as Envoy says it to a call
                if version:
                    self.send_header("x-model-version", version)
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()


class World:
    """A namespace with one Model, its InferenceService, and a router."""

    def __init__(self, gateway: Gateway, **rollout: Any) -> None:
        self.gateway, self.cluster = gateway, MemoryCluster("knoll", MemoryClock())
        made = self.cluster.create(model_document("digits", rollout=rollout))
        self.cluster.update({**made, "status": {"phase": "Canary"}}, status=True)
        self.cluster.create(
            {
                "apiVersion": "serving.kserve.io/v1beta1",
                "kind": "InferenceService",
                "metadata": {"name": "digits", "labels": part_labels("digits")},
                "spec": {},
            }
        )
        self.known = KnownCluster(self.cluster, fresh=0.0)
        self.router = Router(self.known, ByteBudget(BODIES_LIMIT), Random(7), Loopback())

    def share(self, percent: int | None, port: int = 0) -> None:
        """Give the newest a percentage beside the older, or with None all of it, without tags."""
        port = port or self.gateway.server.server_address[1]
        share = 100 if percent is None else percent
        newest = {"revisionName": "r2", "percent": share, "tag": "latest", "latestRevision": True}
        older = {"revisionName": "r1", "percent": 100 - share, "tag": "prev", "latestRevision": False}
        traffic = [newest] if percent is None else [older, newest]
        address = {"url": f"http://digits-predictor.knoll.test:{port}"}
        status = {"components": {"predictor": {"traffic": traffic, "address": address}}}
        isvc = self.cluster.get("InferenceService", "digits")
        self.cluster.update({**isvc, "status": status}, status=True)
        self.gateway.hosts = {"digits-predictor": "v2" if percent is None else "v1"}
        if percent is not None:
            self.gateway.hosts |= {"latest-digits-predictor": "v2", "prev-digits-predictor": "v1"}


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    made = Gateway()
    yield made
    made.server.shutdown()
    made.server.server_close()


@contextmanager
def client(world: World) -> Iterator[TestClient]:
    with TestClient(world.router.app) as opened:
        yield opened


def ask(http: TestClient, **headers: str) -> Any:
    return http.post(
        PATH, json={"instances": [1]}, headers={n.replace("_", "-"): v for n, v in headers.items()}
    )


def test_visitors_stay_and_shares_are_those_of_the_status(gateway: Gateway) -> None:
    """Each tag is asked by its host; the predictor learns the session, and only from the router."""
    world = World(gateway, sticky="header:x-user")
    seen: set[int] = set()
    with client(world) as http:
        for percent in (20, 60):
            world.share(percent)
            answers = {user: ask(http, x_user=f"user-{user}") for user in range(60)}
            now = {user for user, one in answers.items() if one.headers["x-model-version"] == "v2"}
            assert seen <= now
            assert abs(len(now) - 0.6 * percent) < 15
            seen = now
        told = ask(http, x_user="a", x_knoll_session="mine").json()
        assert len(told["x-knoll-session"]) == 32
        assert "x-knoll-session" not in ask(http, x_knoll_session="mine").json()
        assert ask(http, x_user="a").headers["x-knoll-revision"] in ("r1", "r2")


def test_a_shadow_gets_copies_and_the_champion_answers(gateway: Gateway) -> None:
    world = World(gateway, mode="shadow", shadow=100)
    world.share(0)
    with client(world) as http:
        answers = Counter(ask(http).headers["x-model-version"] for _ in range(20))
    copies = world.router.copies
    assert answers == {"v1": 20}
    assert copies.sent > 0
    assert gateway.asked["v1"] == 20
    assert gateway.asked["v2"] <= copies.sent


def test_feedback_that_was_refused_goes_to_one_version_alone(gateway: Gateway) -> None:
    """The other version would take it for counted."""
    world, feedback = World(gateway, compare=5), "/v1/models/digits:feedback"
    world.share(50)
    with client(world) as http:
        for status, copies in ((400, 0), (503, 0), (409, 1), (200, 2)):
            gateway.status = status
            assert http.post(feedback, json={}).status_code == status
            assert world.router.copies.sent == copies


def test_a_tag_that_is_gone_costs_no_request(gateway: Gateway) -> None:
    """After a promotion the status is read a moment later: no predictor had the request, so all traffic's
    route gets it. A copy does not go there."""
    world = World(gateway, mode="shadow", shadow=100)
    world.share(0)
    with client(world) as http:
        assert ask(http).headers["x-model-version"] == "v1"
        gateway.hosts, before = {"digits-predictor": "v2"}, gateway.asked["v2"]
        answers = [ask(http) for _ in range(5)]
        assert [one.headers["x-model-version"] for one in answers] == ["v2"] * 5
        assert "x-knoll-revision" not in answers[0].headers
        assert gateway.asked["v2"] - before == 5
        world.share(None)
        assert ask(http).headers["x-knoll-revision"] in ("r1", "r2")


def call(http: TestClient, message: bytes = b"\x0a\x06digits", **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return http.post(MODEL_INFER, content=frame(message), headers={"content-type": GRPC, **named})


def test_a_call_goes_the_way_of_a_request_that_names_its_model(gateway: Gateway) -> None:
    """Visitors stay; what knows no such tag has not had the call; what is not served is told in its words."""
    world = World(gateway, sticky="header:x-user")
    world.share(50)
    with client(world) as http:
        versions = {user: ask(http, x_user=f"user-{user}").headers["x-model-version"] for user in range(20)}
        answers = {user: call(http, x_user=f"user-{user}") for user in range(20)}
        assert {user: one.headers["x-model-version"] for user, one in answers.items()} == versions
        assert {one.headers["grpc-status"] for one in answers.values()} == {"0"}
        assert len(answers[0].json()["x-knoll-session"]) == 32
        gateway.hosts = {"digits-predictor": "v2"}
        assert {call(http).headers["x-model-version"] for _ in range(5)} == {"v2"}
        other = call(http, b"\x0a\x01x")
        assert (other.status_code, other.headers["grpc-status"]) == (200, "5")
        assert "no model 'x' is served here" in other.headers["grpc-message"]
        health = http.post("/grpc.health.v1.Health/Check", content=frame(b""), headers={"content-type": GRPC})
        assert health.content == frame(b"\x08\x01")  # SERVING


def test_what_was_known_counts_while_the_api_server_is_away(gateway: Gateway) -> None:
    """Before anything was known, a client is asked to come again."""
    world = World(gateway, sticky="cookie:id")
    world.share(50)
    lists, world.cluster.list = world.cluster.list, away  # type: ignore[method-assign]
    with client(world) as http:
        assert (ask(http).status_code, ask(http).headers["retry-after"]) == (503, "2")
        world.cluster.list = lists  # type: ignore[method-assign]
        first = ask(http, cookie="id=1")
        assert first.status_code == 200
        world.cluster.list = away  # type: ignore[method-assign]
        versions = {ask(http, cookie="id=1").headers["x-model-version"] for _ in range(5)}
        assert versions == {first.headers["x-model-version"]}


def away(*_: object, **__: object) -> list[Document]:
    raise Unavailable("the API server is away")


def test_what_is_not_served_is_told_apart(gateway: Gateway) -> None:
    """404 for no such model, and for an InferenceService that is not knoll's; 503 before the first version;
    413 for a body that is too large; 502 when nobody listens."""
    world = World(gateway)
    world.cluster.create(
        {
            "kind": "InferenceService",
            "apiVersion": "serving.kserve.io/v1beta1",
            "metadata": {"name": "mine"},
            "spec": {},
        }
    )
    with client(world) as http:
        assert http.post("/v1/models/mine:predict", json={}).status_code == 404
        assert http.post("/v2/models/other/infer", json={}).status_code == 404
        assert ask(http).status_code == 503
        world.share(None)
        assert ask(http).status_code == 200
        assert http.post(PATH, content=bytes(BODY_LIMIT + 1)).status_code == 413
        assert http.get("/v2/health/live").json() == {"live": True}
        world.share(None, port=1)
        assert ask(http).status_code == 502
