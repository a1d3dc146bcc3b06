"""Texts as they come to a predictor: a plain body in V1, and BYTES in V2."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from knoll.codecs import DECODERS, Array, Reading
from knoll.errors import InvalidInstance
from knoll.headers import CONTENT_TYPE
from knoll.quoting import escaped
from knoll.records.signature import Signature, Tensor

__all__ = ["in_raw", "is_plain", "plain_text", "read_texts"]

_PLAIN = "text/plain"
_CHARSETS = ("", "utf-8", "utf8", "us-ascii")
_LENGTH = 4  # bytes before each text that say how long it is, the least significant first
_UTF8 = "send text in UTF-8"


def is_plain(headers: Mapping[str, str], signature: Signature) -> bool:
    """Whether a body of V1 is one text, and no JSON: it says so, and the model takes texts."""
    kind = headers.get(CONTENT_TYPE, "").partition(";")[0].strip().lower()
    return kind == _PLAIN and len(signature.inputs) == 1 and signature.inputs[0].takes_text


def plain_text(body: bytes, headers: Mapping[str, str]) -> str:
    """The text of a plain body. Raises InvalidInstance if it is not UTF-8."""
    _, *parameters = headers.get(CONTENT_TYPE, "").lower().split(";")
    named = (one.strip().removeprefix("charset=").strip('"') for one in parameters if "charset=" in one)
    if (charset := next(named, "")) not in _CHARSETS:
        raise InvalidInstance(f"the charset {escaped(charset[:40])} is not read", fix=_UTF8)
    return _text(body.removeprefix(b"\xef\xbb\xbf"), "the body")


def read_texts(
    data: Any, raw: memoryview | None, shape: Sequence[int], tensor: Tensor, reading: Reading
) -> Array:
    """The rows (B, ...) of a tensor for B texts of shape [B] or [B, 1], from JSON or from raw bytes. Raises
    InvalidInstance that names the text, and what `reading` raises."""
    texts = _in_json(data) if raw is None else _in_bytes(raw)
    if [*shape] not in ([len(texts)], [len(texts), 1]):
        raise InvalidInstance(f"its shape {[*shape]} is not that of its {len(texts):,} texts, [{len(texts)}]")
    rows, decode = [], DECODERS[tensor.codec]
    for index, text in enumerate(texts):
        reading.check()
        try:
            rows.append(decode(text, tensor, reading.of_instance(index)))
        except InvalidInstance as error:
            raise InvalidInstance(f"text {index}: {error}", fix=error.fix) from error
    return np.stack(rows)


def in_raw(texts: Iterable[bytes | str]) -> memoryview:
    """Texts as the raw bytes of V2."""
    found = (one.encode() if isinstance(one, str) else bytes(one) for one in texts)
    return memoryview(b"".join(len(one).to_bytes(_LENGTH, "little") + one for one in found))


def _in_json(data: Any) -> list[Any]:
    found = data if isinstance(data, list) else [data]
    return [one[0] if isinstance(one, list) and len(one) == 1 else one for one in found]


def _in_bytes(raw: memoryview) -> list[str]:
    """Each text has its length before it."""
    found, at = list[str](), 0
    while at < len(raw):
        start = at + _LENGTH
        at = start + int.from_bytes(raw[at:start], "little")
        if at > len(raw):
            raise InvalidInstance(f"text {len(found)} is cut short", fix="each has its length before it")
        found.append(_text(bytes(raw[start:at]), f"text {len(found)}"))
    return found


def _text(body: bytes, what: str) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        place, byte = error.start + 1, body[error.start]
        raise InvalidInstance(f"{what} is not UTF-8: byte {place} is 0x{byte:02X}", fix=_UTF8) from error
