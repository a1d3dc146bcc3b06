"""Requests and their answers, byte for byte, as `tests/predict/golden` has them: what clients rely on.

The model answers square roots, which are the same on every machine. The date and the digest of the version
are left out of the answers.
"""

import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).with_name("golden")
NAMES = sorted(path.stem for path in GOLDEN.glob("*.request"))
CHANGING = re.compile(rb"^(?:date|x-model-digest): [^\r]*\r\n", re.MULTILINE)


@pytest.fixture(scope="module")
def address(
    start: Callable[..., Any], files_of: Callable[..., dict[str, bytes]], roots: Any
) -> tuple[str, int]:
    """A predictor that has answered its first request."""
    predictor = start("roots", files_of(roots))
    assert predictor.wait_ready("/v2/models/roots/ready"), predictor.stop()
    host, _, port = predictor.url.removeprefix("http://").partition(":")
    told((host, int(port)), (GOLDEN / "v1-numbers.request").read_bytes())
    return host, int(port)


def told(address: tuple[str, int], request: bytes) -> bytes:
    """All bytes of the answer; each request asks to close the connection."""
    with socket.create_connection(address, timeout=30) as client:
        client.sendall(request)
        return CHANGING.sub(b"", b"".join(iter(lambda: client.recv(65536), b"")))


@pytest.mark.parametrize("name", NAMES)
def test_a_request_is_answered_as_it_was_before(address: tuple[str, int], name: str) -> None:
    answer = told(address, (GOLDEN / f"{name}.request").read_bytes())
    assert answer == (GOLDEN / f"{name}.answer").read_bytes()


def test_each_protocol_and_form_has_its_golden_requests() -> None:
    assert {path.stem for path in GOLDEN.glob("*.answer")} == set(NAMES)
    assert {one.partition("-")[0] for one in NAMES} == {"v1", "v2"}
    assert any(
        b"inference-header-content-length" in (GOLDEN / f"{one}.request").read_bytes() for one in NAMES
    )
