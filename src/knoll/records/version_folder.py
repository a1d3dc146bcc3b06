"""The files of one version, in the model bucket or on a disk, and whether they are what was trained."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from knoll.errors import NewerSchema, NotFound
from knoll.ports import Bucket, ObjectInfo
from knoll.records.attestation import check_signed
from knoll.records.manifest import (
    ATTESTATION,
    MANIFEST,
    SEALS,
    Manifest,
    Sealed,
    extra_files,
    sealed_of,
    version_uri,
    versions_uri,
)
from knoll.records.record import MOST_BYTES, newer_at
from knoll.settings import Settings

__all__ = [
    "Source",
    "VersionFolder",
    "place_for_predictor",
    "version_folder",
    "versions_place",
    "wrong_sizes",
]


_WHOLE_RECORD = range(MOST_BYTES + 1)  # what is longer is cut off, and so is no JSON


class Source(Protocol):
    """The part of an object store that verification needs."""

    def list(self, prefix: str) -> Iterable[ObjectInfo]:
        """See `ports.ObjectStore.list`."""

    def get(self, uri: str, *, etag: str = "", part: range | None = None) -> bytes:
        """See `ports.ObjectStore.get`."""


@dataclass(frozen=True)
class VersionFolder:
    """The folder of a version; `uri` ends with a slash. It is named after model and version, unless it
    `has_any_name`."""

    source: Source
    uri: str
    has_any_name: bool = False

    def read_sealed(self, pin: str) -> Sealed:
        """The manifest, if it is of this version, and its bytes have the sha256 `pin`; "" is no pin. Raises
        NotFound without a manifest, InvalidVersion, NewerSchema, StoreUnavailable."""
        body = self.source.get(self.uri + MANIFEST, part=_WHOLE_RECORD)
        model, version = self.uri.rstrip("/").split("/")[-2:]
        try:
            return sealed_of(body, model, version, pin, any_name=self.has_any_name)
        except NewerSchema as error:
            raise newer_at(self.uri + MANIFEST, error) from error

    def check_signed(self, sealed: Sealed, keys: str) -> None:
        """Raise InvalidVersion unless one of the public `keys` has signed the manifest; "" is no key."""
        if not keys:
            return
        envelope = None
        with suppress(NotFound):
            envelope = self.source.get(self.uri + ATTESTATION, part=_WHOLE_RECORD)
        check_signed(sealed.manifest.model, sealed.manifest.version, sealed.sha256, envelope, keys)

    def list(self, manifest: Manifest) -> Mapping[str, ObjectInfo]:
        """The files that are there and count: those of the manifest, the manifest, and its attestation."""
        listed = {one.uri.removeprefix(self.uri): one for one in self.source.list(self.uri)}
        return {name: one for name, one in listed.items() if name in {*manifest.files, *SEALS}}

    def strays(self, manifest: Manifest) -> Sequence[str]:
        """The names that lie there and that the manifest does not name: nothing reads them."""
        return extra_files(manifest, (one.uri.removeprefix(self.uri) for one in self.source.list(self.uri)))

    def get(self, name: str, listed: Mapping[str, ObjectInfo], part: range | None = None) -> bytes:
        """The bytes of a file as it was listed, or those in `part`. Raises NotFound or Conflict if it has
        changed since."""
        return self.source.get(self.uri + name, etag=listed[name].etag, part=part)


def version_folder(model: str, version: str, bucket: Bucket) -> VersionFolder:
    """The folder of a version in the model bucket."""
    return VersionFolder(bucket.store, version_uri(bucket.root, model, version))


def place_for_predictor(model: str, version: str, settings: Settings) -> str:
    """The URI of that folder, as a predictor is told it."""
    return version_uri(settings.model_root, model, version)


def versions_place(model: str, bucket: Bucket) -> str:
    """The URI below which the folders of all versions of a model are."""
    return versions_uri(bucket.root, model)


def wrong_sizes(manifest: Manifest, listed: Mapping[str, ObjectInfo]) -> list[str]:
    """A fault for each file that is there in another size."""
    return [
        f"{name} has {listed[name].size} bytes, the manifest says {entry.size}"
        for name, entry in sorted(manifest.files.items())
        if name in listed and listed[name].size != entry.size
    ]
