"""Where data lies: a bucket and a prefix of it, and the name of an object there.

A key that no store takes, or that no one can read on a screen, is refused where it is declared.
"""

import re
from typing import Annotated

from pydantic import AfterValidator

from knoll.errors import Rejected
from knoll.models.units import form
from knoll.names import BUCKET_NAME, split_uri
from knoll.quoting import shown

__all__ = ["Name", "Prefix"]

_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_LONGEST_PREFIX, _LONGEST_NAME = 768, 255  # bytes: together with a slash a key, which has 1,024 at most


def _checked(uri: str) -> str:
    try:
        bucket, key = split_uri(uri)
    except Rejected as error:
        raise ValueError(str(error)) from error
    if not BUCKET_NAME.fullmatch(bucket):
        raise ValueError(
            f"S3 has no bucket {shown(bucket)}: a name is 3-63 lower-case letters, digits, dots and dashes"
        )
    if key and not key.endswith("/"):
        raise ValueError("end the prefix with a slash: s3://datasets/digits/")
    if key and (wrong := _wrong_parts(key.removesuffix("/").split("/"))):
        raise ValueError(wrong)
    if len(key.encode(errors="replace")) > _LONGEST_PREFIX:
        raise ValueError(f"a prefix has {_LONGEST_PREFIX} bytes at most")
    return uri


def _checked_name(name: str) -> str:
    if not name or "/" in name:
        raise ValueError(
            "name one object right under the prefix, such as _SUCCESS or manifest.json, without a slash"
        )
    if wrong := _wrong_parts([name]):
        raise ValueError(wrong)
    if len(name.encode(errors="replace")) > _LONGEST_NAME:
        raise ValueError(f"a name has {_LONGEST_NAME} bytes at most")
    return name


def _wrong_parts(parts: list[str]) -> str:
    """Why no object can have these parts in its key; "" if one can."""
    if "" in parts:
        return "no two slashes stand side by side in a prefix"
    if {".", ".."} & {*parts}:
        return "no part of a key is . or ..: stores refuse it, or drop it"
    unseen = any(_UNSEEN.search(part) for part in parts)
    return "no key has line breaks, control characters, or marks that turn the direction of writing" * unseen


Name = Annotated[str, AfterValidator(_checked_name), form("a name without a slash")]
Prefix = Annotated[str, AfterValidator(_checked), form("s3://bucket/prefix/")]
