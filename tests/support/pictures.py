"""Pictures whose files are odd."""

import io
import struct
import zlib

from PIL import Image

__all__ = ["jpeg_of_scans", "odd_pngs", "png_of_chunks"]

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def png_of_chunks(*chunks: tuple[bytes, bytes], colour: int = 0, side: int = 8) -> bytes:
    """A black PNG of that colour type, 8 bits deep, with these chunks before its pixels."""
    head = struct.pack(">IIBBBBB", side, side, 8, colour, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\0" * side * _CHANNELS[colour]) * side)
    all_chunks = [(b"IHDR", head), *chunks, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*one) for one in all_chunks)


def odd_pngs() -> list[bytes]:
    """PNGs with chunks that do not fit, in each colour type."""
    chunks = [
        [(b"tRNS", b"\xff\0\xff")],
        [(b"PLTE", b"abc"), (b"tRNS", b"\xff\0\xff")],
        [(b"tRNS", b"")],
        [(b"iCCP", b"x\0\0abc")],
    ]
    return [png_of_chunks(*some, colour=colour) for colour in _CHANNELS for some in chunks]


def jpeg_of_scans(width: int, height: int, scans: int) -> bytes:
    """A grey progressive JPEG whose last scan comes so many times more."""
    body = io.BytesIO()
    Image.new("L", (width, height), 128).save(body, "JPEG", progressive=True)
    jpeg = body.getvalue()
    return jpeg[:-2] + jpeg[jpeg.rindex(b"\xff\xda") : -2] * scans + b"\xff\xd9"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
