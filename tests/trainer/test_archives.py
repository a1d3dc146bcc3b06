"""Archives are read as folders, up to the limits."""

import io
import zipfile
from collections.abc import Mapping

import pytest

from knoll.errors import InvalidData
from knoll.trainer import archives
from knoll.trainer.archives import unpack_archives


def archive(members: Mapping[str, bytes]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return body.getvalue()


def test_members_take_the_place_of_their_archive() -> None:
    files = unpack_archives(
        {"a/1.png": b"1", "more.zip": archive({"b/": b"", "b/2.png": b"2", "../../c/3.png": b"3"})}
    )
    assert files == {"a/1.png": b"1", "more.zip/b/2.png": b"2", "more.zip/../../c/3.png": b"3"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"PK\x03\x04rubbish",
        archive({"a": b"x" * 1000})[:-30],
        archive({"a": bytes(5000)}).replace(b"\0", b"\1"),
    ],
)
def test_a_broken_archive_is_named(body: bytes) -> None:
    with pytest.raises(InvalidData, match=r"broken\.zip"):
        unpack_archives({"broken.zip": body})


def test_a_bomb_is_read_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_MOST_BYTES", 10_000)
    assert len(unpack_archives({"fits.zip": archive({"a": bytes(9_999)})})["fits.zip/a"]) == 9_999
    with pytest.raises(InvalidData, match=r"bomb\.zip unpacks to more than"):
        unpack_archives({"fits": bytes(5_000), "bomb.zip": archive({"a": bytes(3_000), "b": bytes(3_000)})})
