"""What is sent again, and when: by a real server that answers as it is told, and by the rule itself."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from knoll.client.retries import pause_before_retry, retry_after
from knoll.client.steps import Heard
from knoll.errors import InvalidInstance, KnollError, NotFound, Unavailable
from knoll.server_timing import read_timing

Ask = Callable[..., Any]
RIGHT = (200, {"x-model-version": "v000001"}, b'{"predictions": [{"label": "seven"}]}')
HANG_UP, HALF, SILENT = "hang up", "half", "silent"


@dataclass
class Server:
    """Its answers, one after the other; the last one stays. `at` has the times of the requests."""

    answers: list[Any]
    url: str = ""
    at: list[float] = field(default_factory=list)


@contextmanager
def serving(*answers: Any) -> Iterator[Server]:
    told, over = Server(list(answers)), threading.Event()

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            told.at.append(time.monotonic())
            answer = told.answers.pop(0) if len(told.answers) > 1 else told.answers[0]
            if answer == SILENT:
                over.wait(30)
            if answer == HALF:
                self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{")
            if isinstance(answer, str):
                self.close_connection = True
                return
            status, headers, body = answer
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        told.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield told
        finally:
            over.set()
            server.shutdown()
            thread.join()


def predict(asking: Ask, url: str, timeout: float = 20.0) -> Any:
    return asking(url, lambda client: client.model("digits").predict([1, 2]), timeout=timeout)


def busy(status: int = 503, **headers: str) -> Any:
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, b'{"error": "busy"}'


@pytest.mark.parametrize("first", [busy(503), busy(502), busy(504), HANG_UP], ids=str)
def test_what_no_model_has_answered_is_sent_again(asking: Ask, first: Any) -> None:
    with serving(first, RIGHT) as server:
        answer = predict(asking, server.url)
    assert (answer.label, answer.version, len(server.at)) == ("seven", "v000001", 2)


def test_feedback_is_sent_again_too(asking: Ask) -> None:
    """If the first try has counted, its answer got lost, and the second one counts nothing."""
    with serving(HANG_UP, busy(409)) as server:
        told = asking(server.url, lambda client: client.model("digits").feedback("id", "7"))
    assert (told.counted, len(server.at)) == (0, 2)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (busy(400), InvalidInstance),
        (busy(413), InvalidInstance),
        (busy(404), NotFound),
        (busy(429), Unavailable),
        (busy(500), KnollError),
        (busy(301), KnollError),
        (HALF, Unavailable),
    ],
    ids=str,
)
def test_what_was_answered_is_never_sent_again(asking: Ask, answer: Any, kind: type[KnollError]) -> None:
    with serving(answer, RIGHT) as server, pytest.raises(kind) as error:
        predict(asking, server.url)
    assert len(server.at) == 1
    assert error.type is kind
    assert str(error.value).startswith("predict digits: ")
    assert error.value.fix


def test_an_answer_of_another_kind_of_server_is_told(asking: Ask) -> None:
    """A web page, and an object that counts nothing."""
    kind = {"content-type": "text/html"}
    page, nothing = (200, kind, b"<html>"), (200, kind, b"[]")
    with serving(page) as server, pytest.raises(KnollError, match="the answer is not JSON"):
        predict(asking, server.url)
    for answer in (page, nothing):
        with serving(answer) as server, pytest.raises(KnollError, match="the answer counts no labels"):
            asking(server.url, lambda client: client.model("digits").feedback("id", "7"))


def test_a_server_says_when_to_ask_again(asking: Ask) -> None:
    """If that is after the deadline, waiting is no use."""
    with serving(busy(retry_after="1"), RIGHT) as server:
        assert predict(asking, server.url).label == "seven"
        assert server.at[1] - server.at[0] >= 1
    began = time.monotonic()
    with serving(busy(retry_after="60")) as server, pytest.raises(Unavailable, match="HTTP 503: busy"):
        predict(asking, server.url)
    assert (len(server.at), time.monotonic() - began < 10) == (1, True)


def test_a_request_that_may_have_ended_a_replica_is_sent_three_times_at_most(asking: Ask) -> None:
    for answer in (busy(502), HANG_UP):
        with serving(answer) as server, pytest.raises(Unavailable):
            predict(asking, server.url)
        assert len(server.at) == 3


def test_nothing_is_waited_for_beyond_the_deadline(asking: Ask) -> None:
    """Neither a silent server, nor one that is always busy."""
    for answer, least in ((SILENT, 1), (busy(), 2)):
        began = time.monotonic()
        with serving(answer) as server:
            with pytest.raises(Unavailable):
                predict(asking, server.url, timeout=1.0)
            assert time.monotonic() - began < 3
        assert len(server.at) >= least


def test_a_server_that_starts_late_is_found(asking: Ask) -> None:
    """A connection that is refused has brought nobody the request."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    body = b'HTTP/1.1 200 OK\r\ncontent-length: 19\r\n\r\n{"predictions":[7]}'

    def late() -> None:
        time.sleep(0.3)
        with socket.create_server(("127.0.0.1", port)) as listening:
            client, _ = listening.accept()
            with client:
                client.recv(65536)
                client.sendall(body)

    thread = threading.Thread(target=late)
    thread.start()
    assert predict(asking, f"http://127.0.0.1:{port}").raw == 7
    thread.join()
    with pytest.raises(Unavailable, match="nothing listens there"):
        predict(asking, f"http://127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("answers", "pauses"),
    [
        ([(503, {})] * 8, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 4.0, 4.0]),
        ([(503, {"retry-after": "2"})] * 2, [2.0, 2.0]),
        ([(502, {}), (504, {}), (502, {})], [0.1, 0.2, None]),
        ([(503, {"retry-after": "100"})], [None]),
        ([(429, {})], [None]),
    ],
)
def test_pauses_grow_and_end(
    answers: Sequence[tuple[int, Mapping[str, str]]], pauses: Sequence[float | None]
) -> None:
    heard = [Heard(status, headers, b"") for status, headers in answers]
    found = [pause_before_retry(one, tries, 100, 0.0) for tries, one in enumerate(heard, 1)]
    assert found == pytest.approx(pauses)


def test_chance_only_makes_a_pause_longer() -> None:
    heard = Heard(503, {"retry-after": "2"}, b"")
    assert [pause_before_retry(heard, 1, 100, chance) for chance in (0.0, 0.5, 1.0)] == [2.0, 2.5, 3.0]


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("3", 3.0),
        ("Wed, 21 Oct 2026 07:28:05 GMT", 5.0),
        ("Wed, 21 Oct 2020 07:28:05 GMT", 0.0),
        ("soon", 0.0),
        ("-1", 0.0),
        ("", 0.0),
    ],
)
def test_retry_after_is_a_number_or_a_time_by_the_clock_of_the_server(asked: str, seconds: float) -> None:
    assert retry_after({"retry-after": asked, "date": "Wed, 21 Oct 2026 07:28:00 GMT"}) == seconds


def test_server_timing_of_others_is_passed_over() -> None:
    told = 'load;dur=250.0, cache;desc="hit", db;desc=x;dur=5, x;dur=, ;dur=1, y;dur=1.2.3'
    assert read_timing(told) == {"load": 0.25, "db": 0.005}
    assert read_timing("") == {}
