"""Questions to hooks over real sockets: what is behind a URL may be slow, endless or somewhere else."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from knoll.adapters.hooks_http import HttpHooks
from knoll.hooks import HookAnswer, HookRequest

Asked = list[tuple[str, dict[str, str], bytes]]


@contextmanager
def hook(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[tuple[str, Asked]]:
    """A server whose answers `answer` writes, its URL and what it was sent: path, headers, body."""
    asked: Asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            answer(self)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://localhost:{listening.server_port}", asked
        finally:
            listening.shutdown()
            thread.join()


def say(status: int, text: str = "", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(text.encode())

    return answer


def ask(url: str, seconds: float = 5.0) -> HookAnswer:
    return HttpHooks().ask(HookRequest(url, b'{"version": "v000002"}', "a1", seconds))


def test_a_question_is_posted_with_its_id_and_the_answer_comes_back() -> None:
    with hook(say(409, "not before Monday")) as (url, asked):
        assert ask(f"{url}/rollouts?team=a") == HookAnswer(409, "not before Monday")
    (path, headers, body) = asked[0]
    assert (path, body) == ("/rollouts?team=a", b'{"version": "v000002"}')
    assert (headers["idempotency-key"], headers["content-type"]) == ("a1", "application/json")
    assert headers["host"].startswith("localhost:")


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    with hook(say(200, "there")) as (elsewhere, asked), hook(say(307, location=elsewhere)) as (url, _):
        assert ask(url).status == 307
    assert asked == []


def test_only_the_beginning_of_an_endless_answer_is_read() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(403)
        handler.end_headers()
        for _ in range(10_000):
            handler.wfile.write(b"x" * 65536)

    with hook(answer) as (url, _):
        found = ask(url)
    assert (found.status, len(found.text)) == (403, 4096)


def test_an_answer_that_comes_drop_by_drop_ends_in_time() -> None:
    """No byte is late, but the whole is."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.05)

    with hook(answer) as (url, _):
        began = time.monotonic()
        assert ask(url, 0.3) == HookAnswer(0, "no answer within 0.3 s")
        assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fe80::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://2852039166/",
    ],
)
def test_no_link_local_address_is_asked(url: str) -> None:
    found = ask(url, 2.0)
    assert found.status == 0
    assert "link-local" in found.text


def test_a_hook_that_is_not_there_gives_no_answer_and_says_why() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        found = ask(f"http://127.0.0.1:{taken.getsockname()[1]}/")
    assert found.status == 0
    assert "no connection" in found.text
    assert ask("http://no-such-host.invalid/").status == 0
