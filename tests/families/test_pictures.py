"""Pictures from anybody: which are read, which are refused, and with which message."""

import io

import numpy as np
import pytest
from PIL import Image

from knoll.codecs.raster import fit_raster
from knoll.errors import InvalidData
from knoll.families.base import Files
from knoll.families.picture_rows import decode_pictures
from knoll.families.pictures import PictureSurvey, picture_keys, survey, to_grid, to_png


def encoded(picture: Image.Image, kind: str = "PNG") -> bytes:
    body = io.BytesIO()
    picture.save(body, kind)
    return body.getvalue()


NOISE = np.random.default_rng(0).integers(0, 256, (16, 12, 3), dtype=np.uint8)
WHOLE = to_png(NOISE)


def grey(picture: Image.Image) -> Image.Image:
    return fit_raster(picture, "L", 12, 16)


def test_every_broken_file_is_named_up_to_fifty() -> None:
    """A user with many broken files mends them in one go, and the message stays readable."""
    gif = encoded(Image.new("L", (8, 8)), "GIF")
    files = {"good.png": WHOLE, "half.png": WHOLE[: len(WHOLE) // 2], "gif.png": gif}
    files |= {f"text{index:02d}.jpg": b"not a picture" for index in range(50)}
    with pytest.raises(InvalidData) as caught:
        decode_pictures(Files.of(files), [sorted(files)], PictureSurvey(12, 16, "L"), grey)
    text = str(caught.value)
    assert "gif.png: it is a GIF; only PNG and JPEG are read" in text
    assert "half.png: it is cut short" in text
    assert "text47.jpg" in text
    assert "text48.jpg" not in text
    assert "and 2 more" in text
    assert "good.png" not in text


def test_hidden_files_are_passed_over_and_other_kinds_are_named() -> None:
    """A marker or .DS_Store is no mistake, a spreadsheet among the pictures is."""
    assert picture_keys(["b/1.JPG", "a/2.png", "_SUCCESS", "a/.DS_Store", "a/"]) == ["a/2.png", "b/1.JPG"]
    with pytest.raises(InvalidData, match=r"a/table\.csv: it is not a picture"):
        picture_keys(["a/1.png", "a/table.csv"])


def test_the_most_common_size_wins_and_one_coloured_picture_makes_all_coloured() -> None:
    """The most common size wins, and no colour is lost."""
    small, large = encoded(Image.new("L", (8, 9))), encoded(Image.new("L", (30, 30)))
    files = {"1.png": small, "2.png": small, "3.png": large}
    found = survey(Files.of(files), sorted(files))
    assert (found.width, found.height, found.mode) == (8, 9, "L")
    assert survey(Files.of({**files, "4.png": WHOLE}), [*files, "4.png"]).mode == "RGB"


def test_pixels_survive_png_and_a_grid_shows_them_in_rows() -> None:
    """PNG keeps every pixel, and five pictures make a sheet of three by two."""
    size, files = PictureSurvey(12, 16, "RGB"), Files.of({"1.png": WHOLE})
    (read,) = decode_pictures(files, [["1.png"]], size, lambda one: one)
    assert np.array_equal(read[:][0].permute(1, 2, 0).numpy(), NOISE)
    sheet = np.asarray(Image.open(io.BytesIO(to_grid(np.stack([NOISE] * 5), gap=2))))
    assert sheet.shape == (2 * 18 + 2, 3 * 14 + 2, 3)
    assert np.array_equal(sheet[20:36, 16:28], NOISE)
    assert (sheet[20:36, 30:42] == 255).all()
