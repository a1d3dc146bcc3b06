"""The one decoder of pictures, for training and serving alike: a PNG or JPEG becomes what viewers show.

- It stands as its EXIF orientation says.
- Transparent parts lie on white.
- A palette becomes RGB, and so does CMYK (Adobe's inverted one and YCCK, too).
- 1 bit becomes black and white. Of 16 bits the upper 8 stay, so that 0..65535 becomes 0..255.
- An embedded colour profile is converted to sRGB. A broken profile is ignored.
- Of several pictures in one file (animated PNG, MPO) the first is taken.

The bytes may come from anybody. So all limits are checked on the header, before anything is decoded.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from knoll.codecs.raster_header import Header, read_header
from knoll.errors import InvalidPicture

__all__ = ["DEFAULT_LIMITS", "RasterLimits", "fit_raster", "read_raster", "survey_raster"]

_GREY = {"1", "L", "LA", "I", "I;16", "I;16B"}
_DEEP = {"I", "I;16", "I;16B"}
_LONGEST_PROFILE = 4 * 2**20
_TABLES = {b"A2B0", b"A2B1", b"A2B2"}  # of a colour profile; matrices are quick
_TABLES_COST = 20  # scans of a JPEG that take as long as the conversion by tables
_STRIP = 2**18  # pixels that are converted at a time
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


def read_raster(body: bytes, limits: RasterLimits = DEFAULT_LIMITS) -> Image.Image:
    """The picture as viewers show it, in mode L or RGB. Raises InvalidPicture that says which fault it
    has."""
    header = _checked(body, limits)
    flat = _shown(_load(_open(body, header, limits), header), header)
    turn = _TURNS.get(header.orientation)
    return flat if turn is None else flat.transpose(turn)


def survey_raster(body: bytes, limits: RasterLimits = DEFAULT_LIMITS) -> Shape:
    """What `read_raster` would give, from the header alone. Raises InvalidPicture."""
    header = _checked(body, limits)
    width, height = header.size
    mode = _flat_mode(_open(body, header, limits))
    return Shape(height, width, mode) if header.orientation >= 5 else Shape(width, height, mode)


def fit_raster(picture: Image.Image, mode: str, width: int, height: int) -> Image.Image:
    """The picture in that mode, L or RGB, resized (bilinear) if it has another size."""
    converted = picture if picture.mode == mode else picture.convert(mode)
    if converted.size == (width, height):
        return converted
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


def _open(body: bytes, header: Header, limits: RasterLimits) -> Image.Image:
    try:
        picture = Image.open(io.BytesIO(_without(header.texts, body)), formats=["PNG", "JPEG"])
    except UnidentifiedImageError as error:
        raise _fault(header, "its header is broken") from error
    except Exception as error:
        raise _fault(header, _in_words(error) or f"its header is broken: {error}") from error
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


def _without(texts: Sequence[tuple[int, int]], body: bytes) -> bytes:
    """A PNG without its texts: Pillow unpacks them all, and refuses long ones."""
    if not texts:
        return body
    starts, ends = [0, *(end for _, end in texts)], [*(start for start, _ in texts), len(body)]
    return b"".join(body[start:end] for start, end in zip(starts, ends, strict=True))


def _in_words(error: Exception) -> str:
    """What Pillow's error means; "" if its own words say it."""
    is_profile = "MAX_TEXT_CHUNK" in str(error)  # the limit that Pillow has for texts
    return "its colour profile unpacks to more than 1 MiB" if is_profile else ""


def _fault(header: Header, text: str) -> InvalidPicture:
    fault = text if header.is_whole else "it is cut short: its end is missing"
    return InvalidPicture(fault, fix="write the file again")


def _load(picture: Image.Image, header: Header) -> Image.Image:
    try:
        picture.load()
    except Exception as error:  # Pillow has a dozen types, from struct.error to SyntaxError
        raise _fault(header, _in_words(error) or f"it is damaged: {error}") from error
    return picture


def _flat_mode(picture: Image.Image) -> str:
    return "L" if picture.mode in _GREY else "RGB"


def _shown(picture: Image.Image, header: Header) -> Image.Image:
    """The picture in mode L or RGB, converted by strips: beside the two pictures there is only one strip."""
    mode, profile = _flat_mode(picture), picture.info.get("icc_profile")
    if picture.mode == mode and profile is None and "transparency" not in picture.info:
        return picture
    width, height = picture.size
    rows = max(1, _STRIP // width)
    flat, transform = picture if picture.mode == mode else Image.new(mode, picture.size), None
    for top in range(0, height, rows):
        try:
            strip = _to_eight_bits(picture.crop((0, top, width, min(top + rows, height))))
            transform = transform if top else _transform(strip.mode, profile)
            flat.paste(_flatten(_to_srgb(strip, transform)), (0, top))
        except Exception as error:
            raise _fault(header, f"it is damaged: {error}") from error
    return flat


def _to_eight_bits(picture: Image.Image) -> Image.Image:
    """L, LA, RGB, RGBA or CMYK."""
    clear = picture.info.get("transparency")
    if picture.mode in _DEEP:
        deep = np.asarray(picture).astype(np.uint16)
        grey = Image.fromarray((deep >> 8).astype(np.uint8))
        if isinstance(clear, int):
            grey.putalpha(Image.fromarray(np.where(deep == clear, 0, 255).astype(np.uint8)))
        return grey
    if clear is not None:
        rgba = picture.convert("RGBA")
        return rgba.convert("LA") if picture.mode in _GREY else rgba
    if picture.mode in {"L", "LA", "RGB", "RGBA", "CMYK"}:
        return picture
    return picture.convert("L" if picture.mode == "1" else "RGB")


def _to_srgb(picture: Image.Image, transform: ImageCms.ImageCmsTransform | None) -> Image.Image:
    if transform is None:
        return picture
    alpha = picture.getchannel("A") if picture.mode in {"LA", "RGBA"} else None
    colours = picture.convert(picture.mode[:-1]) if alpha else picture
    shown = ImageCms.applyTransform(colours, transform)
    assert shown is not None
    if picture.mode in _GREY:
        shown = shown.convert("L")
    if alpha:
        shown.putalpha(alpha)
    return shown


def _transform(mode: str, profile: Any) -> ImageCms.ImageCmsTransform | None:
    """From the profile of a picture in this mode to sRGB. None if that changes nothing, or cannot be done."""
    if not isinstance(profile, bytes) or not 0 < len(profile) <= _LONGEST_PROFILE:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return None
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode.removesuffix("A"), "RGB")
    except Exception:  # broken, or of another mode than the picture
        return None


def _flatten(picture: Image.Image) -> Image.Image:
    """L or RGB; what is transparent lies on white."""
    if picture.mode not in {"LA", "RGBA"}:
        return picture.convert("RGB") if picture.mode == "CMYK" else picture
    white = Image.new(picture.mode[:-1], picture.size, "white")
    white.paste(picture.convert(white.mode), mask=picture.getchannel("A"))
    return white
