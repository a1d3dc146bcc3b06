"""The newest version of a model, and what its signature says of the data that it has learnt: a view reads no
data of users."""

from contextlib import suppress

from knoll.errors import NewerSchema, NotFound, Rejected
from knoll.ports import Platform
from knoll.records.signature import Signature, read_signature
from knoll.views.versions import version_names

__all__ = ["newest_signature"]


def newest_signature(platform: Platform, model: str) -> tuple[str, Signature] | None:
    """The name of the newest version, and its signature; None if there is no version, or if its signature
    cannot be read."""
    version = next(iter(version_names(platform, model)), "")
    if version:
        with suppress(NotFound, NewerSchema, Rejected):
            return version, read_signature(model, version, platform.bucket)
    return None
