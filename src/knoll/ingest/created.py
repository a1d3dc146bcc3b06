"""The one form of a created object that ingest reads, from every sender: `com.amazonaws.s3.ObjectCreated:*`.

Attributes follow the CloudEvents adapter for S3. Keys are decoded in `data`, and percent-encoded in
`subject`, which is safe in any header.
"""

import re
import string
from typing import Any
from urllib.parse import quote

from knoll.events import OBJECT_CREATED, Event, WrongField, is_timestamp
from knoll.names import digest

__all__ = ["created"]


_ABSOLUTE = re.compile(r"[A-Za-z][-+.A-Za-z0-9]*:|//storage\.googleapis\.com/|/(?!/)")


def created(
    bucket: Any,
    key: Any,
    *,
    source: str,
    time: Any,
    received_at: str = "",
    how: str = "Put",
    etag: Any = "",
    size: Any = 0,
    seal: str = "",
    id: str = "",
) -> Event:
    """The event of one created object.

    `received_at` replaces a `time` that is no timestamp. `how` is Put, Post, Copy or CompleteMultipartUpload.
    Without an `id` of the sender, the id is made of the content, so that a notification that comes twice is
    the same event; `seal` tells two writes of the same bytes apart. Raises WrongField if bucket or key are no
    names.
    """
    if not isinstance(bucket, str) or not isinstance(key, str) or not bucket or not key or "/" in bucket:
        raise WrongField("bucket and key must be names")
    etag = str(etag or "").strip('"')
    return Event(
        id=_visible(id) or digest([bucket, key, etag, seal, how]),
        source=_reference(source),
        type=OBJECT_CREATED + _visible(how),
        time=time if isinstance(time, str) and is_timestamp(time) else received_at,
        subject=quote(key, safe="/-_.~"),
        data={
            "eventName": f"ObjectCreated:{how}",
            "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": int(size or 0), "eTag": etag}},
        },
    )


def _visible(text: str) -> str:
    """The text as printable ASCII without spaces: a broker refuses other attributes for ever."""
    return quote(text, safe=string.punctuation)


def _reference(text: str) -> str:
    """The sender's name as a URI reference that every parser takes."""
    plain = quote(text, safe=":/+@")
    return plain if _ABSOLUTE.match(plain) else "/" + plain.lstrip("/")
