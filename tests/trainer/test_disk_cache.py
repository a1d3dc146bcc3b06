"""The cache of what was read: bounded, shared by processes, and believed only if it is whole."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from knoll.settings import Settings
from knoll.trainer.disk_cache import DiskCache, open_cache

_WRITER = """
import sys
from pathlib import Path
from knoll.trainer.disk_cache import DiskCache
cache = DiskCache(Path(sys.argv[1]), 100_000)
for number in range(300):
    name = f"{int(sys.argv[2]) * number}"
    cache.keep(name, name.encode() * 200)
    found = cache.find(name)
    assert found in (None, name.encode() * 200), found
"""


def files(folder: Path) -> list[Path]:
    return [one for one in folder.rglob("*") if one.is_file() and one.name != "count"]


def test_the_oldest_entries_go_first_and_a_read_makes_an_entry_new(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 10_000)
    for number in range(9):
        cache.keep(str(number), bytes(1000))
    assert cache.find("0") == bytes(1000)
    cache.keep("9", bytes(1000))
    assert [name for name in "0123456789" if cache.find(name)] == ["0", "4", "5", "6", "7", "8", "9"]
    assert sum(one.stat().st_size for one in files(tmp_path)) <= 10_000


def test_an_entry_that_is_torn_or_flipped_is_gone(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 10_000)
    for harm in (lambda body: body[:-1], lambda body: body[:-1] + b"x", lambda _: b""):
        cache.keep("one", b"content")
        (place,) = files(tmp_path)
        place.write_bytes(harm(place.read_bytes()))
        assert cache.find("one") is None
        assert not files(tmp_path)


@pytest.mark.parametrize("kind", ["link", "pipe", "large file", "folder"])
def test_what_is_no_entry_is_neither_followed_nor_waited_for(kind: str, tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "cache", 10_000)
    (tmp_path / "cache").mkdir()
    cache.keep("one", b"content")
    (place,) = files(tmp_path / "cache")
    kept = place.rename(tmp_path / "kept")
    if kind == "link":
        place.symlink_to(kept)
    elif kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    else:
        place.touch()
        os.truncate(place, 2**40)
    assert cache.find("one") is None
    assert kept.exists()


def test_processes_share_a_cache_that_keeps_its_bound(tmp_path: Path) -> None:
    """Some names are those of both writers."""
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path), str(number)]) for number in (2, 3)
    ]
    assert [one.wait() for one in writers] == [0, 0]
    assert sum(one.stat().st_size for one in files(tmp_path)) <= 100_000


def test_a_writer_that_was_killed_takes_no_room_for_ever(tmp_path: Path) -> None:
    """Neither its draft, nor the bytes that it had counted, nor a count that it has torn."""
    cache = DiskCache(tmp_path, 10_000)
    cache.keep("one", bytes(1000))
    (place,) = files(tmp_path)
    place.with_name("draft").write_bytes(bytes(5000))
    for told in ("9999999", ""):
        (tmp_path / "count").write_text(told)
        for number in range(9):
            cache.keep(str(number), bytes(1000))
    assert cache.find("8") == bytes(1000)
    assert not list(tmp_path.rglob("draft"))
    assert sum(one.stat().st_size for one in files(tmp_path)) <= 10_000


def test_a_disk_without_room_costs_the_entry_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = DiskCache(tmp_path, 10_000)
    cache.keep("large", bytes(3000))
    assert cache.find("large") is None

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkstemp", full)
    cache.keep("one", b"content")
    assert cache.find("one") is None


def test_without_a_folder_the_cache_goes_with_its_block(tmp_path: Path) -> None:
    with open_cache(Settings(home=tmp_path), {}) as cache:
        assert cache is not None
        cache.keep("one", b"content")
        assert cache.find("one") == b"content"
        (count,) = [one for one in cache._folder.iterdir() if one.name == "count"]
    assert not count.exists()
    with open_cache(Settings(cache=tmp_path / "kept"), {}) as cache:
        assert cache is not None
        cache.keep("one", b"content")
    with open_cache(Settings(cache=tmp_path / "kept"), {}) as cache:
        assert cache is not None
        assert cache.find("one") == b"content"
    with open_cache(Settings(cache_size=0), {}) as cache:
        assert cache is None


def test_a_pod_is_not_evicted_for_its_cache(tmp_path: Path) -> None:
    """It takes half of the disk that the Pod may use: 20 kB let it keep entries of 2500 bytes."""
    with open_cache(Settings(cache=tmp_path), {"ephemeral-storage": "20k"}) as cache:
        assert cache is not None
        for number in range(9):
            cache.keep(str(number), bytes(2000))
    assert 0 < sum(one.stat().st_size for one in files(tmp_path)) <= 10_000
