"""Pictures as people have them: each is read as viewers show it, or refused with the fault that it has."""

import io
import struct
import zlib
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from knoll.codecs.raster import (
    RasterLimits,
    check_raster,
    fit_raster,
    open_raster,
    read_raster,
    survey_raster,
)
from knoll.errors import InvalidPicture
from support.pictures import jpeg_of_scans

RED, GREEN, BLUE, WHITE, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (128, 128, 128)


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    body = io.BytesIO()
    picture.save(body, kind, **options)
    return body.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *chunks: bytes) -> bytes:
    """A PNG from its parts: Pillow writes only some kinds."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"".join([b"\x89PNG\r\n\x1a\n", head, *chunks, data])


def pixels(body: bytes) -> Any:
    picture = read_raster(body)
    assert picture.mode in {"L", "RGB"}
    shape = survey_raster(body)
    assert (shape.width, shape.height, shape.mode) == (*picture.size, picture.mode)
    return np.asarray(picture).tolist()


def one(body: bytes) -> Any:
    """The upper left pixel."""
    pixel = pixels(body)[0][0]
    return tuple(pixel) if isinstance(pixel, list) else pixel


def near(found: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return max(abs(a - b) for a, b in zip(found, wanted, strict=True)) <= 4


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_stands_as_its_orientation_says(kind: str, orientation: int) -> None:
    """A bright corner of a wide picture comes to where viewers show it, whichever way the camera was held."""
    shown = np.zeros((16, 32), np.uint8)
    shown[:8, :8] = 255
    upright = Image.fromarray(shown)
    lying = {  # how a camera stores the picture that is to be shown upright
        1: upright,
        2: upright.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: upright.transpose(Image.Transpose.ROTATE_180),
        4: upright.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: upright.transpose(Image.Transpose.TRANSPOSE),
        6: upright.transpose(Image.Transpose.ROTATE_90),
        7: upright.transpose(Image.Transpose.TRANSVERSE),
        8: upright.transpose(Image.Transpose.ROTATE_270),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = np.asarray(pixels(encoded(lying, kind, exif=exif)))
    assert found.shape == (16, 32)
    assert np.abs(found - shown.astype(int)).max() < 8


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\0\x01"]
)
def test_a_broken_exif_block_does_not_hide_the_picture(exif: bytes) -> None:
    """Viewers show it as it is stored."""
    assert len(pixels(encoded(Image.new("L", (9, 8), 7), "JPEG", exif=exif))[0]) == 9


def test_transparent_parts_lie_on_white() -> None:
    """Not on black, and without the colour that hides below them: grey, colours, palette, marked colours."""
    half = (255, 0, 0, 128)
    assert one(encoded(Image.new("RGBA", (2, 2), (0, 255, 0, 0)))) == WHITE
    assert near(one(encoded(Image.new("RGBA", (2, 2), half))), (255, 127, 127))
    assert one(encoded(Image.new("LA", (2, 2), (7, 0)))) == 255
    palette = Image.new("P", (2, 2), 1)
    palette.putpalette([*RED, *GREEN])
    assert one(encoded(palette)) == GREEN
    assert one(encoded(palette, transparency=1)) == WHITE
    assert one(encoded(palette, transparency=b"\xff\x00")) == WHITE
    assert one(encoded(Image.new("L", (2, 2), 9), transparency=9)) == 255
    assert one(encoded(Image.new("RGB", (2, 2), RED), transparency=RED)) == WHITE
    assert one(encoded(Image.new("RGB", (2, 2), BLUE), transparency=RED)) == BLUE
    assert one(encoded(Image.new("1", (2, 2), 0), transparency=0)) == 255


def test_all_depths_go_from_black_to_white() -> None:
    """1, 2, 4, 8 and 16 bits have the same range, so 16 bits are not clipped to white."""
    assert pixels(png(2, 1, 1, 0, b"\0\x40")) == [[0, 255]]
    assert pixels(png(4, 1, 2, 0, b"\0\x1b")) == [[0, 85, 170, 255]]
    assert pixels(png(2, 1, 4, 0, b"\0\x0f")) == [[0, 255]]
    deep = struct.pack(">4H", 0, 32768, 40_000, 65_535)
    assert pixels(png(4, 1, 16, 0, b"\0" + deep)) == [[0, 128, 156, 255]]
    assert pixels(png(4, 1, 16, 0, b"\0" + deep, chunk(b"tRNS", b"\x9c\x40"))) == [[0, 128, 255, 255]]
    assert pixels(png(1, 1, 16, 2, b"\0" + deep[:6])) == [[[0, 128, 156]]]
    assert near(one(png(1, 1, 16, 6, b"\0" + deep[-2:] + b"\0" * 4 + b"\x80\0")), (255, 127, 127))


_KINDS = [  # what the PNG specification allows: type of colour, samples of a pixel, bits of a sample
    *((0, 1, depth) for depth in (1, 2, 4, 8, 16)),
    *((2, 3, depth) for depth in (8, 16)),
    *((3, 1, depth) for depth in (1, 2, 4, 8)),
    *((colours, samples, depth) for colours, samples in ((4, 2), (6, 4)) for depth in (8, 16)),
]


def _samples(samples: int, depth: int) -> list[tuple[int, ...]]:
    """Pixels of a row. In those of 16 bits, each half of one equals a half of another."""
    values = {1: [0, 1], 2: [0, 1, 2, 3], 4: [0, 5, 10, 15], 8: [0, 9, 128, 255]}
    row = values.get(depth, [0x0102, 0x0103, 0x0202, 0x0201])
    return [tuple(row[(place + sample) % len(row)] for sample in range(samples)) for place in range(len(row))]


def _row(pixels: list[tuple[int, ...]], depth: int) -> bytes:
    bits = "".join(f"{sample:0{depth}b}" for pixel in pixels for sample in pixel)
    bits += "0" * (-len(bits) % 8)
    return b"\0" + int(bits, 2).to_bytes(len(bits) // 8)


def _shown(pixel: tuple[int, ...], depth: int) -> list[int]:
    """Samples of 8 bits (PNG, 13.12)."""
    return [value >> 8 if depth == 16 else value * 255 // (2**depth - 1) for value in pixel]


def _over_white(colour: list[int], alpha: int) -> Any:
    """PNG, 13.16."""
    mixed = [int((value * alpha + 255 * (255 - alpha)) / 255 + 0.5) for value in colour]
    return mixed if len(mixed) == 3 else mixed[0]


@pytest.mark.parametrize(("colours", "samples", "depth"), _KINDS)
@pytest.mark.parametrize("marked", range(4))
def test_each_kind_of_png_is_shown_as_its_specification_says(
    colours: int, samples: int, depth: int, marked: int
) -> None:
    """Of all types and depths: where a pixel is transparent, whether by a sample, an entry of the palette or
    a marked colour, it lies on white. No other pixel does."""
    row = _samples(samples, depth)
    clear = row[marked % len(row)]
    palette = [(7 * entry % 256, 3 * entry % 256, entry) for entry in range(2**depth if depth < 16 else 0)]
    alphas = [0 if (entry,) == clear else 255 - entry // 2 for entry in range(len(palette))]
    high = sum(1 << bit for bit in range(depth, 16))  # bits that do not count
    chunks, wanted = [], []
    if colours == 3:
        chunks = [chunk(b"PLTE", bytes(sum(palette, ()))), chunk(b"tRNS", bytes(alphas))]
        wanted = [_over_white(list(palette[entry]), alphas[entry]) for (entry,) in row]
    elif colours in {0, 2}:
        chunks = [chunk(b"tRNS", struct.pack(f">{samples}H", *(high | sample for sample in clear)))]
        wanted = [_over_white(_shown(pixel, depth), 0 if pixel == clear else 255) for pixel in row]
    else:
        wanted = [_over_white(_shown(pixel, depth)[:-1], _shown(pixel, depth)[-1]) for pixel in row]
    assert pixels(png(len(row), 1, depth, colours, _row(row, depth), *chunks)) == [wanted]


def test_a_transparent_colour_after_the_data_or_a_second_one_does_not_count() -> None:
    """Both break the specification, and viewers pass over them."""
    black, white = chunk(b"tRNS", b"\0\0"), chunk(b"tRNS", b"\0\xff")
    assert one(png(1, 1, 8, 0, b"\0\0", white, black)) == 0
    body = png(1, 1, 8, 0, b"\0\0")
    assert one(body[:-12] + black + body[-12:]) == 0


@pytest.mark.parametrize("palette", [[], [b""], [b"\0" * 4], [b"\0" * 771]])
def test_a_picture_of_a_palette_without_a_whole_one_is_refused(palette: list[bytes]) -> None:
    """It is not taken as black."""
    with pytest.raises(InvalidPicture, match="palette"):
        read_raster(png(1, 1, 8, 3, b"\0\0", *(chunk(b"PLTE", colours) for colours in palette)))


def test_cmyk_has_the_colours_of_the_print() -> None:
    """A JPEG with Adobe's inverted CMYK, as printers send it, is not shown as its negative."""
    cyan = encoded(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "JPEG", quality=95)
    assert b"Adobe" in cyan
    assert near(one(cyan), (0, 255, 255))
    assert near(one(encoded(Image.new("CMYK", (16, 16), (0, 0, 0, 255)), "JPEG", quality=95)), (0, 0, 0))


def test_a_colour_profile_is_applied_and_a_broken_one_is_ignored() -> None:
    """A picture with red and green swapped by its profile is shown with them swapped back."""
    swapped = _swapping_profile()
    assert near(one(encoded(Image.new("RGB", (2, 2), RED), icc_profile=swapped)), GREEN)
    half = encoded(Image.new("RGBA", (2, 2), (*RED, 0)), icc_profile=swapped)
    assert one(half) == WHITE
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert one(encoded(Image.new("RGB", (2, 2), GREY), icc_profile=srgb)) == GREY
    for broken in (b"rubbish", srgb[:200], ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()):
        assert one(encoded(Image.new("RGB", (2, 2), RED), icc_profile=broken)) == RED


def _swapping_profile() -> bytes:
    """sRGB with the columns of red and green exchanged, and a name of its own."""
    body = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    table = {b"rXYZ": b"gXYZ", b"gXYZ": b"rXYZ"}
    count = struct.unpack_from(">I", body, 128)[0]
    out = bytearray(body)
    for place in range(132, 132 + 12 * count, 12):
        out[place : place + 4] = table.get(bytes(out[place : place + 4]), bytes(out[place : place + 4]))
    return (
        bytes(out).replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be")).replace(b"sRGB", b"swap")
    )


def test_of_several_pictures_the_first_is_read() -> None:
    """An animated PNG, and the MPO of phones, which calls itself a JPEG."""
    first, second = Image.new("RGB", (8, 8), RED), Image.new("RGB", (8, 8), BLUE)
    assert one(encoded(first, save_all=True, append_images=[second])) == RED
    assert near(one(encoded(first, "MPO", save_all=True, append_images=[second])), RED)


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 12, 3), dtype=np.uint8))
WHOLE, LOSSY = encoded(NOISE), encoded(NOISE, "JPEG")


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "it is empty"),
        (b"hello", "it is neither a PNG nor a JPEG"),
        (encoded(NOISE, "GIF"), "it is a GIF; only PNG and JPEG are read"),
        (encoded(NOISE, "WEBP"), "it is a WebP"),
        (encoded(NOISE, "TIFF"), "it is a TIFF"),
        (encoded(NOISE, "BMP"), "it is a BMP"),
        (b"\0\0\0\x18ftypheic", "it is a HEIC or AVIF"),
        (b"%PDF-1.7", "it is a PDF"),
        (b"<!DOCTYPE html><p>not found", "it is a web page"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x"/>', "it is an SVG"),
        (WHOLE[: len(WHOLE) // 2], "it is cut short"),
        (LOSSY[: len(LOSSY) // 2], "it is cut short"),
        (LOSSY[:2] + b"\xff" * 100_000 + LOSSY[2:], "too many filler bytes"),
        (LOSSY[:200] + b"\xff\xd9" + b"\xff" * 100_000, "too many filler bytes"),
        (LOSSY[:2] + b"\xff\xe5\0\2" * 10_000 + LOSSY[2:], "more than 10,000 segments"),
        (WHOLE[:20], "its header is broken"),
        (LOSSY[:20], "its header is broken"),
        (WHOLE.replace(b"IDAT", b"IDAX"), "it is damaged|its header is broken"),
        (png(100_000, 100_000, 1, 0, b"\0"), "it has 100000×100000 pixels, more than the 50,000,000"),
        (png(1, 1, 8, 0, b"\0\0", *[chunk(b"tEXt", b"")] * 100_000), "more than 100,000 chunks"),
        (png(1, 1, 8, 2, bytes(4), chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(2**24)))), "colour profile"),
    ],
)
def test_a_refusal_names_the_fault(body: bytes, fault: str) -> None:
    """Each fault has its own words, and nothing is unpacked first."""
    with pytest.raises(InvalidPicture, match=fault):
        read_raster(body)


@pytest.mark.parametrize("kind", [b"zTXt", b"tEXt", b"iTXt"])
def test_texts_of_a_png_are_passed_over(kind: bytes) -> None:
    """Pillow would unpack them all, and refuse a picture for a long one."""
    long = chunk(kind, b"a\0\0" + (zlib.compress(bytes(2**24)) if kind == b"zTXt" else b"x" * 2**21))
    head = png(1, 1, 8, 0, b"\0\x07", long, chunk(kind, b"b\0\0"))
    assert one(head[:-12] + long + head[-12:]) == 7
    with pytest.raises(InvalidPicture, match="cut short"):
        read_raster(head[:-12] + long[:-5])


@pytest.mark.parametrize("whole", [WHOLE, LOSSY], ids=["PNG", "JPEG"])
def test_a_picture_without_its_end_is_refused_however_little_is_missing(whole: bytes) -> None:
    """One rule for both kinds: whoever cut a file may have cut more of it than its end."""
    for missing in (1, 2, 4, 12, len(whole) // 10):
        for read in (read_raster, check_raster):
            with pytest.raises(InvalidPicture, match="it is cut short: its end is missing"):
                read(whole[:-missing])
    assert read_raster(whole + b"garbage").size == NOISE.size


@pytest.mark.parametrize(
    "profile", [b"", b"a", b"\0\0x", b"name\0\1x", b"x" * 80 + b"\0\0x", b"a\0\0no zlib"]
)
def test_a_broken_profile_is_passed_over(profile: bytes) -> None:
    assert one(png(1, 1, 8, 0, b"\0\x07", chunk(b"iCCP", profile))) == 7


FRAME = LOSSY.index(b"\xff\xc0")


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (LOSSY[: FRAME + 1] + b"\xc3" + LOSSY[FRAME + 2 :], "it is a lossless JPEG, which is not read"),
        (LOSSY[: FRAME + 1] + b"\xc5" + LOSSY[FRAME + 2 :], "it is a hierarchical JPEG, which is not read"),
        (LOSSY[: FRAME + 4] + b"\x0c" + LOSSY[FRAME + 5 :], "it is a JPEG of 12 bits a sample, which"),
        (WHOLE[:8] + chunk(b"CgBI", bytes(4)) + WHOLE[8:], "it is a PNG that Xcode has packed for iOS"),
        (encoded(NOISE, "TGA"), "it is a TGA; only PNG and JPEG are read"),
        (encoded(NOISE.convert("L"), "TGA", compression="tga_rle"), "it is a TGA"),
    ],
)
def test_a_form_that_is_not_read_is_named(body: bytes, fault: str) -> None:
    with pytest.raises(InvalidPicture, match=fault):
        survey_raster(body)


@pytest.mark.parametrize("kind", [b"gAMA", b"pHYs", b"cHRM", b"acTL"])
def test_a_chunk_that_is_too_short_to_say_anything_is_passed_over(kind: bytes) -> None:
    """Viewers show such a picture, and Pillow refuses it."""
    assert one(png(1, 1, 8, 0, b"\0\x07", chunk(kind, b"\0"))) == 7


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (WHOLE.replace(b"IDAT", b"IDAX"), "its header is broken"),
        (png(1, 1, 8, 0, b""), "it is damaged: a part of it is cut short"),
    ],
    ids=range(2),
)
def test_no_words_of_the_library_reach_anybody(body: bytes, fault: str) -> None:
    with pytest.raises(InvalidPicture) as caught:
        read_raster(body)
    assert str(caught.value) == fault


def test_scans_of_a_progressive_jpeg_are_limited_with_its_pixels() -> None:
    """A few kilobytes of empty scans cost minutes. A picture as cameras and browsers write it has ten."""
    body = encoded(Image.new("L", (400, 400), 128), "JPEG", progressive=True)
    last = body.rindex(b"\xff\xda")
    bomb = body[:-2] + body[last:-2] * 500 + b"\xff\xd9"
    with pytest.raises(InvalidPicture, match=r"400×400 pixels in 50\d scans: that is .* more than"):
        read_raster(bomb, RasterLimits(scanned_pixels=50_000_000))
    assert read_raster(body, RasterLimits(scanned_pixels=50_000_000)).size == (400, 400)
    thumbnail = encoded(Image.new("L", (400, 400)), "JPEG", exif=b"Exif\0\0" + bomb[:60_000])
    assert read_raster(thumbnail, RasterLimits(scanned_pixels=200_000)).size == (400, 400)


@given(
    body=st.sampled_from([WHOLE, LOSSY, encoded(NOISE, "JPEG", progressive=True)]),
    position=st.integers(0, 10_000),
    value=st.integers(0, 255),
    end=st.integers(0, 10_000),
)
def test_damaged_bytes_give_a_picture_or_a_fault(body: bytes, position: int, value: int, end: int) -> None:
    """Whatever the bytes, there is a picture or InvalidPicture, never another error."""
    damaged = bytearray(body)
    damaged[position % len(body)] = value
    try:
        picture = read_raster(bytes(damaged[: end % (len(body) + 1)]))
    except InvalidPicture:
        return
    assert picture.mode in {"L", "RGB"}


@given(
    colour=st.sampled_from((0, 2, 3, 4, 6)),
    depth=st.sampled_from((1, 2, 4, 8, 16)),
    colours=st.integers(0, 300),
    clear=st.binary(max_size=300),
    profile=st.binary(max_size=40),
)
def test_odd_chunks_of_a_png_are_read_or_refused(
    colour: int, depth: int, colours: int, clear: bytes, profile: bytes
) -> None:
    extra = [chunk(b"iCCP", b"a\0\0" + zlib.compress(profile)), chunk(b"PLTE", bytes(3 * colours))]
    with suppress(InvalidPicture):
        read_raster(png(1, 1, depth, colour, bytes(9), *extra, chunk(b"tRNS", clear)))


def test_a_palette_with_more_transparencies_than_colours_is_refused() -> None:
    body = png(1, 1, 8, 3, b"\0\0", chunk(b"PLTE", bytes(768)), chunk(b"tRNS", bytes(257)))
    with pytest.raises(InvalidPicture, match="it is damaged"):
        read_raster(body)


def test_a_profile_with_tables_counts_as_work() -> None:
    """Its conversion takes a hundred times as long as the decoding."""
    tables = bytes(128) + struct.pack(">I", 1) + b"A2B0" + bytes(8)
    body = png(2, 2, 8, 2, bytes(14), chunk(b"iCCP", b"a\0\0" + zlib.compress(tables)))
    assert read_raster(body).size == (2, 2)
    with pytest.raises(InvalidPicture, match="a colour profile with tables"):
        read_raster(body, RasterLimits(scanned_pixels=40))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "L"])
def test_a_picture_of_many_strips_has_the_pixels_of_its_parts(mode: str) -> None:
    """A large picture is converted by strips, so that it takes little memory; no seam is seen."""
    noise = np.random.default_rng(0).integers(0, 256, (700, 800, 4), dtype=np.uint8)
    whole = Image.fromarray(noise).convert(mode)
    options: dict[str, Any] = {"icc_profile": _swapping_profile()} if mode.startswith("RGB") else {}
    options |= {"transparency": 7} if mode in {"P", "L"} else {}
    parts = [whole.crop((0, top, 800, top + 100)) for top in range(0, 700, 100)]
    apart = [np.asarray(read_raster(encoded(part, **options, compress_level=1))) for part in parts]
    together = np.asarray(read_raster(encoded(whole, **options, compress_level=1)))
    assert np.array_equal(together, np.concatenate(apart))


TURNED = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"


class Stop(Exception):
    """Nobody waits any more."""


def checks_of(body: bytes, end_at: int = 10**9) -> int:
    """How often the reading of a picture asks whether it should go on."""
    asked = 0

    def check() -> None:
        nonlocal asked
        asked += 1
        if asked >= end_at:
            raise Stop

    open_raster(body).read(check)
    return asked


LARGE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (900, 1000, 4), dtype=np.uint8))


@pytest.mark.parametrize(
    "body",
    [
        encoded(LARGE, compress_level=1),
        encoded(LARGE.convert("CMYK"), "JPEG", quality=95),
        jpeg_of_scans(64, 64, 500),
    ],
    ids=["PNG", "JPEG", "500 scans in 6 kB"],
)
def test_the_decoding_of_one_picture_can_be_ended_in_its_middle(body: bytes) -> None:
    """Between two parts of 64 KiB, two scans, and two strips."""
    every = checks_of(body)
    assert every >= min(len(body) // 2**16, 10)
    for end_at in (1, every // 2, every):
        with pytest.raises(Stop):
            checks_of(body, end_at)


def test_each_scan_of_a_jpeg_is_a_part_of_its_own() -> None:
    """All of them may lie in 64 KiB, and each passes over every pixel."""
    assert checks_of(jpeg_of_scans(64, 64, 500)) >= 500


@pytest.mark.parametrize(
    ("mode", "kind", "options", "most"),
    [
        ("L", "JPEG", {}, 1),
        ("RGB", "JPEG", {}, 5),
        ("RGB", "JPEG", {"exif": TURNED}, 8),
        ("RGB", "JPEG", {"progressive": True, "subsampling": 0}, 10),
        ("RGB", "JPEG", {"progressive": True, "subsampling": 2}, 7),
        ("CMYK", "JPEG", {"progressive": True}, 12),
        ("P", "PNG", {}, 5),
        ("RGBA", "PNG", {}, 8),
        ("I;16", "PNG", {}, 3),
    ],
)
def test_the_memory_of_a_picture_is_told_from_its_header(
    mode: str, kind: str, options: dict[str, Any], most: int
) -> None:
    """Bytes a pixel, as the peak of the process has shown them, and one strip of pixels."""
    body = encoded(Image.new(mode, (2400, 2000)), kind, **options)
    told = open_raster(body).memory("L", 32, 32)
    assert most * 2400 * 2000 <= told <= most * 2400 * 2000 + 10 * 2**20


def test_a_picture_that_is_read_twice_is_told_to_take_twice_the_memory() -> None:
    """A transparent colour with 16 bits takes both halves of each sample."""
    body = png(1000, 1000, 16, 2, b"\0" * 6001 * 1000, chunk(b"tRNS", b"\0" * 6))
    assert 12 * 10**6 <= open_raster(body).memory("L", 32, 32) <= 12 * 10**6 + 10 * 2**20


def test_a_narrow_picture_of_many_rows_is_resized_in_little_memory() -> None:
    """Pillow resizes the width first: 1×20,000,000 pixels would become 1024×20,000,000."""
    body = png(1, 200_000, 8, 0, b"\0\xff" * 200_000)
    assert open_raster(body).memory("RGB", 1024, 8) < 150 * 2**20
    assert fit_raster(read_raster(body), "RGB", 1024, 8).getextrema() == ((255, 255),) * 3
