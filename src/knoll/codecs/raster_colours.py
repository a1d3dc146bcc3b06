"""What viewers show of a decoded picture: its colours in mode L or RGB.

A large picture is converted by strips: beside the two pictures there is only one strip.
"""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageCms

__all__ = ["STRIP", "convert_colours", "flat_mode"]

STRIP = 2**18  # pixels that are converted at a time
_GREY = {"1", "L", "LA", "I", "I;16", "I;16B"}
_DEEP = {"I", "I;16", "I;16B"}
_LONGEST_PROFILE = 4 * 2**20


def flat_mode(mode: str) -> str:
    """The mode in which a picture of this mode is shown: L if it is grey."""
    return "L" if mode in _GREY else "RGB"


def convert_colours(picture: Image.Image, check: Callable[[], None]) -> Image.Image:
    """The picture in its flat mode. `check` is called before each strip, and may raise. Raises what Pillow
    raises for damage."""
    mode, profile = flat_mode(picture.mode), picture.info.get("icc_profile")
    if picture.mode == mode and profile is None and "transparency" not in picture.info:
        return picture
    width, height = picture.size
    rows = max(1, STRIP // width)
    flat, transform = picture if picture.mode == mode else Image.new(mode, picture.size), None
    for top in range(0, height, rows):
        check()
        strip = _to_eight_bits(picture.crop((0, top, width, min(top + rows, height))))
        transform = transform if top else _transform(strip.mode, profile)
        flat.paste(_flatten(_to_srgb(strip, transform)), (0, top))
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
