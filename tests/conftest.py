"""What several test folders share: one real S3 server for the whole session."""

from collections.abc import Iterator
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
    home = tmp_path_factory.mktemp("s3")
    keys = read_keys(home / "keys.json")
    server = SeaweedFS(home / "s3", keys, home / "weed.log")
    try:
        server.wait_ready()
        yield S3(server.endpoint, keys.access, keys.secret)
    finally:
        server.stop()
