"""What the markers of a PNG or JPEG say, without decoding: size, scans, orientation, and whether it is whole.

Pillow does not tell the number of scans, and decodes a whole PNG to find its orientation. Of a transparent
colour it does not tell by how many bits it is given.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image

from knoll.errors import InvalidPicture
from knoll.foreign_kinds import JPEG, PNG, foreign_kind

__all__ = ["Header", "read_header"]

_TEXTS = {b"tEXt", b"zTXt", b"iTXt"}
_PROFILE = re.compile(rb"[^\0]{1,79}\0\0.", re.DOTALL)  # name, and the one method of compression
_SHORTEST = {b"gAMA": 4, b"pHYs": 9, b"cHRM": 32, b"sRGB": 1, b"acTL": 8}  # Pillow refuses shorter ones
_PALETTE, _SAMPLES = 3, {0: 1, 2: 3}  # types of colour, and how many samples their transparent colour has
_GREY_TYPES = {0, 4}
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_SIZES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_LOSSLESS, _HIERARCHICAL = {0xC3, 0xC7, 0xCB, 0xCF}, {0xC5, 0xC6, 0xCD, 0xCE}
_SOI, _EOI, _SOS, _APP1 = 0xD8, 0xD9, 0xDA, 0xE1
_CHECKSUM = 4  # bytes behind each chunk of a PNG
_MOST_CHUNKS = 100_000
_MOST_COLOURS = 769  # bytes of a palette, and one more
_MOST_SEGMENTS = 10_000
_MOST_GARBAGE = 64 * 2**10  # bytes between segments, each of which costs Pillow a microsecond
_MOST_EXIF = 16  # blocks: Pillow copies all of them again for each
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Header:
    """`size` is as stored. `orientation` is EXIF's, 1 to 8.

    A PNG has one scan. `unread` are the first and the last place of each of its chunks that are passed over.
    A sample has `depth` bits. `clear` are the samples of the transparent colour, if grey or RGB has one.

    `scan_starts` are the places of a JPEG's scans, and `coefficients` is how many numbers a JPEG keeps for
    each pixel until its last scan."""

    size: tuple[int, int]
    scans: int = 1
    orientation: int = 1
    is_whole: bool = True
    unread: tuple[tuple[int, int], ...] = ()
    depth: int = 8
    is_grey: bool = False
    clear: tuple[int, ...] = ()
    scan_starts: tuple[int, ...] = ()
    coefficients: float = 0.0


def read_header(body: bytes) -> Header:
    """Raises InvalidPicture if the bytes are no PNG or JPEG, or if their header is broken."""
    if body.startswith(PNG):
        return _read_png(body)
    if body.startswith(JPEG):
        return _read_jpeg(body)
    if not body:
        raise InvalidPicture("it is empty", fix="write the file again")
    kind = foreign_kind(body)
    raise InvalidPicture(
        f"it is {kind}; only PNG and JPEG are read" if kind else "it is neither a PNG nor a JPEG",
        fix="save it as PNG or JPEG",
    )


def _read_png(body: bytes) -> Header:
    first: dict[bytes, bytes] = {}  # of each kind that counts, before the data
    last, unread = b"", []
    for number, (kind, start, length) in enumerate(_chunks(body)):
        if kind == b"CgBI" and number == 0:
            raise InvalidPicture("it is a PNG that Xcode has packed for iOS", fix="take the original picture")
        if (
            kind in _TEXTS
            or (kind == b"iCCP" and not _PROFILE.match(body, start, start + length))
            or length < _SHORTEST.get(kind, 0)
            or (kind == b"tRNS" and first.keys() & {b"tRNS", b"IDAT"})
        ):
            unread.append((start - 8, start + length + 4))
        elif kind == b"eXIf" or (kind == b"IHDR" and number == 0):
            first[kind] = body[start : start + length]
        elif kind in {b"tRNS", b"PLTE", b"IDAT"} and b"IDAT" not in first:
            first[kind] = body[start : start + min(length, _MOST_COLOURS)]
        last = kind if start + length + _CHECKSUM <= len(body) else b""
    head = first.get(b"IHDR", b"")
    if len(head) < 10:
        raise _sizeless()
    size, depth, colours = struct.unpack_from(">IIBB", head)[:2], head[8], head[9]
    _check_size(size)
    if colours == _PALETTE and b"IDAT" in first:
        _check_palette(first.get(b"PLTE", b""))
    return Header(
        size,
        orientation=_orientation(first.get(b"eXIf", b"")),
        is_whole=last == b"IEND",
        unread=tuple(unread),
        depth=depth,
        is_grey=colours in _GREY_TYPES,
        clear=_clear(first.get(b"tRNS", b""), _SAMPLES.get(colours, 0), depth),
    )


def _check_palette(palette: bytes) -> None:
    if not palette or len(palette) % 3:
        fault = "it has a broken palette" if palette else "it has no palette, and its pixels need one"
        raise InvalidPicture(f"its header is broken: {fault}", fix="write the file again")


def _clear(chunk: bytes, samples: int, depth: int) -> tuple[int, ...]:
    """Each sample has 16 bits, of which the lower ones count (PNG, 11.3.2.1)."""
    if not samples or len(chunk) < 2 * samples:
        return ()
    return tuple(sample & (1 << depth) - 1 for sample in struct.unpack_from(f">{samples}H", chunk))


def _chunks(body: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and length of each chunk."""
    place = len(PNG)
    for _ in range(_MOST_CHUNKS):
        if place + 8 > len(body):
            return
        length, kind = struct.unpack_from(">I4s", body, place)
        yield kind, place + 8, length
        if kind == b"IEND":
            return
        place += length + 12
    raise InvalidPicture(f"it has more than {_MOST_CHUNKS:,} chunks", fix="save it again")


def _read_jpeg(body: bytes) -> Header:
    size, exif, blocks, last, frame = (0, 0), b"", 0, 0, 0
    scans: list[int] = []
    for marker, start in _markers(body):
        last = marker
        if marker in _SIZES and size == (0, 0) and start + 9 <= len(body):
            height, width = struct.unpack_from(">HH", body, start + 5)
            size, frame = (width, height), start
            _check_process(marker, body[start + 4])
        elif marker == _APP1 and body[start + 4 : start + 10] == b"Exif\0\0":
            exif, blocks = exif or body[start + 4 : start + 2 + _length(body, start)], blocks + 1
        elif marker == _SOS:
            scans.append(start)
    _check_size(size)
    if blocks > _MOST_EXIF:
        raise InvalidPicture(f"it has {blocks} blocks of EXIF, more than {_MOST_EXIF}", fix="save it again")
    return Header(
        size,
        max(len(scans), 1),
        _orientation(exif),
        last == _EOI,
        scan_starts=tuple(scans),
        coefficients=_coefficients(body, frame, scans),
    )


def _check_process(marker: int, bits: int) -> None:
    kind = "a lossless JPEG" * (marker in _LOSSLESS) or "a hierarchical JPEG" * (marker in _HIERARCHICAL)
    if bits != 8 and not kind:
        kind = f"a JPEG of {bits} bits a sample"
    if kind:
        raise InvalidPicture(f"it is {kind}, which is not read", fix="save it as PNG or as a usual JPEG")


def _coefficients(body: bytes, frame: int, scans: Sequence[int]) -> float:
    """How many are kept for each pixel: none if the first scan has all components and is the last word."""
    count = body[frame + 9 : frame + 10]
    is_read_once = (
        scans and body[frame + 1] not in _PROGRESSIVE and body[scans[0] + 4 : scans[0] + 5] == count
    )
    sampling = body[frame + 11 : frame + 10 + 3 * int.from_bytes(count) : 3]  # across and down, of components
    if is_read_once or not sampling:
        return 0.0
    across, down = max(one >> 4 for one in sampling), max(one & 15 for one in sampling)
    return sum((one >> 4) * (one & 15) for one in sampling) / max(across * down, 1)


def _markers(body: bytes) -> Iterator[tuple[int, int]]:
    """Each marker with its place. Between them lie segments, entropy-coded data, and at times garbage."""
    place, garbage, is_head = len(JPEG), 0, True
    for _ in range(_MOST_SEGMENTS):
        found = _MARKER.search(body, place)
        start = found.start() if found else len(body)
        garbage += start - place if is_head else 0
        if garbage > _MOST_GARBAGE:
            raise InvalidPicture("its header has too many filler bytes", fix="save it again")
        if found is None:
            return
        marker = body[start + 1]
        is_head = is_head and marker != _SOS
        yield marker, start
        if marker == _EOI and not is_head:  # Pillow does not stop at one in the header
            return
        place = start + 2 + (0 if marker in {0x01, _SOI, _EOI} else _length(body, start))
    raise InvalidPicture(f"it has more than {_MOST_SEGMENTS:,} segments", fix="save it again")


def _length(body: bytes, start: int) -> int:
    return int.from_bytes(body[start + 2 : start + 4], "big")


def _check_size(size: tuple[int, int]) -> None:
    if min(size) < 1:
        raise _sizeless()


def _sizeless() -> InvalidPicture:
    return InvalidPicture("its header is broken: it has no size", fix="write the file again")


def _orientation(exif: bytes) -> int:
    if not exif:
        return 1
    tags = Image.Exif()
    try:
        tags.load(exif)
        value = tags.get(_ORIENTATION, 1)
    except Exception:  # a broken EXIF block does not hide the picture
        return 1
    return value if value in range(1, 9) else 1
