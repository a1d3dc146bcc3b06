"""WAV and FLAC files for tests, whole and forged ones."""

import io
import struct

import numpy as np
import soundfile
from numpy.typing import NDArray

__all__ = ["flac", "flac_header", "tone", "wav"]


def tone(seconds: float = 0.1, rate: int = 8000, hertz: float = 440.0) -> NDArray[np.float32]:
    """(T,) half as loud as it may be."""
    return np.asarray(0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate), np.float32)


def wav(
    sound: bytes,
    *,
    tag: int = 1,
    channels: int = 1,
    rate: int = 8000,
    bits: int = 16,
    block: int | None = None,
    length: int | None = None,
) -> bytes:
    """A WAV whose header says what it is told to."""
    block = channels * ((bits + 7) // 8) if block is None else block
    form = struct.pack("<HHIIHH", tag, channels, rate, min(rate * block, 2**32 - 1), block & 0xFFFF, bits)
    size = len(sound) if length is None else length
    parts = b"".join([b"WAVEfmt ", struct.pack("<I", 16), form, b"data", struct.pack("<I", size), sound])
    return b"RIFF" + struct.pack("<I", len(parts)) + parts


def flac(samples: NDArray[np.float32], rate: int = 8000, subtype: str = "PCM_16") -> bytes:
    """(T,) or (T, channels) -> FLAC."""
    body = io.BytesIO()
    soundfile.write(body, samples, rate, format="FLAC", subtype=subtype)
    return body.getvalue()


def flac_header(
    *, block: int = 4096, rate: int = 8000, channels: int = 1, bits: int = 16, frames: int = 800
) -> bytes:
    """The description of a FLAC, without frames."""
    packed = rate << 44 | (channels - 1) << 41 | (bits - 1) << 36 | frames
    info = struct.pack(">HH6s", block, block, bytes(6)) + packed.to_bytes(8) + bytes(16)
    return b"fLaC" + bytes([0x80, 0, 0, len(info)]) + info
