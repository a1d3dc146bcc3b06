"""The mel spectrogram of a sound, and a picture of it for people."""

import numpy as np
from numpy.typing import NDArray

from knoll.sounds.samples import Samples

__all__ = ["log_mel", "mel_filters", "mel_picture"]

_LEAST = 1e-5  # magnitude that stands for silence
_AT_ONCE = 1024  # windows
_WIDEST = 1000  # windows of a picture


def mel_filters(rate: int, window: int, bands: int) -> NDArray[np.float32]:
    """Triangles over the frequencies of a window, (bands, window // 2 + 1), evenly on the mel scale from 0 to
    rate / 2: m = 2595 log10(1 + f / 700) (O'Shaughnessy, 1987). The highest point of each is 1."""
    highest = 2595 * np.log10(1 + rate / 2 / 700)
    corners = 700 * (10 ** (np.linspace(0, highest, bands + 2) / 2595) - 1)
    hertz = np.linspace(0, rate / 2, window // 2 + 1)
    rise = (hertz - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    fall = (corners[2:, None] - hertz) / (corners[2:] - corners[1:-1])[:, None]
    return np.maximum(0, np.minimum(rise, fall)).astype(np.float32)


def log_mel(
    samples: Samples, rate: int, *, window: int = 1024, hop: int = 256, bands: int = 80
) -> NDArray[np.float32]:
    """(T,) -> natural logarithms of magnitudes, (bands, 1 + T // hop). Windows of Hann lie around each hop;
    zeros continue the sound at its ends."""
    padded = np.pad(samples, window // 2)
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    filters = mel_filters(rate, window, bands)
    parts = [
        filters @ np.abs(np.fft.rfft(windows[start : start + _AT_ONCE] * hann, axis=1)).T
        for start in range(0, len(windows), _AT_ONCE)
    ]
    return np.log(np.maximum(np.concatenate(parts, axis=1), _LEAST)).astype(np.float32)


def mel_picture(samples: Samples, rate: int, *, bands: int = 80) -> NDArray[np.uint8]:
    """(T,) -> grey pixels (bands, width ≤ 1001), high tones above, loud ones light; 80 dB below the loudest
    is black."""
    hop = max(256, -(-len(samples) // _WIDEST))
    levels = log_mel(samples, rate, hop=hop, bands=bands)[::-1] * (20 / np.log(10))
    pixels: NDArray[np.uint8] = np.rint(255 * np.clip(1 + (levels - levels.max()) / 80, 0, 1)).astype(
        np.uint8
    )
    return pixels
