"""Identities: how things are named.

Identity is content: the same data and config always give the same run. A digest is taken over length-prefixed
parts, so that two different lists never have the same encoding.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from knoll.errors import Rejected
from knoll.quoting import shown

__all__ = [
    "BUCKET_NAME",
    "DIGEST",
    "MODEL_NAME",
    "MOMENT",
    "NAMESPACE_NAME",
    "OBJECT_NAME",
    "RUN_ID",
    "VERSION_NAME",
    "bucket_uri",
    "config_digest",
    "digest",
    "is_in_bucket",
    "join",
    "model_of_run",
    "object_uri",
    "overlap",
    "run_id",
    "split_uri",
    "version_name",
    "version_number",
]

DIGEST = re.compile(r"[0-9a-f]{64}")  # as `digest` writes it
MOMENT = "%Y%m%dT%H%M%S%fZ"  # a time in the name of a record, in UTC
MODEL_NAME = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")
OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")  # of Kubernetes, also of a faulty Model
NAMESPACE_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
BUCKET_NAME = re.compile(r"(?!.*\.\.)(?!\d+(\.\d+){3}$)[a-z0-9][-.a-z0-9]{1,61}[a-z0-9]", re.ASCII)
RUN_ID = re.compile(rf"({MODEL_NAME.pattern})-[0-9a-f]{{20}}")
VERSION_NAME = re.compile(r"v(?:[0-9]{6}|[1-9][0-9]{6,11})")  # as `version_name` writes it


def digest(parts: Iterable[str | bytes]) -> str:
    """Sha256 in hex over length-prefixed parts: ("a", "bc") and ("ab", "c") differ."""
    state = hashlib.sha256()
    for part in parts:
        encoded = part.encode() if isinstance(part, str) else part
        state.update(len(encoded).to_bytes(8, "big"))
        state.update(encoded)
    return state.hexdigest()


def config_digest(
    family: str,
    config: Mapping[str, Any],
    golden_set: str = "",
    most_bad: float = 0,
    keep: str = "last",
    patience: int | None = None,
    compressed: Mapping[str, Any] | None = None,
    accelerated: Mapping[str, Any] | None = None,
) -> str:
    """Digest of all that decides what is trained and scored, except the data: family, config and, where set,
    golden set, share of bad files, end of the training, graphs to try, and how it computes."""
    more = [*([golden_set] if golden_set else []), *([f"most bad: {most_bad!r}"] if most_bad else [])]
    ended = [f"keep: {keep}, patience: {patience or 0}"] if patience or keep != "last" else []
    tried = [f"compressed: {_as_text(compressed)}"] if compressed else []
    faster = [f"accelerated: {_as_text(accelerated)}"] if accelerated else []
    return digest([family, _as_text(config), *more, *ended, *tried, *faster])


def _as_text(fields: Mapping[str, Any]) -> str:
    """The same JSON for the same fields."""
    return json.dumps(dict(fields), sort_keys=True, separators=(",", ":"))


def run_id(model: str, dataset_digest: str, config_digest: str, again: int = 0) -> str:
    """Name of a run, its Job and its record: at most 61 characters, a valid Kubernetes name.

    `again` counts how often the same data was replaced before it was trained.
    """
    return f"{model}-{digest([model, dataset_digest, config_digest, *([str(again)] if again else [])])[:20]}"


def model_of_run(run: str) -> str:
    """ "digits-0123456789abcdef0123" -> "digits". Raises Rejected if the text is not a run id."""
    match = RUN_ID.fullmatch(run)
    if not match:
        raise Rejected(f"{shown(run)} is not a run id", fix="knoll runs lists them")
    return match[1]


def version_name(number: int) -> str:
    """7 -> "v000007": zero-padded, so that names sort like numbers and no name is a prefix of another."""
    return f"v{number:06d}"


def version_number(name: str) -> int:
    """ "v000007" -> 7. Raises Rejected for any other form."""
    if not VERSION_NAME.fullmatch(name):
        raise Rejected(
            f"{shown(name)} is not a version such as v000001", fix="knoll versions MODEL lists them"
        )
    return int(name[1:])


def is_in_bucket(uri: str, bucket: str) -> bool:
    """Whether an s3:// URI lies in the bucket of this name."""
    return uri.startswith(object_uri(bucket, ""))


def overlap(first: str, second: str) -> bool:
    """Whether one of two prefixes lies in the other; "" is no prefix."""
    return bool(first and second) and (first.startswith(second) or second.startswith(first))


def split_uri(uri: str) -> tuple[str, str]:
    """ "s3://bucket/some/key" -> ("bucket", "some/key"). Raises Rejected for any other scheme."""
    bucket, separator, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket or not separator:
        raise Rejected(f"{shown(uri)} is not of the form s3://bucket/key")
    return bucket, key


def bucket_uri(bucket: str) -> str:
    """ "bucket" -> "s3://bucket", as a root to join with."""
    return f"s3://{bucket}"


def object_uri(bucket: str, key: str) -> str:
    """("bucket", "some/key") -> "s3://bucket/some/key", as `split_uri` splits it."""
    return f"{bucket_uri(bucket)}/{key}"


def join(root: str, *parts: str) -> str:
    """Join a root URI, with or without its last slash, and parts."""
    return "/".join([root.rstrip("/"), *parts])
