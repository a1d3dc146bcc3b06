"""Pictures whose files are odd."""

import struct
import zlib

__all__ = ["png_of_chunks"]

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def png_of_chunks(*chunks: tuple[bytes, bytes], colour: int = 0, side: int = 8) -> bytes:
    """A black PNG of that colour type, 8 bits deep, with these chunks before its pixels."""
    head = struct.pack(">IIBBBBB", side, side, 8, colour, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\0" * side * _CHANNELS[colour]) * side)
    all_chunks = [(b"IHDR", head), *chunks, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*one) for one in all_chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
