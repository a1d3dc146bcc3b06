"""The one form in which ingest reads of a created object, whoever told of it: `com.amazonaws.s3.ObjectCreated:*`.

Attributes follow the CloudEvents adapter for S3. Keys are decoded in `data`; `subject` keeps them percent-encoded, safe in any header.
"""

import string
from urllib.parse import quote

from knoll.events import OBJECT_CREATED, Event
from knoll.names import digest

__all__ = ["created"]


def created(
    bucket: str, key: str, *, source: str, time: str, how: str = "Put", etag: str = "", size: int = 0, seal: str = "", id: str = ""
) -> Event:
    """The event of one created object.

    `how` is Put, Post, Copy or CompleteMultipartUpload. Without an `id` of the sender it comes from the content, where `seal` tells two
    writes of the same bytes apart: so a notification that comes twice is the same event.
    """
    etag = etag.strip('"')
    return Event(
        id=_visible(id) or digest([bucket, key, etag, seal, how]),
        source=_visible(source),
        type=OBJECT_CREATED + _visible(how),
        time=time,
        subject=quote(key, safe="/-_.~"),
        data={"eventName": f"ObjectCreated:{how}", "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": size, "eTag": etag}}},
    )


def _visible(text: str) -> str:
    """Attributes are printable ASCII without spaces: anything else in them, a broker would refuse for ever."""
    return quote(text, safe=string.punctuation)
