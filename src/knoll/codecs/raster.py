"""The one decoder of pictures, for training and serving alike: a PNG or JPEG becomes what viewers show.

- It stands as its EXIF orientation says.
- Transparent parts lie on white.
- A palette becomes RGB, and so does CMYK (Adobe's inverted one and YCCK, too).
- 1 bit becomes black and white. Of 16 bits the upper 8 stay, so that 0..65535 becomes 0..255.
- An embedded colour profile is converted to sRGB. A broken profile is ignored.
- Of several pictures in one file (animated PNG, MPO) the first is taken.
- A file whose end is missing is refused, however much of it can be shown.

The bytes may come from anybody. So all limits are checked on the header, before anything is decoded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageFile, UnidentifiedImageError

from knoll.codecs.raster_colours import Decoded, convert_colours, flat_mode
from knoll.codecs.raster_file import RasterFile
from knoll.codecs.raster_header import Header, read_header
from knoll.codecs.raster_memory import LARGE, Stored, decoding_memory
from knoll.errors import InvalidPicture

__all__ = [
    "DEFAULT_LIMITS",
    "Raster",
    "RasterLimits",
    "Shape",
    "check_raster",
    "fit_raster",
    "open_raster",
    "read_raster",
    "survey_raster",
]

_TABLES = {b"A2B0", b"A2B1", b"A2B2"}  # of a colour profile; matrices are quick
_TABLES_COST = 20  # scans of a JPEG that take as long as the conversion by tables
_CUT = "it is cut short: its end is missing"
_SAID = {  # by words of Pillow
    "MAX_TEXT_CHUNK": "its colour profile unpacks to more than 1 MiB",  # the limit that Pillow has for texts
    "palette index": "it is damaged: its palette and its pixels do not fit",
    "truncated": "it is damaged: a part of it is cut short",
    "Truncated": "its header is broken: a chunk of it is cut short",
    "data stream": "it is damaged: its pixels cannot be unpacked",
}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class RasterLimits:
    """The most pixels of one picture, and the most pixels × scans: a progressive JPEG is decoded once for
    each of its scans, and a colour profile with tables takes as long as 20 of them."""

    pixels: int = 50_000_000  # 150 MB once decoded
    scanned_pixels: int = 1_000_000_000


@dataclass(frozen=True)
class Shape:
    """Width and height as shown, and the mode that `read_raster` gives: L is grey."""

    width: int
    height: int
    mode: str


DEFAULT_LIMITS = RasterLimits()


class Raster:
    """A picture whose header has been checked, and whose pixels are not decoded yet."""

    def __init__(self, body: bytes, limits: RasterLimits) -> None:
        self._header = header = _checked(body, limits)
        self._file = RasterFile(_without(header.unread, body))
        picture = _open(self._file, header, limits)
        self.size, self.mode = picture.size, picture.mode
        self._is_read_twice = header.depth == 16 and bool(header.clear) and picture.mode == "RGB"
        self._opened = [picture]

    @property
    def shape(self) -> Shape:
        """What `read` gives."""
        width, height = self.size if self._header.orientation < 5 else self.size[::-1]
        return Shape(width, height, flat_mode(self.mode, self._header.is_grey))

    def memory(self, mode: str, width: int, height: int) -> int:
        """The most bytes that are taken at a time by `read`, and by `fit_raster` to that mode and size."""
        header, shown = self._header, self.shape
        stored = Stored(
            self.size,
            self.mode,
            (shown.width, shown.height),
            shown.mode,
            is_turned=header.orientation > 1,
            is_read_twice=self._is_read_twice,
            coefficients=header.coefficients,
        )
        return decoding_memory(stored, mode, (width, height))

    def check_end(self) -> None:
        """Raise InvalidPicture if the end is missing. Pillow reads a PNG without its last rows or bytes."""
        if not self._header.is_whole:
            raise _fault(self._header, _CUT)

    def read(self, check: Callable[[], None] = lambda: None) -> Image.Image:
        """The picture as viewers show it, in mode L or RGB. It is read once: after that its file is gone.

        `check` is called again and again meanwhile, and may raise. Raises InvalidPicture.
        """
        turn = _TURNS.get(self._header.orientation)
        self.check_end()
        try:
            flat = convert_colours(self._load(check), check)
        except Exception as error:
            check()
            raise _fault(self._header, _in_words(error, "it is damaged")) from error
        check()
        return flat if turn is None else flat.transpose(turn)

    def _load(self, check: Callable[[], None]) -> Decoded:
        header = self._header
        picture = self._opened.pop()
        self._file.watch(check, header.scan_starts)
        picture.load()
        lower = self._load_lower() if self._is_read_twice else None
        return Decoded(picture, header.is_grey, header.depth, header.clear, lower)

    def _load_lower(self) -> Image.Image:
        """The lower 8 of 16 bits: Pillow gives the upper ones, here of samples whose bytes it swaps."""
        self._file.seek(0)
        lower = Image.open(self._file, formats=["PNG"])
        assert isinstance(lower, ImageFile.ImageFile)
        lower.tile = [tile._replace(args="RGB;16L") for tile in lower.tile]
        lower.load()
        return lower


def open_raster(body: bytes, limits: RasterLimits = DEFAULT_LIMITS) -> Raster:
    """The picture, before it is decoded. Raises InvalidPicture that says which fault it has."""
    return Raster(body, limits)


def read_raster(body: bytes, limits: RasterLimits = DEFAULT_LIMITS) -> Image.Image:
    """The picture as viewers show it, in mode L or RGB. Raises InvalidPicture."""
    return open_raster(body, limits).read()


def survey_raster(body: bytes, limits: RasterLimits = DEFAULT_LIMITS) -> Shape:
    """What `read_raster` would give, from the header alone. Raises InvalidPicture."""
    return open_raster(body, limits).shape


def check_raster(body: bytes) -> None:
    """Check the header, and that the end is there. Raises InvalidPicture."""
    open_raster(body).check_end()


def fit_raster(picture: Image.Image, mode: str, width: int, height: int) -> Image.Image:
    """The picture in that mode, L or RGB, resized (bilinear) if it has another size."""
    converted = picture if picture.mode == mode else picture.convert(mode)
    if converted.size == (width, height):
        return converted
    if width * converted.height > LARGE and width > converted.width:
        # Pillow resizes the width first, and would make millions of rows longer.
        converted = converted.resize((converted.width, height), Image.Resampling.BILINEAR)
    return converted.resize((width, height), Image.Resampling.BILINEAR)


def _checked(body: bytes, limits: RasterLimits) -> Header:
    header = read_header(body)
    _check_pixels(header.size, limits)
    scanned = header.size[0] * header.size[1] * header.scans
    if scanned > limits.scanned_pixels:
        raise InvalidPicture(
            f"it is a JPEG of {header.size[0]}×{header.size[1]} pixels in {header.scans} scans: that is "
            f"{scanned:,} pixels to decode, more than the {limits.scanned_pixels:,} that are allowed",
            fix="save it as a baseline JPEG, or smaller",
        )
    return header


def _check_pixels(size: tuple[int, int], limits: RasterLimits) -> None:
    if size[0] * size[1] > limits.pixels:
        raise InvalidPicture(
            f"it has {size[0]}×{size[1]} pixels, more than the {limits.pixels:,} that are allowed",
            fix="make it smaller",
        )


def _open(file: RasterFile, header: Header, limits: RasterLimits) -> Image.Image:
    try:
        picture = Image.open(file, formats=["PNG", "JPEG"])
    except UnidentifiedImageError as error:
        raise _fault(header, "its header is broken") from error
    except Exception as error:
        raise _fault(header, _in_words(error, "its header is broken")) from error
    _check_pixels(picture.size, limits)  # Pillow may have read another header than ours
    work = picture.size[0] * picture.size[1] * (header.scans + _TABLES_COST)
    if work > limits.scanned_pixels and _has_tables(picture.info.get("icc_profile")):
        raise InvalidPicture(
            f"it has {picture.size[0]}×{picture.size[1]} pixels and a colour profile with tables, which "
            "takes too long to convert",
            fix="convert it to sRGB, or make it smaller",
        )
    return picture


def _has_tables(profile: Any) -> bool:
    """Whether a colour profile converts by tables: its tags stand behind a head of 128 bytes, each in 12."""
    if not isinstance(profile, bytes):
        return False
    tags = int.from_bytes(profile[128:132])
    return any(profile[place : place + 4] in _TABLES for place in range(132, 132 + 12 * min(tags, 200), 12))


def _without(chunks: Sequence[tuple[int, int]], body: bytes) -> bytes:
    """A PNG without texts, because Pillow unpacks all, and without transparency that comes too late."""
    if not chunks:
        return body
    starts, ends = [0, *(end for _, end in chunks)], [*(start for start, _ in chunks), len(body)]
    return b"".join(body[start:end] for start, end in zip(starts, ends, strict=True))


def _in_words(error: Exception, otherwise: str) -> str:
    """What Pillow's error means. Its own words name its states, so they reach nobody."""
    return next((fault for words, fault in _SAID.items() if words in str(error)), otherwise)


def _fault(header: Header, text: str) -> InvalidPicture:
    fault = text if header.is_whole else _CUT
    return InvalidPicture(fault, fix="write the file again")
