"""What the text of a setting may be, and why another one is refused, in words that follow its name."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

from knoll.names import BUCKET_NAME, NAMESPACE_NAME, OBJECT_NAME
from knoll.quoting import shown

__all__ = [
    "BucketName",
    "Device",
    "Folder",
    "Labels",
    "Names",
    "Namespace",
    "ObjectName",
    "Percent",
    "Size",
    "Url",
    "Wait",
    "Word",
]


def _text(pattern: str, wanted: str) -> AfterValidator:
    """Texts of a form; "" is no value."""
    return AfterValidator(_check(lambda text: bool(re.fullmatch(pattern, text, re.ASCII)), wanted))


def _check(is_right: Callable[[str], bool], wanted: str) -> Callable[[str], str]:
    def checked(text: str) -> str:
        if text and not is_right(text):
            raise ValueError(f"must be {wanted}, not {shown(text)}")
        return text

    return checked


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        is_there = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and is_there and text.isprintable() and " " not in text


def _from_json(wanted: str) -> BeforeValidator:
    def decoded(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"must be JSON such as {wanted}, not {shown(value)}") from error

    return BeforeValidator(decoded)


def _of_user(folder: Path) -> Path:
    try:
        return folder.expanduser().absolute()
    except (RuntimeError, OSError) as error:
        raise ValueError(f"must be a folder, and nobody has the home of {shown(str(folder))}") from error


Url = Annotated[str, AfterValidator(_check(_is_url, "a URL such as http://127.0.0.1:8080"))]
BucketName = Annotated[
    str, _text(BUCKET_NAME.pattern, "3-63 lower-case letters, digits, dots and dashes, as S3 names a bucket")
]
_NAME = "lower-case letters, digits and dashes, as Kubernetes has them"
Namespace = Annotated[str, _text(NAMESPACE_NAME.pattern, f"a name of {_NAME}")]
ObjectName = Annotated[str, _text(OBJECT_NAME.pattern, f"a name of {_NAME}")]
Word = Annotated[str, _text(r"[!-~]+", "one word, without spaces and other than ASCII")]
Device = Annotated[str, _text(r"[a-z]+(:[0-9]{1,3})?", "a device such as cpu, cuda or cuda:1")]
Wait = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]
Folder = Annotated[Path, AfterValidator(_of_user)]
Percent = Annotated[int, Field(ge=0, le=100)]
Size = Annotated[int, Field(ge=0)]
Labels = Annotated[Mapping[str, str], NoDecode, _from_json('{"pool": "gpu"}')]
Names = Annotated[tuple[str, ...], NoDecode, _from_json('["age"]')]
