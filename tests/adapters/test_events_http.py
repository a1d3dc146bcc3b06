"""Events to a broker and requests to a predictor, over real sockets."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from knoll.adapters.events_http import HttpEvents
from knoll.adapters.http_faults import why_no_answer
from knoll.adapters.predictors_http import HttpPredictors
from knoll.errors import Unavailable
from knoll.events import Event
from knoll.events.http import event_from_http
from knoll.ports import PredictRequest

EVENT = Event("a-1", "/somewhere", "dev.knoll.tick", "2026-01-02T03:04:05Z", "digits", {"n": 1})


@contextmanager
def server(statuses: list[int]) -> Iterator[tuple[str, list[tuple[str, dict[str, str], bytes]]]]:
    """A server that gives these answers in turn, the last one for ever, and keeps what it was sent: path,
    headers, body."""
    requests: list[tuple[str, dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(statuses[min(len(requests), len(statuses)) - 1])
            self.send_header("x-model-version", "v000002")
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}", requests
        finally:
            listening.shutdown()
            thread.join()


def test_an_event_survives_a_broker_that_stumbles() -> None:
    """A 503 is tried again; the event arrives whole, in structured mode."""
    with server([503, 202]) as (url, requests):
        HttpEvents(url).publish(EVENT)
    assert len(requests) == 2
    path, headers, body = requests[-1]
    assert path == "/"
    assert event_from_http(headers, body) == EVENT


def test_an_event_that_the_broker_refuses_is_not_pressed_on_it() -> None:
    """After a 400 there is one try and an error that names the answer."""
    with server([400]) as (url, requests), pytest.raises(Unavailable, match="answered 400"):
        HttpEvents(url).publish(EVENT)
    assert len(requests) == 1


@pytest.mark.parametrize("sink", ["", "http://127.0.0.1:1/"])
def test_without_a_broker_the_error_says_what_to_check(sink: str) -> None:
    """No sink, or nobody listening: Unavailable with a fix."""
    with pytest.raises(Unavailable, match=r"dev\.knoll\.tick a-1") as caught:
        HttpEvents(sink).publish(EVENT)
    assert "is up" in caught.value.fix


def test_a_prediction_names_the_version_that_made_it() -> None:
    """The V1 path below the base URL, the body as it is, and the version from the answer's header."""
    with server([200]) as (url, requests):
        base, body = f"{url}/latest-digits-predictor/", b'{"instances": []}'
        answer = HttpPredictors().predict(PredictRequest(base, "digits", body, accept="image/png"))
    assert (answer.status, answer.version, answer.body) == (200, "v000002", b"{}")
    assert answer.seconds > 0
    path, headers, body = requests[0]
    assert (path, headers["accept"], body) == (
        "/latest-digits-predictor/v1/models/digits:predict",
        "image/png",
        b'{"instances": []}',
    )


def test_only_a_replay_says_that_it_is_one() -> None:
    """The predictor leaves replays out of its counts, so users' requests must not look like one."""
    with server([200]) as (url, requests):
        for replay in ("", "proof"):
            HttpPredictors().predict(PredictRequest(url, "digits", b"{}", replay=replay))
    assert [headers.get("x-knoll-replay") for _, headers, _ in requests] == [None, "proof"]


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:1", "http://[nonsense", "ftp://127.0.0.1"])
def test_a_predictor_that_is_not_there_gives_status_0(url: str) -> None:
    """A request never raises; its body says why there was no answer."""
    answer = HttpPredictors().predict(PredictRequest(url, "digits", b"{}"))
    assert answer.status == 0
    assert answer.body


NO_ADDRESS = "no connection to sink: the name leads to no address"
NO_TRUST = "no connection to sink: nobody whom this machine trusts has signed its certificate for that name"
NO_HTTP = "sink closed the connection, or what it answered is not HTTP"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (httpx.ConnectTimeout("timed out"), "no connection to sink within 4 s"),
        (httpx.PoolTimeout(""), "no free connection to sink within 1 s: too many requests wait here"),
        (httpx.WriteTimeout(""), "sink did not take the request within 3 s"),
        (httpx.ReadTimeout("timed out"), "connected to sink, and no answer within 2 s"),
        (
            httpx.ConnectError("[Errno 111] Connection refused"),
            "no connection to sink: nothing listens there",
        ),
        (httpx.ConnectError("[Errno -2] Name or service not known"), NO_ADDRESS),
        (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate"), NO_TRUST),
        (httpx.ConnectError("something else"), "no connection to sink"),
        (httpx.ReadError("reset"), "sink closed the connection before its answer was complete"),
        (httpx.RemoteProtocolError("illegal status line"), NO_HTTP),
        (httpx.InvalidURL("no host"), "the URL cannot be read"),
    ],
)
def test_each_fault_has_its_own_words_and_each_time_out_its_number(error: Exception, words: str) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error

    timeout = httpx.Timeout(connect=4.0, read=2.0, write=3.0, pool=1.0)
    client = httpx.Client(transport=httpx.MockTransport(fail), timeout=timeout)
    with client, pytest.raises(type(error)) as caught:
        client.get("http://sink/")
    assert why_no_answer(caught.value) == words
