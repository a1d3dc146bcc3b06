"""The one port of the platform: broker, functions, health, a clean start and a clean stop."""

import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import httpx
import pytest

from knoll.adapters.memory.platform import memory_platform
from knoll.errors import Unavailable
from knoll.events.event import EVENT_LIMIT
from knoll.laptop.front import Front, Posted, Reply, listen
from knoll.wiring.laptop import functions_of
from knoll.wiring.stages import STAGES

TOKEN = "the token of this start"
SHOWN = {"authorization": f"Bearer {TOKEN}"}


def _echo(headers: Mapping[str, str], body: bytes) -> Reply:
    return 202, {"x-seen": headers["ce-id"]}, body


@dataclass(frozen=True)
class Running:
    """A front, its URL, and when its function `slow` has begun."""

    front: Front
    url: str
    started: threading.Event


@pytest.fixture
def running() -> Iterator[Running]:
    started = threading.Event()

    def slow(_headers: Mapping[str, str], body: bytes) -> Reply:
        started.set()
        threading.Event().wait(0.5)
        return 200, {}, body

    functions = {"train": Posted(_echo), "slow": Posted(slow), "large": Posted(_echo, 2 * EVENT_LIMIT)}
    front = Front(listen(0), token=TOKEN, broker=_echo, functions=functions)
    front.start()
    yield Running(front, front.url, started)
    front.stop()


def test_broker_and_functions_get_headers_and_body_and_answer_for_themselves(running: Running) -> None:
    """Status, headers and body of the callable are the answer."""
    with httpx.Client(base_url=running.url, headers=SHOWN, trust_env=False) as http:
        for path in ("/broker", "/functions/train"):
            answer = http.post(path, content=b"body", headers={"ce-id": "7"})
            assert (answer.status_code, answer.headers["x-seen"], answer.content) == (202, "7", b"body")
        assert http.get("/healthz").json() == {"status": "ok"}
        assert http.get("/broker").status_code == 405


def test_a_client_that_goes_before_its_body_writes_no_line(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    lines = f"host: localhost\r\nauthorization: {SHOWN['authorization']}\r\ncontent-length: 9\r\n\r\nhalf"
    with socket.create_connection(("127.0.0.1", int(running.url.rpartition(":")[2]))) as client:
        client.sendall(f"POST /broker HTTP/1.1\r\n{lines}".encode())
        assert httpx.get(f"{running.url}/healthz", trust_env=False).status_code == 200
    running.front.stop()
    assert not caplog.records


def test_a_header_that_comes_twice_has_both_values(running: Running) -> None:
    """An event with two ids is refused, and not taken for the first or the second."""
    headers = [("ce-id", "1"), ("ce-id", "2"), *SHOWN.items()]
    answer = httpx.post(f"{running.url}/broker", headers=headers, trust_env=False)
    assert answer.headers["x-seen"] == "1, 2"


def test_a_web_page_cannot_use_the_platform_under_a_name_of_its_own(running: Running) -> None:
    """A foreign Host header is refused: a name may lead to 127.0.0.1, and a browser would let its page read
    the answers."""
    assert (
        httpx.get(f"{running.url}/healthz", headers={"host": "example.test"}, trust_env=False).status_code
        == 400
    )
    assert (
        httpx.get(f"{running.url}/healthz".replace("127.0.0.1", "localhost"), trust_env=False).status_code
        == 200
    )


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/broker"), ("POST", "/functions/slow"), ("GET", "/healthz")]
)
def test_a_page_of_another_site_is_refused_whatever_it_shows(
    running: Running, method: str, path: str
) -> None:
    """A browser says where a request comes from: another site, another port of this machine, or nowhere. A
    page of the platform itself may ask, and who follows a link to it."""
    port = running.url.rpartition(":")[2]

    def status(**headers: str) -> int:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.request(
            method, running.url + path, headers={**SHOWN, "ce-id": "1", **given}, trust_env=False
        ).status_code

    for origin in (
        "https://evil.example",
        "http://localhost:1",
        f"http://127.0.0.1.evil.example:{port}",
        "null",
    ):
        assert status(Origin=origin) == 403
    for site in ("cross-site", "same-site", "anything"):
        assert status(Sec_Fetch_Site=site) == 403
    assert status(Origin=running.url, Sec_Fetch_Site="same-origin") < 300
    link = status(Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")
    assert link == (200 if method == "GET" else 403)


def test_broker_and_functions_ask_for_the_token(running: Running) -> None:
    """401 without it, and the words say where it is; a store that can only send a password sends it so."""
    url = f"{running.url}/broker"
    for wrong in (
        {},
        {"authorization": "Bearer other"},
        {"authorization": "Basic !"},
        {"authorization": TOKEN},
    ):
        answer = httpx.post(url, headers=wrong, trust_env=False)
        assert answer.status_code == 401
        assert "knoll env" in answer.json()["error"]
    assert httpx.post(url, headers={"ce-id": "1"}, auth=("knoll", TOKEN), trust_env=False).status_code == 202


def test_a_body_that_is_longer_than_an_event_may_be_is_refused(running: Running) -> None:
    """413 beyond a mebibyte, with the limit in words."""
    headers = {"ce-id": "1", **SHOWN}
    at_limit, beyond = (
        httpx.post(f"{running.url}/broker", content=bytes(size), headers=headers, trust_env=False)
        for size in (EVENT_LIMIT, EVENT_LIMIT + 1)
    )
    assert (at_limit.status_code, beyond.status_code) == (202, 413)
    assert "1 MiB" in beyond.json()["error"]


def test_a_function_takes_what_its_stage_takes(running: Running) -> None:
    """A dead letter is an event, and what a broker says about it: twice as long."""
    sizes = {"train": (EVENT_LIMIT, EVENT_LIMIT + 1), "large": (2 * EVENT_LIMIT, 2 * EVENT_LIMIT + 1)}
    headers = {"ce-id": "1", **SHOWN}
    for name, both in sizes.items():
        answers = (
            httpx.post(
                f"{running.url}/functions/{name}", content=bytes(size), headers=headers, trust_env=False
            )
            for size in both
        )
        assert [one.status_code for one in answers] == [202, 413]
    limits = {name: posted.limit for name, posted in functions_of(memory_platform()).items()}
    assert limits == {name: stage.limit for name, stage in STAGES.items()}
    assert limits["dead-letters"] == 2 * limits["rollout"]


def test_an_unknown_function_is_answered_with_those_that_are_known(running: Running) -> None:
    """404 with their names."""
    answer = httpx.post(f"{running.url}/functions/trian", headers=SHOWN, trust_env=False)
    assert answer.status_code == 404
    assert "train" in answer.json()["error"]


def test_a_stop_lets_the_requests_in_flight_finish(running: Running) -> None:
    """The answer arrives though the stop came first, and the port is free afterwards."""
    answers: list[httpx.Response] = []
    asking = threading.Thread(
        target=lambda: answers.append(
            httpx.post(f"{running.url}/functions/slow", content=b"x", headers=SHOWN, trust_env=False)
        )
    )
    asking.start()
    assert running.started.wait(10)
    running.front.stop()
    asking.join()
    assert [one.status_code for one in answers] == [200]
    listen(int(running.url.rpartition(":")[2])).close()


def test_a_port_in_use_is_told_with_the_setting_that_helps(running: Running) -> None:
    """The error names the port and KNOLL_PORT."""
    port = running.url.rpartition(":")[2]
    with pytest.raises(Unavailable, match=port) as caught:
        listen(int(port))
    assert "KNOLL_PORT" in caught.value.fix


def test_a_lifespan_that_fails_fails_the_start() -> None:
    """The platform does not pretend to be up."""

    class Broken:
        async def __aenter__(self) -> None:
            raise OSError("disk full")

        async def __aexit__(self, *_: object) -> None:
            """Nothing was entered."""

    front = Front(listen(0), token=TOKEN, broker=_echo, functions={}, lifespan=Broken)
    with pytest.raises(Unavailable, match="disk full"):
        front.start()
    front.stop()
