"""Decides what an answer of an S3 server means, and what it means that there is none."""

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from typing import Any

from knoll.adapters.http_faults import connection_fault
from knoll.errors import AlreadyExists, Conflict, KnollError, NotFound, Rejected, StoreUnavailable
from knoll.names import split_uri

__all__ = [
    "AWS",
    "KEYS_OF_AWS",
    "bare",
    "body_of",
    "client_fault",
    "no_answer",
    "refusal",
    "unavailable",
    "version_at",
]

AWS = "AWS"  # the place where no endpoint is set
KEYS_OF_AWS = (
    "check AWS_PROFILE and ~/.aws (aws configure list), or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
)
_KEYS = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken")
_CLOSED = "it closed the connection before its answer was complete"
_SIGN_IN = "the sign-in at AWS has ended, or was refused"
_CLIENT = {  # by the name of what botocore raises
    "ConnectTimeoutError": "no connection within {connect} s",
    "ReadTimeoutError": "connected, and no answer within {read} s",
    "ConnectionClosedError": _CLOSED,
    "ResponseStreamingError": _CLOSED,
    "IncompleteReadError": _CLOSED,
    "ProxyConnectionError": "the proxy gives no connection to it",
    "NoCredentialsError": "this machine has no keys for it",
    "PartialCredentialsError": "one of the two keys is missing",
    "CredentialRetrievalError": _SIGN_IN,
    "TokenRetrievalError": _SIGN_IN,
    "SSOTokenLoadError": _SIGN_IN,
    "UnauthorizedSSOTokenError": _SIGN_IN,
    "LoginRefreshRequired": _SIGN_IN,
    "ProfileNotFound": "~/.aws has no profile of the name in AWS_PROFILE",
    "ConfigNotFound": "{path} is missing",
    "ConfigParseError": "{path} cannot be read",
    "NoRegionError": "no region is set",
    "InvalidRegionError": "AWS has no region of the name that is set",
    "ParamValidationError": "S3 has no such names of buckets or objects",
}
_NO_CONNECTION = ("ConnectionError", "EndpointConnectionError", "SSLError")
_PART_ONLY = 206  # the answer of a server that knows ranges
_PASSED = 2**20  # bytes that are read at once and not kept
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
    answer = f"it answered {status} {code}".rstrip()
    return unavailable(uri, place, answer, _what_helps(place, status, code))


def unavailable(uri: str, place: str, reason: str, fix: str) -> StoreUnavailable:
    """The error for a server that does not answer, or not as it should."""
    return StoreUnavailable(f"cannot read or write {uri} on S3 at {place}: {reason}", fix=fix)


def client_fault(error: Exception, connect: float, read: float) -> str:
    """Why the client has no answer. `connect` and `read` are its time-outs in seconds."""
    name, told = type(error).__name__, getattr(error, "kwargs", {})
    if name in _CLIENT:
        return _CLIENT[name].format(connect=connect, read=read, path=told.get("path", "a file of ~/.aws"))
    fault = connection_fault(told.get("error", error))
    if name in _NO_CONNECTION:
        return f"no connection: {fault}" if fault else "no connection"
    return fault or f"the client of S3 has ended with {name}"


def no_answer(place: str, *, is_own: bool = False) -> str:
    """What helps against a server that does not answer; `is_own` is said of that of `knoll up`."""
    if is_own:
        return "wait a moment and repeat: knoll up starts its store again, and says so if it cannot"
    return f"start the server at {place}, or name another one in KNOLL_S3_ENDPOINT or AWS_ENDPOINT_URL"


def _what_helps(place: str, status: int, code: str) -> str:
    """What helps against an answer that is no success."""
    if status >= 500:
        return f"make room if the disk of {place} is full, and read its log"
    if place == AWS and status in (400, 401, 403):
        return KEYS_OF_AWS
    if code in _KEYS:
        return "set KNOLL_S3_ACCESS_KEY and KNOLL_S3_SECRET_KEY to a pair of keys that this server knows"
    if status in (401, 403):
        return f"give the owner of these keys the right to use this bucket on {place}"
    return f"read the log of {place}: it does not take this request"


def version_at(written: Sequence[Any], deleted: Sequence[Any], etag: str, at: datetime) -> str:
    """Id of the version that was current at that time, if it has that etag; else "".

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


def body_of(answer: Any, part: range | None) -> bytes:
    """The bytes of an object, or those in `part`. A server that knows no ranges sends the whole object: then
    the part is read from that, and no more is held in memory."""
    body = answer["Body"]
    if part is None or answer["ResponseMetadata"]["HTTPStatusCode"] == _PART_ONLY:
        return bytes(body.read())
    with closing(body):
        before = part.start
        while before and (passed := body.read(min(before, _PASSED))):
            before -= len(passed)
        return bytes(body.read(len(part)))
