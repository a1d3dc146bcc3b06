"""The sign that an upload runs: an empty object for each upload. Its key says who uploads, and its age
whether the upload still runs.

It is a hint for people; nothing depends on it. An object with another name is a stray, and ignored.
"""

import re
from datetime import datetime, timedelta

from knoll.names import join
from knoll.ports import Bucket

__all__ = [
    "SIGN",
    "SIGN_SECONDS",
    "hang_out",
    "others_at_work",
    "remove_old_signs",
    "sign_place",
    "take_in",
    "upload_uri",
]

SIGN_SECONDS = 60.0  # a sign that is older belongs to an upload that was killed

SIGN = re.compile(r"(?P<machine>[A-Za-z0-9.-]+)-(?P<process>[0-9]{1,10})-[0-9a-f]{8}")


def upload_uri(root: str, model: str, who: str) -> str:
    """URI of the sign."""
    return join(root, "uploads", model, who)


def sign_place(model: str, who: str, bucket: Bucket) -> str:
    """Where the sign of an upload is."""
    return upload_uri(bucket.root, model, who)


def hang_out(uri: str, bucket: Bucket) -> None:
    """Write the sign, or refresh it."""
    bucket.store.put(uri, b"")


def take_in(uri: str, bucket: Bucket) -> None:
    """Remove the sign at the end of its upload."""
    bucket.store.delete(uri)


def others_at_work(uri: str, bucket: Bucket) -> list[tuple[str, datetime]]:
    """The signs of others who upload to the same model, and when they last said so."""
    return [*_signs(uri, bucket)[0].items()]


def remove_old_signs(uri: str, bucket: Bucket) -> None:
    """Remove the signs of uploads that were killed."""
    for one in _signs(uri, bucket)[1]:
        bucket.store.delete(one)


def _signs(uri: str, bucket: Bucket) -> tuple[dict[str, datetime], list[str]]:
    """The fresh signs of other uploads, with their times, and the old ones. Ages are measured by the store's
    clock against the own sign, which must be fresh; without it there are none."""
    place = uri.rpartition("/")[0] + "/"
    signs = {
        one.uri: one.modified
        for one in bucket.store.list(place)
        if SIGN.fullmatch(one.uri.removeprefix(place))
    }
    own = signs.pop(uri, None)
    if own is None:
        return {}, []
    old = [one for one, modified in signs.items() if own - modified > timedelta(seconds=SIGN_SECONDS)]
    return {one: modified for one, modified in signs.items() if one not in old}, old
