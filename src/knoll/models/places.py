"""Where data lies: a bucket and a prefix of it."""

import re
from typing import Annotated

from pydantic import AfterValidator

from knoll.errors import Rejected
from knoll.models.units import form
from knoll.names import split_uri

__all__ = ["Prefix"]

_BUCKET = re.compile(r"(?!.*\.\.)(?!\d+(\.\d+){3}$)[a-z0-9][-.a-z0-9]{1,61}[a-z0-9]")


def _checked(uri: str) -> str:
    try:
        bucket, key = split_uri(uri)
    except Rejected as error:
        raise ValueError(str(error)) from error
    if not _BUCKET.fullmatch(bucket):
        raise ValueError(
            f"S3 has no bucket {bucket!r}: a name is 3-63 lower-case letters, digits, dots and dashes"
        )
    if key and not key.endswith("/"):
        raise ValueError("end the prefix with a slash: s3://datasets/digits/")
    return uri


Prefix = Annotated[str, AfterValidator(_checked), form("s3://bucket/prefix/")]
