"""`knoll upload` looks at the headers of sounds before the first byte is sent, in the words of a run."""

import io
import zipfile
from pathlib import Path

import pytest

from cli.declared import Knoll, model_yaml
from knoll.cli import upload_check
from knoll.data_layout import Form
from knoll.ports import Platform
from support.sounds import flac, tone, wav

GOOD = wav(bytes(1600))


@pytest.fixture
def send(
    knoll: Knoll, platform: Platform, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Knoll:
    """Send files of a Model whose family takes sounds: pairs of a name and its bytes."""
    monkeypatch.setattr(upload_check, "form_of", lambda family: Form(takes_sounds=True))

    def run(files: dict[str, bytes]) -> object:
        (tmp_path / "model.yaml").write_text(model_yaml(bucket))
        assert knoll("apply", "-f", tmp_path / "model.yaml").exit_code == 0
        for name, body in files.items():
            (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "data" / name).write_bytes(body)
        return knoll("upload", "digits", tmp_path / "data", "--dry-run")

    return run  # type: ignore[return-value]


def zipped(files: dict[str, bytes]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return body.getvalue()


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"a.wav": b"OggS" + bytes(60)}, "a.wav: it is an Ogg; only WAV and FLAC are read: save it as WAV"),
        ({"a.wav": GOOD[:-2]}, "a.wav: it is cut short: its header says 1,600 bytes of sound, and 1,598"),
        ({"a.wav": GOOD, "b.mp3": b"ID3"}, "b.mp3: it is no sound: only .wav and .flac are"),
        ({"d.zip": zipped({"a.wav": wav(bytes(4), rate=500)})}, "d.zip/a.wav: it has 500 samples a second"),
    ],
    ids=["other", "cut", "name", "member"],
)
def test_a_sound_that_no_run_could_read_is_not_sent(send: Knoll, files: dict[str, bytes], told: str) -> None:
    result = send(files)
    assert result.exit_code == 1
    assert "a run would be rejected, so nothing is sent" in " ".join(result.stderr.split())
    assert told in " ".join(result.stderr.split())


def test_sounds_that_a_run_can_read_are_sent(send: Knoll) -> None:
    result = send({"a.wav": GOOD, "b/c.FLAC": flac(tone()), "d.zip": zipped({"e.wav": GOOD})})
    assert result.exit_code == 0, result.stderr
