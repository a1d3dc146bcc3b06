"""What several test folders share: one real S3 server for the whole session, and waiting for what other processes do."""

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from knoll.laptop.seaweed import SeaweedFS, read_keys


@dataclass(frozen=True)
class S3:
    """Where the session's S3 server listens, and its keys."""

    endpoint: str
    access_key: str
    secret_key: str


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """The S3 server of the session; tests take buckets of their own."""
    home = tmp_path_factory.mktemp("s3")
    keys = read_keys(home / "keys.json")
    server = SeaweedFS(home / "s3", keys, home / "weed.log")
    try:
        server.wait_ready()
        yield S3(server.endpoint, keys.access, keys.secret)
    finally:
        server.stop()


@pytest.fixture(scope="session")
def until() -> Callable[..., None]:
    """A function that returns as soon as `condition()` is true, and fails the test after `seconds`."""

    def wait(condition: Callable[[], object], seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.02)

    return wait


@pytest.fixture(scope="session")
def is_gone() -> Callable[[int], bool]:
    """A function that tells whether there is no such process, or only its zombie."""

    def check(pid: int) -> bool:
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
        return not state or state.startswith("Z")

    return check
