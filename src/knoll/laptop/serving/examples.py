"""A valid request for a version. Its signature is enough to make one, so the predictor may sleep."""

from typing import Any

from knoll.codecs import example_request
from knoll.errors import Rejected, Unavailable
from knoll.ports import Bucket
from knoll.records.signature import read_signature

__all__ = ["find_example"]


def find_example(bucket: Bucket, model: str, version: str) -> Any:
    """A V1 request; None if only a large one would do, or if the signature cannot be read."""
    try:
        return example_request(read_signature(model, version, bucket))
    except (Rejected, Unavailable, KeyError, TypeError, ValueError):
        return None
