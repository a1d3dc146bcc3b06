"""The one port of the platform: broker, functions, health, a clean start and a clean stop."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import httpx
import pytest

from knoll.errors import Unavailable
from knoll.laptop.front import Front, Reply, listen


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

    front = Front(listen(0), broker=_echo, functions={"train": _echo, "slow": slow})
    front.start()
    yield Running(front, front.url, started)
    front.stop()


def test_broker_and_functions_get_headers_and_body_and_answer_for_themselves(running: Running) -> None:
    """Status, headers and body of the callable are the answer."""
    with httpx.Client(base_url=running.url, trust_env=False) as http:
        for path in ("/broker", "/functions/train"):
            answer = http.post(path, content=b"body", headers={"ce-id": "7"})
            assert (answer.status_code, answer.headers["x-seen"], answer.content) == (202, "7", b"body")
        assert http.get("/healthz").json() == {"status": "ok"}
        assert http.get("/broker").status_code == 405


def test_a_header_that_comes_twice_has_both_values(running: Running) -> None:
    """An event with two ids is refused, and not taken for the first or the second."""
    answer = httpx.post(f"{running.url}/broker", headers=[("ce-id", "1"), ("ce-id", "2")], trust_env=False)
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


def test_an_unknown_function_is_answered_with_those_that_are_known(running: Running) -> None:
    """404 with their names."""
    answer = httpx.post(f"{running.url}/functions/trian", trust_env=False)
    assert answer.status_code == 404
    assert "train" in answer.json()["error"]


def test_a_stop_lets_the_requests_in_flight_finish(running: Running) -> None:
    """The answer arrives though the stop came first, and the port is free afterwards."""
    answers: list[httpx.Response] = []
    asking = threading.Thread(
        target=lambda: answers.append(
            httpx.post(f"{running.url}/functions/slow", content=b"x", trust_env=False)
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

    front = Front(listen(0), broker=_echo, functions={}, lifespan=Broken)
    with pytest.raises(Unavailable, match="disk full"):
        front.start()
    front.stop()
