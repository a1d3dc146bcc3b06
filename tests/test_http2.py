"""Clients that speak HTTP/2 on the port of HTTP/1.1, among them slow and endless ones."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
)
from h2.settings import SettingCodes
from hyperframe.frame import Frame

from test_http_connection import LEFT, Hasty, started


class Impatient(Hasty):
    taken_within = 0.3


@pytest.fixture
def server() -> Iterator[tuple[uvicorn.Server, int]]:
    """A server, and its port."""
    with started(Impatient, 5) as found:
        yield found


class Client:
    """A client whose every frame is in the hand of the test."""

    def __init__(self, port: int, window: int = 65535) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.http2 = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self.http2.initiate_connection()
        self.http2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window})

    def ask(
        self, path: bytes = b"/", body: bytes = b"", *more: tuple[bytes, bytes], whole: bool = True
    ) -> int:
        """Begin a request; without `whole` its body has no end yet."""
        id = self.http2.get_next_available_stream_id()
        head = [(b":method", b"POST"), (b":path", path), (b":scheme", b"http"), (b":authority", b"x")]
        self.http2.send_headers(id, head, end_stream=whole and not body)
        if body:
            self.http2.send_data(id, body, end_stream=whole)
        self.flush()
        return id

    def flush(self) -> None:
        self.socket.sendall(self.http2.data_to_send())

    def events(self) -> Iterator[Any]:
        """What the server says, until it hangs up."""
        while data := self.socket.recv(65536):
            yield from self.http2.receive_data(data)
            self.flush()

    def until(self, kind: type, **named: Any) -> Any:
        """The next event of that kind."""
        return next(
            one
            for one in self.events()
            if isinstance(one, kind) and all(getattr(one, key) == value for key, value in named.items())
        )


@contextmanager
def asking(port: int, **named: Any) -> Iterator[Client]:
    client = Client(port, **named)
    with client.socket:
        yield client


def answer(client: Client, id: int) -> tuple[bytes, bytes]:
    """Status and body."""
    status, body = b"", b""
    for one in client.events():
        if getattr(one, "stream_id", id) != id:
            continue
        match one:
            case ResponseReceived():
                status = dict(one.headers)[b":status"]
            case DataReceived():
                body += one.data
                client.http2.acknowledge_received_data(one.flow_controlled_length, id)
                client.flush()
            case StreamEnded():
                break
    return status, body


def test_requests_share_a_connection(server: tuple[uvicorn.Server, int]) -> None:
    with asking(server[1]) as client:
        slow, quick = client.ask(b"/slow"), client.ask(b"/")
        assert answer(client, quick) == (b"200", b"ok")
        assert answer(client, slow) == (b"200", b"ok")


def test_the_first_bytes_may_come_one_by_one(server: tuple[uvicorn.Server, int]) -> None:
    with asking(server[1]) as client:
        for byte in client.http2.data_to_send():
            client.socket.sendall(bytes([byte]))
        assert answer(client, client.ask()) == (b"200", b"ok")


def test_bodies_come_and_go_as_there_is_room(server: tuple[uvicorn.Server, int]) -> None:
    """The client lets the server send 1,000 bytes at a time."""
    with asking(server[1], window=1000) as client:
        id = client.ask(b"/echo", b"x" * 10_000)
        assert answer(client, id) == (b"200", b"x" * 10_000)


def test_a_client_that_takes_no_answer_is_hung_up_on(server: tuple[uvicorn.Server, int]) -> None:
    with asking(server[1], window=1) as client:
        client.ask(b"/echo", b"xx")
        assert [one.data for one in client.events() if isinstance(one, DataReceived)] == [b"x"]


def test_a_reset_request_hears_that_its_client_has_gone(
    server: tuple[uvicorn.Server, int], until: Callable[..., None]
) -> None:
    with asking(server[1]) as client:
        LEFT.clear()
        id = client.ask(b"/leaves")
        client.http2.reset_stream(id)
        client.flush()
        until(lambda: LEFT == ["http.disconnect"])
        assert answer(client, client.ask()) == (b"200", b"ok")


def test_who_resets_one_request_after_the_other_is_hung_up_on(server: tuple[uvicorn.Server, int]) -> None:
    with asking(server[1]) as client:
        for _ in range(250):
            client.http2.reset_stream(client.ask(b"/slow"))
        client.flush()
        assert client.until(ConnectionTerminated).error_code == ErrorCodes.ENHANCE_YOUR_CALM


def test_few_requests_wait_for_their_bodies(server: tuple[uvicorn.Server, int]) -> None:
    """One more is refused, unless the oldest has waited long."""
    with asking(server[1]) as client:
        waiting = [client.ask(b"/echo", b"x", whole=False) for _ in range(3)]
        assert answer(client, client.ask(b"/echo", b"x", whole=False))[0] == b"503"
        client.http2.end_stream(waiting[1])
        client.flush()
        assert answer(client, waiting[1]) == (b"200", b"x")


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", ErrorCodes.FRAME_SIZE_ERROR),
        (b"\x00\x00\x08\x06\x00\x00\x00\x00\x01" + bytes(8), ErrorCodes.PROTOCOL_ERROR),  # a ping of a stream
        (b"\x01\x00\x01\x01\x00\x00\x00\x00\x03", ErrorCodes.ENHANCE_YOUR_CALM),
        (
            b"\x00\x90\x00\x01\x00\x00\x00\x00\x03" + bytes(0x9000) + b"\x00\x90\x00\x09\x00\x00\x00\x00\x03",
            ErrorCodes.ENHANCE_YOUR_CALM,
        ),
    ],
    ids=["http1", "ping", "long head", "long head in parts"],
)
def test_what_breaks_the_rules_ends_the_connection(
    server: tuple[uvicorn.Server, int], frames: bytes, code: ErrorCodes
) -> None:
    with asking(server[1]) as client:
        answer(client, client.ask())
        client.socket.sendall(frames)
        assert client.until(ConnectionTerminated).error_code == code


def test_the_last_answers_are_sent_before_the_end(server: tuple[uvicorn.Server, int]) -> None:
    """The server says that it ends, answers what it has, and hangs up."""
    with asking(server[1]) as client:
        client.ask(b"/slow")
        client.until(RemoteSettingsChanged)
        server[0].should_exit = True
        kinds, said = [], b"".join(iter(lambda: client.socket.recv(65536), b""))
    while said:
        frame, length = Frame.parse_frame_header(memoryview(said[:9]))
        kinds.append(type(frame).__name__)
        said = said[9 + length :]
    assert kinds[-3:] == ["GoAwayFrame", "HeadersFrame", "DataFrame"]
