"""What tells the visitors of a model apart: a header or a cookie."""

import re
from typing import Annotated

from pydantic import AfterValidator

from knoll.models.units import form

__all__ = ["StickyKey"]

# a token of RFC 9110, 5.6.2, of 64 characters at most
_KEY = re.compile(r"(header|cookie):[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError("write header:NAME or cookie:NAME, such as header:x-user")
    return key


StickyKey = Annotated[str, AfterValidator(_checked), form("header:NAME or cookie:NAME")]
