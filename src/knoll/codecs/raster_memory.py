"""How much memory a picture takes while it is decoded, told from its header.

Measured with Pillow 12 for pictures of 6 to 48 million pixels: a pixel takes 5 bytes in an RGB picture that
becomes grey, 8 if it has an orientation or transparency, and 12 in a progressive JPEG in CMYK.
"""

from dataclasses import dataclass

from knoll.codecs.raster_colours import STRIP

__all__ = ["LARGE", "Stored", "decoding_memory"]

LARGE = 2**24  # pixels that a picture may have between the two passes of its resizing

_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2}  # of a pixel as Pillow keeps it; all others take 4
_STRIP_BYTES = 32  # of a pixel in the strip whose colours are converted
_WEIGHTS = 16  # bytes for each pixel of a side while a picture is resized

PixelSize = tuple[int, int]


@dataclass(frozen=True)
class Stored:
    """A picture as its file has it, and its size and mode as shown. If it is read twice, both pictures are
    kept. `coefficients` is how many numbers of 2 bytes a JPEG keeps for each pixel until its last scan."""

    size: PixelSize
    mode: str
    shown: PixelSize
    flat_mode: str
    is_turned: bool
    is_read_twice: bool
    coefficients: float


def decoding_memory(stored: Stored, wanted_mode: str, wanted: PixelSize) -> int:
    """The most bytes at a time while a picture is decoded, shown, and fitted to a mode and a size."""
    flat, (width, height) = stored.flat_mode, stored.size
    raw, still = _image(stored.size, stored.mode), _image(stored.shown, flat)
    raw *= 2 if stored.is_read_twice else 1
    strip = min(width * height, max(STRIP, width)) * _STRIP_BYTES
    fitted = 0 if flat == wanted_mode else _image(stored.shown, wanted_mode)
    between = _image((wanted[0], min(stored.shown[1], LARGE // wanted[0])), wanted_mode)
    resized = between + _image(wanted, wanted_mode)
    return max(
        raw + int(2 * stored.coefficients * width * height),
        raw + strip + (0 if flat == stored.mode else still),
        still * (2 if stored.is_turned else 1),
        still + fitted + resized + _WEIGHTS * (width + height),
    )


def _image(size: PixelSize, mode: str) -> int:
    """The bytes of a picture: each row has a pointer, and starts at a multiple of 4."""
    width, height = size
    return height * (8 + (width * _BYTES.get(mode, 4) + 3) // 4 * 4)
