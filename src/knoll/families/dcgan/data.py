"""Pictures of any shape become squares of 56×56 pixels."""

from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from knoll.errors import InvalidData
from knoll.families.base import DataPart, Examples, Files, Streamed, split_keys
from knoll.families.dcgan.declaration import DcganConfig
from knoll.families.dcgan.networks import SIDE
from knoll.families.picture_rows import decode_pictures
from knoll.families.pictures import PictureSurvey, picture_keys

__all__ = ["DcganData"]

_ENOUGH = 8  # pictures: fewer give no distribution to compare with


class DcganData(DataPart[DcganConfig]):
    """A row is (pixels as uint8 (3, 56, 56),)."""

    streams = True

    def examples(self, files: Files, config: DcganConfig) -> Examples:
        """Decode the pictures of all folders. The held-out ones are only for scores. Raises InvalidData that
        names the broken files."""
        keys = _enough_keys(files)
        train, kept = split_keys(keys, config.held_out)
        learnt, asked = _read(files, [[keys[row] for row in side] for side in (train, kept)])
        return Examples((learnt,), (asked,), {"pictures": len(keys)})

    def golden(self, files: Files, about: Mapping[str, Any], config: DcganConfig) -> Examples:
        """Decode all pictures: the generated ones are compared with them."""
        rows = tuple(_read(files, [_enough_keys(files)]))
        return Examples(rows, rows, about)


def _enough_keys(files: Files) -> list[str]:
    keys = picture_keys(files)
    if len(keys) < _ENOUGH:
        raise InvalidData(
            f"there are {len(keys)} pictures, but at least {_ENOUGH} are needed",
            fix="add pictures; thousands are better",
        )
    return keys


def _read(files: Files, sides: Sequence[Sequence[str]]) -> Sequence[Streamed]:
    return decode_pictures(files, sides, PictureSurvey(SIDE, SIDE, "RGB"), _square)


def _square(picture: Image.Image) -> Image.Image:
    """The middle square, at 56×56, in RGB."""
    width, height = picture.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    coloured = picture.convert("RGB")
    return coloured.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))
