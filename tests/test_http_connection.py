"""Slow and endless clients, against a real socket."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest
import uvicorn

from knoll.http_connection import Connection, server_config

SLOW = b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"

LEFT: list[str] = []  # what the application at /leaves heard instead of its client


class Hasty(Connection):
    head_seconds, half_closed_seconds = 0.3, 0.6
    most_waiting, waits_undisturbed = 3, 0.3


async def answers(
    scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    if scope["type"] == "http":
        body, is_whole = b"", scope["path"] == "/"
        while not is_whole and (message := await receive())["type"] == "http.request":
            body, is_whole = body + message["body"], not message["more_body"]
        if scope["path"] == "/slow":
            await asyncio.sleep(0.2)
        if scope["path"] == "/leaves":
            LEFT.append((await receive())["type"])
        said = body or b"ok"
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-length", b"%d" % len(said))],
            }
        )
        await send({"type": "http.response.body", "body": said})


@contextmanager
def started(connection: type[Connection], drain: int) -> Iterator[tuple[uvicorn.Server, int]]:
    """A server with such connections, and its port."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        config = server_config(answers, drain)
        config.http, config.lifespan = connection, "off"
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        yield server, bound.getsockname()[1]
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server whose clients have 0.3 s for the head of a request."""
    with started(Hasty, 1) as (_, port):
        yield port


def told(port: int, *parts: bytes) -> bytes:
    """What the server says before it hangs up, which resets a client that still sends."""
    said = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        with suppress(ConnectionError):
            client.sendall(b"".join(parts))
        with suppress(ConnectionError):
            while more := client.recv(65536):
                said += more
    return said


def exchange(port: int, *parts: bytes) -> tuple[int, Any]:
    """Status and body of the one answer."""
    head, _, body = told(port, *parts).partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else 0, json.loads(body) if body else None


def test_a_head_that_comes_too_slowly_is_refused(port: int) -> None:
    """Also the second head of a connection; one that never begins is just hung up."""
    slow = b"POST / HTTP/1.1\r\nhost: x\r\nx-a: "
    assert exchange(port, slow) == (408, {"error": "the head of the request did not arrive within 0.3 s"})
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"200" in client.recv(1000)
        client.sendall(slow)
        assert b"408" in client.recv(1000)
    assert exchange(port) == (0, None)


def test_a_head_without_end_is_refused(port: int) -> None:
    status, body = exchange(port, b"GET / HTTP/1.1\r\n", *[b"x-a: " + b"b" * 9000 + b"\r\n"] * 9)
    assert (status, body["error"]) == (431, "the head of the request is longer than 65536 bytes")


@pytest.mark.parametrize(
    "head", [b"GET /?%b HTTP/1.1\r\n\r\n", b"POST / HTTP/1.1\r\ncontent-length: 2\r\nx-a: %b\r\n\r\n{}"]
)
def test_the_limit_of_a_head_holds_for_its_last_bytes_and_for_its_path(port: int, head: bytes) -> None:
    long = {"error": "the head of the request is longer than 65536 bytes"}
    assert exchange(port, head % (b"b" * 65536)) == (431, long)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(head % (b"b" * 64_000))
        assert b"200" in client.recv(1000)


def test_what_is_no_http_gets_an_error_in_json(port: int) -> None:
    assert exchange(port, b"\x16\x03\x01 what\r\n\r\n") == (400, {"error": "this is no HTTP request"})


@pytest.mark.parametrize(
    "length", [b"transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n", b"transfer-encoding: x\r\n\r\n{}"]
)
def test_a_body_that_is_no_http_gets_an_error_in_json(port: int, length: bytes) -> None:
    """Also while the application waits for it."""
    status, body = exchange(port, b"POST /waits HTTP/1.1\r\nhost: x\r\n" + length)
    assert (status, body) == (400, {"error": "the request breaks the rules of HTTP"})


@pytest.mark.parametrize(
    "odd", [b"\x16\x03\x01\r\n\r\n", b"GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"]
)
def test_what_strangers_send_writes_no_line(port: int, odd: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Else any program on the machine could fill the terminal of `knoll up`."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(odd)
        assert client.recv(1000)
    assert not caplog.records


def test_pipelined_requests_whose_client_goes_write_no_line(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The one that is under way, which is not the newest, ends in silence."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(SLOW * 3)
    assert told(port, SLOW, LAST).count(b"200 OK") == 2
    assert not caplog.records


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b"\x16\x03\x01\r\n\r\n", "this is no HTTP request"),
        (
            b"POST /waits HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz",
            "the request breaks the rules of HTTP",
        ),
        (b"GET / HTTP/1.1\r\nx-a: ", "the head of the request did not arrive within 0.3 s"),
    ],
)
def test_requests_before_a_broken_one_are_answered_first(port: int, broken: bytes, reason: str) -> None:
    said = told(port, SLOW * 2 + broken)
    assert [said.count(one) for one in (b"200 OK", b"HTTP/1.1 4")] == [2, 1]
    assert said.endswith(json.dumps({"error": reason}).encode())


def test_a_head_that_waits_for_the_answer_before_it_is_not_late(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(SLOW * 3 + LAST[:20])
        time.sleep(0.4)
        client.sendall(LAST[20:])
        said = b"".join(iter(lambda: client.recv(65536), b""))
    assert said.count(b"200 OK") == 4


@pytest.mark.parametrize(
    "upgrade",
    [
        b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAAAA\r\n",
        b"connection: upgrade\r\nupgrade: websocket\r\n",
        b"upgrade: TLS/1.0\r\nconnection: upgrade\r\n",
    ],
)
@pytest.mark.parametrize(
    "body",
    [b"content-length: 6\r\n\r\nGET / ", b"transfer-encoding: chunked\r\n\r\n6\r\nGET / \r\n0\r\n\r\n"],
)
@pytest.mark.parametrize("pause", [0, 0.1])
def test_a_wish_for_another_protocol_is_ignored(port: int, upgrade: bytes, body: bytes, pause: float) -> None:
    """The body is that of the request, also if it comes later, and also of each pipelined request."""
    head, begin, rest = b"POST /echo HTTP/1.1\r\nhost: x\r\n" + upgrade, body[:-4], body[-4:]
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(SLOW + (head + body) * 2 + head + begin)
        time.sleep(pause)
        client.sendall(rest + LAST)
        said = b"".join(iter(lambda: client.recv(65536), b""))
    assert [said.count(one) for one in (b"200 OK", b"\r\n\r\nGET / ", b"HTTP/1.1 4")] == [5, 3, 0]


def test_a_tunnel_is_refused(port: int) -> None:
    for target in (b"x:80", b"/"):
        head = b"CONNECT %b HTTP/1.1\r\nhost: x\r\nupgrade: y\r\nconnection: upgrade\r\n\r\n" % target
        assert exchange(port, head + LAST) == (400, {"error": "the request breaks the rules of HTTP"})


@pytest.mark.parametrize("more", [b"", LAST[:9], b"POST /echo HTTP/1.1\r\ncontent-length: 9\r\n\r\nhalf"])
def test_a_client_that_has_closed_its_side_is_answered(port: int, more: bytes) -> None:
    """Each whole request is, and then the connection ends."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(SLOW * 2 + more)
        client.shutdown(socket.SHUT_WR)
        said = b"".join(iter(lambda: client.recv(65536), b""))
    assert said.count(b"200 OK") == 2


def test_a_client_that_hangs_up_is_gone_after_a_moment(port: int, until: Callable[..., None]) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"GET /leaves HTTP/1.1\r\nhost: x\r\n\r\n")
    until(lambda: LEFT == ["http.disconnect"])


def test_only_so_many_requests_wait_for_their_bodies(port: int) -> None:
    """One more is refused, and heard again when the oldest has waited for a while. Whole requests are
    answered all the time."""
    begun, full = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf", b"HTTP/1.1 503"
    with ExitStack() as stack:

        def opened() -> socket.socket:
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            client.sendall(begun)
            return client

        oldest, other, _ = opened(), opened(), opened()
        time.sleep(0.1)
        refused = opened().recv(65536)
        assert (refused.startswith(full), b"retry-after: 2" in refused) == (True, True)
        assert told(port, begun + b"whole" + LAST).count(b"200 OK") == 2
        time.sleep(0.3)
        newest = opened()
        assert oldest.recv(65536).startswith(full)
        for client in (other, newest):
            client.sendall(b"whole")
            assert client.recv(65536).endswith(b"halfwhole")
