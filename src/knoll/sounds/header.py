"""What the header of a WAV or FLAC says, without decoding: rate, channels, length, and where the sound lies.

The bytes may come from anybody. So a part is read only after its length has been compared with a bound, and
all limits are checked here, before anything is decoded. WAV is as in RIFF (Microsoft, 1994), RF64 as in EBU
Tech 3306, FLAC as in RFC 9639.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from knoll.errors import InvalidData
from knoll.foreign_kinds import foreign_kind
from knoll.sounds.limits import (
    HIGHEST_RATE,
    LOWEST_RATE,
    MOST_CHANNELS,
    MOST_CHUNKS,
    MOST_RATIO,
    MOST_SECONDS,
    RATIO_FROM,
)

__all__ = ["SoundHeader", "bad_sound", "read_sound_header"]

_WAVES = {b"RIFF": "<", b"RIFX": ">", b"RF64": "<", b"BW64": "<"}
_FLAC = b"fLaC"
_PCM, _FLOAT, _ALAW, _ULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_NAMES = {2: "Microsoft ADPCM", 0x11: "IMA ADPCM", 0x31: "GSM 6.10", 0x50: "MPEG", 0x55: "MP3"}
_ENCODINGS = {  # by format, and bytes of a sample
    (_PCM, 1): "PCM_U8",
    (_PCM, 2): "PCM_16",
    (_PCM, 3): "PCM_24",
    (_PCM, 4): "PCM_32",
    (_FLOAT, 4): "FLOAT",
    (_FLOAT, 8): "DOUBLE",
    (_ALAW, 1): "ALAW",
    (_ULAW, 1): "ULAW",
}
_GUID = bytes.fromhex("800000aa00389b71")  # the end of each one that stands for a format
_UNKNOWN = 0xFFFFFFFF  # a length that is given elsewhere, or nowhere
_LONGEST_FORMAT, _SHORTEST_FORMAT, _EXTENSIBLE_FORMAT = 4096, 16, 40  # bytes
_BITS = {8, 16, 24}  # of FLAC
_STREAM_INFO = 34  # bytes
_AGAIN = "write the file again"
_SAVE = "save it as WAV or FLAC"


@dataclass(frozen=True)
class SoundHeader:
    """`rate` is in Hz, and `frames` are the samples of a channel. `encoding` is as libsndfile names it. The
    sound lies from byte `start` to `end`; in a WAV its numbers may be `big` endian. `info` describes a
    FLAC."""

    kind: str
    rate: int
    channels: int
    frames: int
    encoding: str
    start: int
    end: int
    big: bool = False
    info: bytes = b""

    @property
    def seconds(self) -> float:
        """How long it sounds."""
        return self.frames / self.rate


def read_sound_header(file: BinaryIO, size: int) -> SoundHeader:
    """The header of a file of this size; the file can seek. Raises InvalidData, in words that begin with
    "it", if it is no sound, or one beyond the limits."""
    file.seek(0)
    head = file.read(1024)
    if head[:4] in _WAVES and head[8:12] == b"WAVE":
        return _wave(file, size, head[:4])
    if head.startswith(_FLAC):
        return _flac(file, size)
    if not head:
        raise bad_sound("it is empty", _AGAIN)
    kind = foreign_kind(head)
    raise bad_sound(f"it is {kind}; only WAV and FLAC are read" if kind else _neither(head), _SAVE)


def bad_sound(why: str, todo: str) -> InvalidData:
    """A refusal that says in its text what to do: whoever names the file shows the text alone."""
    return InvalidData(f"{why}: {todo}")


def _neither(head: bytes) -> str:
    is_cut = head[:4] in _WAVES and len(head) < 12
    return "it is cut short: its header is missing" if is_cut else "it is neither a WAV nor a FLAC"


def _wave(file: BinaryIO, size: int, magic: bytes) -> SoundHeader:
    order, form, wide = _WAVES[magic], b"", 0
    for kind, start, length in _chunks(file, size, order):
        if kind == b"ds64":
            wide = int.from_bytes(_part(file, start, length, 28, 28)[8:16], "little")
        elif kind == b"fmt ":
            form = _part(file, start, length, _SHORTEST_FORMAT, _LONGEST_FORMAT)
        elif kind == b"data":
            if not form:
                raise bad_sound("its header is broken: the sound comes before its format", _AGAIN)
            is_wide = length == _UNKNOWN and magic in {b"RF64", b"BW64"}
            return _sound(form, order, start, _length(wide if is_wide else length, size - start))
    raise bad_sound("it is cut short: it has a header and no sound", _AGAIN)


def _chunks(file: BinaryIO, size: int, order: str) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and length of each part, one of which is the sound."""
    place = 12
    for _ in range(MOST_CHUNKS):
        file.seek(place)
        head = file.read(8)
        if len(head) < 8 or place >= size:
            return
        kind, length = struct.unpack(f"{order}4sI", head)
        yield kind, place + 8, length
        place += 8 + length + length % 2
    raise bad_sound(f"it has more than {MOST_CHUNKS:,} parts before its sound", _AGAIN)


def _part(file: BinaryIO, start: int, length: int, least: int, most: int) -> bytes:
    """The first bytes of a part."""
    file.seek(start)
    body = file.read(min(length, most))
    if len(body) < least or (most == _LONGEST_FORMAT and length > most):
        raise bad_sound(f"its header is broken: a part of it has {length:,} bytes", _AGAIN)
    return body


def _length(length: int, left: int) -> int:
    """The bytes of sound. Raises InvalidData unless the header says how many, and they are there."""
    if length == _UNKNOWN:
        raise bad_sound(
            "its header does not say how long it is, as that of a WAV in a pipe", "write it to a file"
        )
    if length > left:
        raise bad_sound(
            f"it is cut short: its header says {length:,} bytes of sound, and {max(left, 0):,} are there",
            _AGAIN,
        )
    return length


def _sound(form: bytes, order: str, start: int, length: int) -> SoundHeader:
    tag, channels, rate, _, block, bits = struct.unpack_from(f"{order}HHIIHH", form)
    if tag == _EXTENSIBLE:
        tag = _tag(form, order)
    _check(rate, channels)
    width = block // channels
    if tag not in {_PCM, _FLOAT, _ALAW, _ULAW}:
        raise bad_sound(
            f"its sound is packed as {_NAMES.get(tag, f'format 0x{tag:04X}')}, which is not read", _SAVE
        )
    if block % channels or not 8 * (width - 1) < bits <= 8 * width:
        raise bad_sound(
            f"its header is broken: {bits} bits in {channels} channels do not make {block} bytes", _AGAIN
        )
    encoding = _ENCODINGS.get((tag, width))
    if encoding is None:
        kind = "floats" if tag == _FLOAT else "whole numbers"
        raise bad_sound(f"its samples are {kind} of {bits} bits, which are not read", _SAVE)
    if length % block:
        raise bad_sound("it is cut short: its last sample lacks a channel or a byte", _AGAIN)
    found = SoundHeader("WAV", rate, channels, length // block, encoding, start, start + length, order == ">")
    _check_length(found)
    return found


def _tag(form: bytes, order: str) -> int:
    if len(form) < _EXTENSIBLE_FORMAT:
        raise bad_sound("its header is broken: its format is cut short", _AGAIN)
    tag, second, third = struct.unpack_from(f"{order}IHH", form, 24)
    is_usual = tag < _EXTENSIBLE and (second, third, form[32:40]) == (0, 16, _GUID)
    return int(tag) if is_usual else _EXTENSIBLE


def _flac(file: BinaryIO, size: int) -> SoundHeader:
    place, info = len(_FLAC), b""
    for _ in range(MOST_CHUNKS):
        file.seek(place)
        head = file.read(4)
        if len(head) < 4:
            raise bad_sound("it is cut short: it has a header and no sound", _AGAIN)
        kind, length = head[0] & 0x7F, int.from_bytes(head[1:])
        if place == len(_FLAC):
            info = file.read(_STREAM_INFO) if (kind, length) == (0, _STREAM_INFO) else b""
            if len(info) < _STREAM_INFO:
                raise bad_sound("its header is broken: it does not say what it holds", _AGAIN)
        place += 4 + length
        if head[0] & 0x80:
            return _stream(info, place, size)
    raise bad_sound(f"it has more than {MOST_CHUNKS:,} parts before its sound", _AGAIN)


def _stream(info: bytes, start: int, size: int) -> SoundHeader:
    packed = int.from_bytes(info[10:18])
    rate, channels = packed >> 44, (packed >> 41 & 7) + 1
    bits, frames = (packed >> 36 & 31) + 1, packed & (1 << 36) - 1
    _check(rate, channels)
    if bits not in _BITS:
        raise bad_sound(f"its samples have {bits} bits, and of FLAC 8, 16 and 24 are read", _SAVE)
    if start >= size:
        raise bad_sound("it is cut short: it has a header and no sound", _AGAIN)
    if not frames:
        raise bad_sound("its header does not say how long it is", "write it to a file, not to a pipe")
    found = SoundHeader("FLAC", rate, channels, frames, f"PCM_{bits}", start, size, info=info)
    _check_length(found)
    unpacked = frames * channels * bits // 8
    if unpacked > max(RATIO_FROM, MOST_RATIO * (size - start)):
        raise bad_sound(
            f"it unpacks to more than {MOST_RATIO:,} times its size: it is forged, or nearly all silence",
            "save it as WAV, or cut the silence",
        )
    return found


def _check(rate: int, channels: int) -> None:
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise bad_sound(
            f"it has {rate:,} samples a second, and {LOWEST_RATE:,} to {HIGHEST_RATE:,} are read",
            "resample it",
        )
    if not 1 <= channels <= MOST_CHANNELS:
        raise bad_sound(f"it has {channels:,} channels, and 1 to {MOST_CHANNELS} are read", "mix it")


def _check_length(header: SoundHeader) -> None:
    if not header.frames:
        raise bad_sound("it has no sound: its length is 0", _AGAIN)
    if header.frames > MOST_SECONDS * header.rate:
        raise bad_sound(f"it sounds {header.seconds:,.1f} seconds, more than {MOST_SECONDS:,}", "split it")
