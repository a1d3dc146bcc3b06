"""A version that KServe's storage initializer has put into a folder is verified as strictly as one from the
store."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from knoll.errors import InvalidVersion, NotFound
from knoll.predict import loading
from knoll.predict.loading import read_version
from knoll.records.attestation import attest
from knoll.records.manifest import entry_of
from support.keys import signer_of

Files = Callable[..., dict[str, bytes]]


@pytest.fixture
def folder(tmp_path: Path, files_of: Files, classifier: Any) -> Path:
    """A folder as the initializer leaves it: the objects under the prefix, without those of zero bytes."""
    for name, body in files_of(classifier, {"notes/empty.md": b"", "notes/full.md": b"x"}).items():
        if body:
            (tmp_path / "models" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "models" / name).write_bytes(body)
    return tmp_path / "models"


def test_a_folder_is_a_version_when_every_byte_is_right(folder: Path) -> None:
    """The folder may have any name, and be reached over a link, as with KServe's model cars."""
    link = folder.with_name("link")
    link.symlink_to(folder)
    version = read_version(link)
    assert (version.manifest.model, version.manifest.version) == ("shade", "v000001")
    assert version.digest == entry_of((folder / "manifest.json").read_bytes()).sha256


def test_a_large_file_is_read_in_parts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read_version(folder)
    monkeypatch.setattr(loading, "_PART", 64)
    assert read_version(folder) == whole


def a_flipped_bit(folder: Path) -> None:
    body = bytearray((folder / "model.onnx").read_bytes())
    body[9] ^= 1
    (folder / "model.onnx").write_bytes(body)


def a_longer_file(folder: Path) -> None:
    (folder / "README.md").write_bytes(b"longer than it was")


def a_missing_file(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def a_file_that_should_be_empty(folder: Path) -> None:
    (folder / "notes/empty.md").write_bytes(b"x")


def a_link_to_the_same_bytes(folder: Path) -> None:
    shutil.move(folder / "model.onnx", folder.with_name("elsewhere"))
    (folder / "model.onnx").symlink_to(folder.with_name("elsewhere"))


def a_link_to_a_folder(folder: Path) -> None:
    (folder / "more").symlink_to(folder.parent)


def a_linked_manifest(folder: Path) -> None:
    shutil.move(folder / "manifest.json", folder.with_name("elsewhere"))
    (folder / "manifest.json").symlink_to(folder.with_name("elsewhere"))


def a_pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe.json")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (a_flipped_bit, "model.onnx has sha256"),
        (a_longer_file, "README.md has 18 bytes"),
        (a_missing_file, "model.safetensors is missing"),
        (a_file_that_should_be_empty, "notes/empty.md has 1 bytes"),
        (a_link_to_the_same_bytes, "'model.onnx' is a link"),
        (a_link_to_a_folder, "'more' is a link"),
        (a_linked_manifest, "'manifest.json' is a link"),
        (a_pipe, r"'pipe.json' is a link or a device"),
    ],
)
def test_a_folder_that_is_not_what_was_trained_is_refused(
    folder: Path, change: Callable[[Path], None], fault: str
) -> None:
    """Every difference from the manifest counts, and so does every way out of the folder."""
    change(folder)
    with pytest.raises(InvalidVersion, match=fault):
        read_version(folder)


def test_files_that_the_manifest_does_not_name_are_passed_over(folder: Path) -> None:
    whole = read_version(folder)
    (folder / "notes/extra.json").write_bytes(b"{}")
    (folder / ".cache").write_bytes(b"")
    assert read_version(folder) == whole


def test_a_folder_is_served_with_a_key_only_if_that_has_signed_it(folder: Path) -> None:
    sha256 = entry_of((folder / "manifest.json").read_bytes()).sha256
    with pytest.raises(InvalidVersion, match="it is not signed"):
        read_version(folder, sha256, signer_of().public.pem)
    (folder / "attestation.json").write_bytes(attest("shade", "v000001", sha256, signer_of()).encode())
    assert read_version(folder, sha256, signer_of().public.pem).digest == sha256


def test_a_folder_without_a_manifest_is_no_version(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"manifest\.json does not exist"):
        read_version(tmp_path)


@pytest.fixture
def predictor(folder: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The predictor of the image on that folder, as KServe starts it for an InferenceService with a name of
    its own."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    command = [
        sys.executable,
        "-m",
        "knoll.wiring.predictor",
        "--model",
        "my-shades",
        "--model-dir",
        str(folder),
    ]
    process = subprocess.Popen(
        command, env={**os.environ, "PORT": port}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    yield f"http://127.0.0.1:{port}", process
    process.kill()
    process.communicate()


def test_it_serves_under_the_name_of_the_service(predictor: Any, until: Callable[..., None]) -> None:
    """With no store and no broker in reach: both protocols, the version in the header, and not a word of what
    was not reported."""
    url, process = predictor

    def is_ready() -> bool:
        assert process.poll() is None, process.communicate()[0]
        try:
            return httpx.get(f"{url}/v2/models/my-shades/ready", trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    until(is_ready, 60)
    answer = httpx.post(
        f"{url}/v1/models/my-shades:predict", json={"instances": [[[255] * 4] * 4]}, trust_env=False
    )
    assert (answer.json()["predictions"][0]["label"], answer.headers["x-model-version"]) == (
        "light",
        "v000001",
    )
    process.terminate()
    assert process.communicate(timeout=30)[0] == ""
    assert process.returncode == 0
