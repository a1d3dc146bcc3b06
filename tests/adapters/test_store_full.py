"""A server that fails: if it is the platform's own, and its disk is full, the error names disk and bytes."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from knoll.errors import StoreUnavailable
from knoll.laptop import disk
from knoll.settings import Settings
from knoll.wiring.platform import object_store


@pytest.fixture
def failing() -> Iterator[str]:
    """The URL of a server that answers 500."""

    class Failing(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.send_response(500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Failing)
    threading.Thread(target=server.serve_forever).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("is_own", [True, False])
def test_the_full_disk_of_the_platforms_own_store_is_named(
    is_own: bool, failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "_LEAST", 2**60)
    settings = Settings(
        home=tmp_path,
        s3_endpoint=failing,
        s3_access_key="key",
        s3_secret_key="secret",
        own_s3=failing if is_own else "",
    )
    with pytest.raises(StoreUnavailable) as raised:
        object_store(settings, tries_once=True).put("s3://data/one", b"1")
    assert (f"the disk of {tmp_path} is full: " in str(raised.value)) == is_own
    assert ("it answered 500" in str(raised.value)) != is_own
    assert "make room" in raised.value.fix
