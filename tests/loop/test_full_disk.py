"""A disk that fills up under a running platform, and is emptied again."""

import contextlib
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.attack, pytest.mark.timeout(200)]


def test_a_full_disk_is_told_and_the_platform_goes_on_when_there_is_room(
    laptops: Any, small_disk: Path, tmp_path: Path
) -> None:
    """Health is 503 with the reason while the disk is full. Then writes to all folders of the bucket work
    again, and nobody has started anything."""
    (tmp_path / "home-0").symlink_to(small_disk)
    laptop = laptops()
    health = f"{laptop.platform.settings.url}/healthz"
    store, root = laptop.platform.store, laptop.root
    ballast = small_disk / "ballast"
    with ballast.open("wb") as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65536))
            file.flush()
    laptop.until(lambda: httpx.get(health).status_code == 503)
    assert "is full: 0 bytes are free" in httpx.get(health).json()["error"]
    for number in range(16):
        with contextlib.suppress(Exception):
            store.put(f"{root}/backup/{number}/one", b"x" * 100_000)
    ballast.unlink()
    laptop.until(lambda: httpx.get(health).status_code == 200, 60)
    for number in range(16):
        store.put(f"{root}/backup/{number}/two", b"x" * 1000)
