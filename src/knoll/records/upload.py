"""The sign that an upload goes on: an empty object for each. Its key says who, its age whether that lives.

It is a hint for people; nothing depends on it.
"""

from datetime import datetime, timedelta

from knoll.names import join
from knoll.ports import Bucket

__all__ = [
    "SIGN_SECONDS",
    "hang_out",
    "others_at_work",
    "remove_old_signs",
    "sign_place",
    "take_in",
    "upload_uri",
]

SIGN_SECONDS = 60.0  # a sign that is older belongs to an upload that was killed


def upload_uri(root: str, model: str, who: str) -> str:
    """URI of the sign."""
    return join(root, "uploads", model, who)


def sign_place(model: str, who: str, bucket: Bucket) -> str:
    """Where an upload hangs its sign out."""
    return upload_uri(bucket.root, model, who)


def hang_out(uri: str, bucket: Bucket) -> None:
    """Write the sign, or make it young again."""
    bucket.store.put(uri, b"")


def take_in(uri: str, bucket: Bucket) -> None:
    """Remove the sign at the end of its upload."""
    bucket.store.delete(uri)


def others_at_work(uri: str, bucket: Bucket) -> list[tuple[str, datetime]]:
    """Who else uploads to the same model, and when they last said so."""
    young, _ = _signs(uri, bucket)
    return [(one.rpartition("/")[2], modified) for one, modified in young.items()]


def remove_old_signs(uri: str, bucket: Bucket) -> None:
    """Remove the signs of uploads that were killed."""
    for one in _signs(uri, bucket)[1]:
        bucket.store.delete(one)


def _signs(uri: str, bucket: Bucket) -> tuple[dict[str, datetime], list[str]]:
    """The signs of other uploads that are young, with their times, and those that are old. All ages are by
    the store's clock, so the own sign must be young; without it there are none."""
    signs = {one.uri: one.modified for one in bucket.store.list(uri.rpartition("/")[0] + "/")}
    own = signs.pop(uri, None)
    if own is None:
        return {}, []
    old = [one for one, modified in signs.items() if own - modified > timedelta(seconds=SIGN_SECONDS)]
    return {one: modified for one, modified in signs.items() if one not in old}, old
