"""Decides what an answer of an S3 server means."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from knoll.errors import AlreadyExists, Conflict, KnollError, NotFound, Rejected, StoreUnavailable
from knoll.names import split_uri

__all__ = ["AWS", "bare", "refusal", "unavailable", "version_at"]

AWS = "AWS"  # the place where no endpoint is set
_EXISTS = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")


def refusal(uri: str, place: str, status: int, code: str, operation: str) -> KnollError:
    """The error that an S3 error means. `place` is the server; `status`, `code` and `operation` are those of
    its answer, such as 404, NoSuchKey and GetObject."""
    bucket, key = split_uri(uri)
    if code == "NoSuchBucket" or (status == 404 and not key):
        return NotFound(f"there is no bucket {bucket} on {place}", fix=f"create it: aws s3 mb s3://{bucket}")
    if status == 404:
        return NotFound(f"there is no object {uri}", fix="check its name; its writer may not have finished")
    if code in _EXISTS or (status == 412 and operation == "PutObject"):
        return AlreadyExists(f"{uri} exists already", fix="read it back")
    if status in (409, 412):
        return Conflict(f"{uri} has changed ({code})", fix="read it again and decide again")
    if code == "InvalidBucketName":
        fix = "use 3 to 63 lower-case letters, digits and dashes"
        return Rejected(f"{bucket!r} cannot name a bucket", fix=fix)
    of_aws = place == AWS and status in (400, 401, 403)
    return unavailable(uri, place, f"it answered {status} {code}", of_aws=of_aws, is_fault=status >= 500)


def unavailable(
    uri: str, place: str, reason: str, *, of_aws: bool = False, is_fault: bool = False
) -> StoreUnavailable:
    """The error for a server that does not answer, or not as it should. `of_aws` says that the keys come from
    the settings of AWS, `is_fault` that the server has a fault of its own."""
    if is_fault:
        fix = f"make room if the disk of {place} is full, and read its log; a laptop's answers at /healthz"
    elif of_aws:
        fix = (
            "check AWS_PROFILE and ~/.aws (aws configure list), or set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY"
        )
    else:
        fix = (
            f"check that {place} runs, and that its keys are right; "
            "KNOLL_S3_ENDPOINT or AWS_ENDPOINT_URL sets another server"
        )
    return StoreUnavailable(f"cannot read or write {uri} on S3 at {place}: {reason}", fix=fix)


def version_at(written: Sequence[Any], deleted: Sequence[Any], etag: str, at: datetime) -> str:
    """Id of the version that was the object at that time, if it has that etag, else "".

    `written` has the versions of the object, `deleted` the marks of its deletion, the newest first.
    """
    before = [one for one in written if one["LastModified"] <= at]
    if not before or bare(before[0]["ETag"]) != etag:
        return ""
    is_gone = any(before[0]["LastModified"] <= one["LastModified"] <= at for one in deleted)
    return "" if is_gone else str(before[0]["VersionId"])


def bare(etag: str) -> str:
    """An etag without its quotes."""
    return etag.strip('"')
