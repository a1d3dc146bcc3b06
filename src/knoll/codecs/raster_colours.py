"""What viewers show of a decoded picture: its colours in mode L or RGB.

A large picture is converted by strips: beside the two pictures there is only one strip.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image, ImageCms

__all__ = ["STRIP", "Decoded", "convert_colours", "flat_mode"]

STRIP = 2**18  # pixels that are converted at a time
_GREY = {"1", "L", "LA", "I", "I;16", "I;16B"}
_DEEP = {"I", "I;16", "I;16B"}
_LONGEST_PROFILE = 4 * 2**20


def flat_mode(mode: str, is_grey: bool) -> str:
    """The mode in which a picture of this mode is shown: L if it or its file is grey."""
    return "L" if is_grey or mode in _GREY else "RGB"


@dataclass(frozen=True)
class Decoded:
    """A picture as Pillow decodes it. `is_grey` says that its colours are, whatever its mode. `clear` are
    the samples of its transparent colour, of `depth` bits each; none if it has no such colour. Of RGB with 16
    bits, Pillow gives the upper 8; `lower` is a picture of the other ones, which only that colour needs."""

    picture: Image.Image
    is_grey: bool = False
    depth: int = 8
    clear: tuple[int, ...] = ()
    lower: Image.Image | None = None


def convert_colours(decoded: Decoded, check: Callable[[], None]) -> Image.Image:
    """The picture in its flat mode. `check` is called before each strip, and may raise. Raises what Pillow
    raises for damage."""
    picture = decoded.picture
    mode, profile = flat_mode(picture.mode, decoded.is_grey), picture.info.get("icc_profile")
    if picture.mode == mode and profile is None and not decoded.clear:
        return picture
    width, height = picture.size
    rows = max(1, STRIP // width)
    flat, transform = picture if picture.mode == mode else Image.new(mode, picture.size), None
    for top in range(0, height, rows):
        check()
        strip = _to_eight_bits(_cropped(decoded, (0, top, width, min(top + rows, height))))
        transform = transform if top else _transform(strip.mode, profile)
        flat.paste(_flatten(_to_srgb(strip, transform)), (0, top))
    return flat


def _cropped(decoded: Decoded, box: tuple[int, int, int, int]) -> Decoded:
    lower = decoded.lower and decoded.lower.crop(box)
    return replace(decoded, picture=decoded.picture.crop(box), lower=lower)


def _to_eight_bits(strip: Decoded) -> Image.Image:
    """L, LA, RGB, RGBA or CMYK."""
    picture = _shallow(strip.picture)
    if strip.clear:
        alpha = np.where(_is_clear(strip), np.uint8(0), np.uint8(255))
        return Image.merge(f"{picture.mode}A", [*picture.split(), Image.fromarray(alpha)])
    if picture.mode == "P":
        return picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    if picture.mode == "RGBA" and strip.is_grey:  # Pillow's mode for grey with transparency and 16 bits
        return picture.convert("LA")
    return picture


def _is_clear(strip: Decoded) -> Any:
    """Shape [height, width], booleans: which pixels have the transparent colour, in all bits of the file."""
    scale = 255 // (2**strip.depth - 1) or 1  # as Pillow shows samples of few bits
    wanted = np.array(strip.clear, np.uint16) * scale
    samples = np.asarray(strip.picture if strip.picture.mode in _DEEP else _shallow(strip.picture))
    if strip.lower:
        samples = samples.astype(np.uint16) << 8 | np.asarray(strip.lower)
    return samples == wanted[0] if strip.is_grey else (samples == wanted).all(axis=2)


def _shallow(picture: Image.Image) -> Image.Image:
    """The picture with 8 bits; the upper ones of 16."""
    if picture.mode in _DEEP:
        return Image.fromarray((np.asarray(picture).astype(np.uint16) >> 8).astype(np.uint8))
    return picture.convert("L") if picture.mode == "1" else picture


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
