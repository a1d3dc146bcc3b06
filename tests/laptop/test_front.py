"""The one port of the platform: broker, functions, health, a clean start and a clean stop."""

import threading

import httpx
import pytest

from knoll.errors import Unavailable
from knoll.laptop.front import Front, listen


def _echo(headers, body):
    return 202, {"x-seen": headers["ce-id"]}, body


@pytest.fixture
def front():
    started = threading.Event()

    def slow(_headers, body):
        started.set()
        threading.Event().wait(0.5)
        return 200, {}, body

    running = Front(listen(0), broker=_echo, functions={"train": _echo, "slow": slow})
    running.started = started
    running.start()
    yield running
    running.stop()


def test_broker_and_functions_get_headers_and_body_and_answer_for_themselves(front):
    """Status, headers and body of the callable are the answer."""
    with httpx.Client(base_url=front.url, trust_env=False) as http:
        for path in ("/broker", "/functions/train"):
            answer = http.post(path, content=b"body", headers={"ce-id": "7"})
            assert (answer.status_code, answer.headers["x-seen"], answer.content) == (202, "7", b"body")
        assert http.get("/healthz").json() == {"status": "ok"}
        assert http.get("/broker").status_code == 405


def test_a_header_that_comes_twice_has_both_values(front):
    """An event with two ids is refused, and not taken for the first or the second."""
    answer = httpx.post(f"{front.url}/broker", headers=[("ce-id", "1"), ("ce-id", "2")], trust_env=False)
    assert answer.headers["x-seen"] == "1, 2"


def test_a_web_page_cannot_use_the_platform_under_a_name_of_its_own(front):
    """A foreign Host header is refused: a name may lead to 127.0.0.1, and a browser would let its page read
    the answers."""
    assert (
        httpx.get(f"{front.url}/healthz", headers={"host": "example.test"}, trust_env=False).status_code
        == 400
    )
    assert (
        httpx.get(f"{front.url}/healthz".replace("127.0.0.1", "localhost"), trust_env=False).status_code
        == 200
    )


def test_an_unknown_function_is_answered_with_those_that_are_known(front):
    """404 with their names."""
    answer = httpx.post(f"{front.url}/functions/trian", trust_env=False)
    assert answer.status_code == 404
    assert "train" in answer.json()["error"]


def test_a_stop_lets_the_requests_in_flight_finish(front):
    """The answer arrives though the stop came first, and the port is free afterwards."""
    answers = []
    asking = threading.Thread(
        target=lambda: answers.append(
            httpx.post(f"{front.url}/functions/slow", content=b"x", trust_env=False)
        )
    )
    asking.start()
    assert front.started.wait(10)
    front.stop()
    asking.join()
    assert [one.status_code for one in answers] == [200]
    listen(int(front.url.rpartition(":")[2])).close()


def test_a_port_in_use_is_told_with_the_setting_that_helps(front):
    """The error names the port and KNOLL_PORT."""
    port = front.url.rpartition(":")[2]
    with pytest.raises(Unavailable, match=port) as caught:
        listen(int(port))
    assert "KNOLL_PORT" in caught.value.fix


def test_a_lifespan_that_fails_fails_the_start():
    """The platform does not pretend to be up."""

    class Broken:
        async def __aenter__(self):
            raise OSError("disk full")

        async def __aexit__(self, *_):
            return None

    front = Front(listen(0), broker=_echo, functions={}, lifespan=Broken)
    with pytest.raises(Unavailable, match="disk full"):
        front.start()
    front.stop()
