"""Objects on any S3 server, over boto3: SeaweedFS on the laptop, MinIO or AWS on a cluster.

File objects travel in parts of a fixed size: the etag of a multipart upload depends on it, and the identity
of a dataset is made of etags. Checksums that S3 does not require stay off: not every server knows them.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

from knoll.adapters.s3_answers import (
    AWS,
    KEYS_OF_AWS,
    bare,
    body_of,
    client_fault,
    no_answer,
    refusal,
    unavailable,
    version_at,
)
from knoll.adapters.s3_client import CONNECT_SECONDS, build_client, read_seconds
from knoll.errors import MAKE_ROOM, AlreadyExists, Conflict, NotFound, Rejected, StoreUnavailable
from knoll.names import object_uri, split_uri
from knoll.ports import ObjectInfo

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["PART_SIZE", "S3Store"]

PART_SIZE = 8 * 2**20  # bytes
_FAILED = 500
_NO_SUCH_PART = 416  # the answer for an empty object, which has no part
_NOT_FOR_US = (403, 405, 501)  # answers of servers that keep no versions, or do not show them to us

_PARTS = TransferConfig(multipart_threshold=PART_SIZE, multipart_chunksize=PART_SIZE, max_concurrency=4)


class S3Store:
    """`ports.ObjectStore` on one S3 server. Threads may share it.

    An empty endpoint means AWS. Empty keys mean the default chain of AWS: environment, profile, role of the
    Pod. `is_own` is said of the server that `knoll up` starts. `why_full` says why the server's disk is full,
    or ""; it is asked when the server fails.
    """

    def __init__(
        self,
        endpoint: str,
        access_key: str,
        secret_key: str,
        region: str,
        *,
        tries_once: bool = False,
        is_own: bool = False,
        why_full: Callable[[], str] = str,
    ) -> None:
        self._endpoint = endpoint
        self._access_key = access_key
        self._secret_key = secret_key
        self._region = region
        self._tries_once, self._why_full, self._is_own = tries_once, why_full, is_own
        self._has_keys = bool(endpoint and access_key and secret_key)
        self._lock = threading.Lock()
        self._built: S3Client | None = None

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """See `ports.ObjectStore.list`; pages are fetched as they are needed."""
        bucket, key = split_uri(prefix)
        start: Any = {"StartAfter": _folder(split_uri(after)[1])} if after else {}
        try:
            with self._errors(prefix):
                pages = self._client().get_paginator("list_objects_v2")
                for page in pages.paginate(Bucket=bucket, Prefix=key, **start):
                    for one in page.get("Contents", []):
                        uri = object_uri(bucket, one["Key"])
                        if uri > after:
                            yield ObjectInfo(
                                uri, bare(one["ETag"]), one["Size"], one["LastModified"].astimezone(UTC)
                            )
        except NotFound:
            return

    def get(
        self, uri: str, *, etag: str = "", at: datetime | None = None, part: range | None = None
    ) -> bytes:
        """See `ports.ObjectStore.get`."""
        bytes_only: dict[str, Any] = {"Range": f"bytes={part.start}-{part.stop - 1}"} if part else {}
        try:
            return self._get(uri, bytes_only | ({"IfMatch": f'"{etag}"'} if etag else {}), part)
        except (Conflict, NotFound):
            version = self._version(uri, etag, at) if etag and at else ""
            if not version:
                raise
        return self._get(uri, bytes_only | {"VersionId": version}, part)

    def put(
        self, uri: str, body: bytes | BinaryIO, *, if_absent: bool = False, content_type: str = ""
    ) -> str:
        """See `ports.ObjectStore.put`; a file object is read from where it stands.

        With `if_absent` it is sent whole, at most 5 GB: the condition holds for one request only.
        """
        options = {"ContentType": content_type} if content_type else {}
        if if_absent:
            return self._put_absent(uri, body if isinstance(body, bytes) else body.read(), options)
        if isinstance(body, bytes):
            return self._put_bytes(uri, body, options)
        return self._put_parts(uri, body, options)

    def delete(self, uri: str) -> None:
        """See `ports.ObjectStore.delete`."""
        bucket, key = _split_object(uri)
        try:
            with self._errors(uri):
                self._client().delete_object(Bucket=bucket, Key=key)
        except NotFound:
            return

    def ensure_bucket(self, name: str) -> None:
        """Create the bucket, unless it exists and is ours."""
        uri = object_uri(name, "")
        is_regional = not self._endpoint and self._region not in ("", "us-east-1")
        place: Any = (
            {"CreateBucketConfiguration": {"LocationConstraint": self._region}} if is_regional else {}
        )
        try:
            with self._errors(uri):
                self._client().head_bucket(Bucket=name)
        except NotFound:
            try:
                with self._errors(uri):
                    self._client().create_bucket(Bucket=name, **place)
            except AlreadyExists:
                return

    def _get(self, uri: str, options: dict[str, Any], part: range | None) -> bytes:
        bucket, key = _split_object(uri)
        with self._errors(uri):
            try:
                return body_of(self._client().get_object(Bucket=bucket, Key=key, **options), part)
            except ClientError as error:
                if _status(error) == _NO_SUCH_PART:
                    return b""
                raise

    def _version(self, uri: str, etag: str, at: datetime) -> str:
        """Id of the version that was current at that time, if it has that etag. It is "" if that version has
        another etag, or if the server does not tell."""
        try:
            with self._errors(uri):
                written, deleted = self._versions(*_split_object(uri))
        except StoreUnavailable as error:
            if isinstance(error.__cause__, ClientError) and _status(error.__cause__) in _NOT_FOR_US:
                return ""
            raise
        return version_at(written, deleted, etag, at)

    def _versions(self, bucket: str, key: str) -> tuple[Sequence[Any], Sequence[Any]]:
        """All versions of an object, and all marks of its deletion, each the newest first."""
        written: Sequence[Any] = []
        deleted: Sequence[Any] = []
        for page in self._client().get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key):
            written = [*written, *_of(key, page.get("Versions", []))]
            deleted = [*deleted, *_of(key, page.get("DeleteMarkers", []))]
            if page.get("NextKeyMarker") != key:  # the rest is of keys that only begin like this one
                break
        return written, deleted

    def _put_bytes(self, uri: str, body: bytes, options: dict[str, Any]) -> str:
        bucket, key = _split_object(uri)
        with self._errors(uri):
            return bare(self._client().put_object(Bucket=bucket, Key=key, Body=body, **options)["ETag"])

    def _put_absent(self, uri: str, body: bytes, options: dict[str, Any]) -> str:
        absent = {**options, "IfNoneMatch": "*"}
        try:
            return self._put_bytes(uri, body, absent)
        except Conflict:  # two writers met in the middle: the second try sees who won
            try:
                return self._put_bytes(uri, body, absent)
            except Conflict as error:
                raise AlreadyExists(f"{uri} exists already") from error

    def _put_parts(self, uri: str, body: BinaryIO, options: dict[str, Any]) -> str:
        bucket, key = _split_object(uri)
        with self._errors(uri):
            self._client().upload_fileobj(body, bucket, key, ExtraArgs=options, Config=_PARTS)
            return bare(self._client().head_object(Bucket=bucket, Key=key)["ETag"])

    @contextmanager
    def _errors(self, uri: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            if _status(error) >= _FAILED and (full := self._why_full()):
                raise unavailable(uri, self._place(), full, MAKE_ROOM) from error
            code = error.response.get("Error", {}).get("Code", "")
            raise refusal(uri, self._place(), _status(error), code, error.operation_name) from error
        except BotoCoreError as error:
            of_aws = not self._has_keys and not isinstance(error, (ConnectionError, HTTPClientError))
            fix = KEYS_OF_AWS if of_aws else no_answer(self._place(), is_own=self._is_own)
            reason = client_fault(error, CONNECT_SECONDS, read_seconds(tries_once=self._tries_once))
            raise unavailable(uri, self._place(), reason, fix) from error

    def _place(self) -> str:
        return self._endpoint or AWS

    def _client(self) -> "S3Client":
        with self._lock:
            if self._built is None:
                self._built = build_client(
                    self._endpoint,
                    self._access_key,
                    self._secret_key,
                    self._region,
                    tries_once=self._tries_once,
                )
            return self._built


def _split_object(uri: str) -> tuple[str, str]:
    bucket, key = split_uri(uri)
    if not key:
        raise Rejected(f"{uri} names a bucket, not an object")
    return bucket, key


def _folder(key: str) -> str:
    """Where a listing behind a key begins. SeaweedFS 4.48 leaves out the objects below a folder if it is told
    to begin behind that folder."""
    return key[: key.rfind("/") + 1]


def _of(key: str, versions: Iterable[Any]) -> list[Any]:
    return [one for one in versions if one["Key"] == key]


def _status(error: ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
