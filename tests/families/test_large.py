"""Data that is small to send and large to learn, as strangers sent it: it stays within the memory of a run.

`make test-attacks` gives each process a limit, so that whatever escapes ends the test and not the machine.
"""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from families.trainings import Trained
from knoll.families.image.family import ImageClassifier
from support.pictures import jpeg_of_scans

pytestmark = pytest.mark.attack


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def black(width: int, height: int) -> bytes:
    """A PNG of one bit for each pixel, a few kilobytes in all."""
    packer, row = zlib.compressobj(9), bytes(1 + (width + 7) // 8)
    data = b"".join([*(packer.compress(row) for _ in range(height)), packer.flush()])
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_1500_classes_end_in_a_version(trained: Trained) -> None:
    """Their confusion matrix once took 15 GB, after all epochs."""
    files = {}
    for number in range(3000):
        body = io.BytesIO()
        Image.fromarray(np.full((8, 8), number % 251, np.uint8)).save(body, "PNG")
        files[f"c{number // 2:04}/{number}.png"] = body.getvalue()
    training = trained(ImageClassifier, {"epochs": 1}, files)
    assert training.outcome.state == "succeeded"
    folder = f"s3://knoll-models/models/toy/{training.outcome.version}/"
    matrix = training.platform.store.get(f"{folder}confusion_matrix.png")
    assert max(Image.open(io.BytesIO(matrix)).size) <= 2450


def test_pictures_of_49_million_pixels_are_learnt_small(trained: Trained) -> None:
    """Each is decoded alone, and none is kept at its size."""
    files = {f"{label}/{number}.png": black(49_000, 1_000) for label in "ab" for number in range(4)}
    training = trained(ImageClassifier, {"epochs": 1}, files)
    assert training.outcome.state == "succeeded"
    assert training.version.signature.inputs[0].shape == (-1, 1, 8, 96)


def test_too_many_scans_reject_the_run_by_name(trained: Trained) -> None:
    """24 million pixels in thousands of empty scans would take minutes."""
    jpeg, bomb = (jpeg_of_scans(6_000, 4_000, scans) for scans in (0, 4_000))
    files = {f"{label}/{number}.jpg": jpeg for label in "ab" for number in range(2)}
    outcome = trained(ImageClassifier, {"epochs": 1}, {**files, "a/bomb.jpg": bomb}).outcome
    assert outcome.state == "rejected"
    assert "a/bomb.jpg: it is a JPEG of 6000×4000 pixels in 400" in outcome.reason
