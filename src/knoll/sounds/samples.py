"""The one decoder of sounds, for training and serving alike: one channel of float32, from -1 to 1.

- All channels are averaged.
- Whole numbers are divided by their full scale; those of 8 bits in a WAV have their zero at 128.
- Floats beyond full scale are clipped. Far beyond it, they have another scale, and are refused.
- A file whose end is missing is refused, however much of it can be heard.
- Another rate is made by soxr, with its recipe HQ: a linear-phase filter, the same for each call.

libsndfile never sees the header of a stranger's WAV: it gets raw samples. Of a FLAC it gets the description
and the frames, without tags and pictures. It decodes a block at a time.
"""

import io
import wave
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from knoll.quoting import escaped
from knoll.sounds.header import SoundHeader, bad_sound, read_sound_header
from knoll.sounds.limits import FULL_SCALE, HIGHEST_RATE, LOWEST_RATE

__all__ = ["Samples", "Sound", "read_sound", "resample", "to_wav"]

Samples = NDArray[np.float32]

_BLOCK = 2**16  # samples of a channel that are decoded at a time
_STEPS = 2**15 - 1  # of 16 bits


@dataclass(frozen=True)
class Sound:
    """One channel, (T,), from -1 to 1; `rate` is in Hz. `header` is that of its file."""

    samples: Samples
    rate: int
    header: SoundHeader


def read_sound(body: bytes, rate: int = 0) -> Sound:
    """The sound of a WAV or FLAC, at this rate in Hz; 0 stands for its own. Raises InvalidData, in words that
    begin with "it", if it cannot be read, or is beyond the limits."""
    header = read_sound_header(io.BytesIO(body), len(body))
    samples = np.empty(header.frames, np.float32)
    done = 0
    try:
        with _open(body, header) as file:
            while done < header.frames:
                block = file.read(min(_BLOCK, header.frames - done), "float32", always_2d=True)
                if not len(block):
                    break
                samples[done : done + len(block)] = _mixed(block)
                done += len(block)
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise bad_sound(
            f"it is damaged behind {done / header.rate:.1f} seconds, {_why(error)}", "write the file again"
        ) from error
    if done < header.frames:
        raise bad_sound(
            f"it is cut short or damaged: its header says {header.seconds:.1f} seconds, and "
            f"{done / header.rate:.1f} can be read",
            "write the file again",
        )
    wanted = rate or header.rate
    return Sound(resample(samples, header.rate, wanted), wanted, header)


def resample(samples: Samples, rate: int, wanted: int) -> Samples:
    """(T,) at one rate in Hz -> (T · wanted / rate,) at another, from -1 to 1. Raises ValueError if a rate is
    beyond the limits."""
    if not all(LOWEST_RATE <= one <= HIGHEST_RATE for one in (rate, wanted)):
        raise ValueError(f"a rate is from {LOWEST_RATE:,} to {HIGHEST_RATE:,} Hz, not {rate:,} or {wanted:,}")
    if rate == wanted:
        return samples
    made: Samples = soxr.resample(samples, rate, wanted, quality="HQ")
    return np.clip(made, -1, 1)


def to_wav(samples: Samples, rate: int) -> bytes:
    """(T,) -> WAV of 16 bits in one channel; what is beyond -1 to 1 is clipped."""
    body = io.BytesIO()
    with wave.open(body, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.rint(np.clip(samples, -1, 1) * _STEPS).astype("<i2").tobytes())
    return body.getvalue()


def _open(body: bytes, header: SoundHeader) -> soundfile.SoundFile:
    sound = memoryview(body)[header.start : header.end]
    if header.kind == "FLAC":
        last = bytes([0x80, 0, 0, len(header.info)])
        return soundfile.SoundFile(io.BytesIO(b"".join([b"fLaC", last, header.info, sound])))
    return soundfile.SoundFile(
        io.BytesIO(sound),
        samplerate=header.rate,
        channels=header.channels,
        subtype=header.encoding,
        endian="BIG" if header.big else "LITTLE",
        format="RAW",
    )


def _mixed(block: Samples) -> Samples:
    """(T, channels) -> (T,)."""
    mixed: Samples = block.mean(axis=1, dtype=np.float32) if block.shape[1] > 1 else block[:, 0]
    highest = float(np.abs(mixed).max())
    if not np.isfinite(highest):
        raise bad_sound("it has samples that are no numbers", "write the file again")
    if highest > FULL_SCALE:
        raise bad_sound(
            f"it has samples up to {highest:g}, and 1 is full scale", "divide them by their full scale"
        )
    return np.clip(mixed, -1, 1)


def _why(error: Exception) -> str:
    return escaped(str(error).partition("\n")[0][:200] or type(error).__name__)
