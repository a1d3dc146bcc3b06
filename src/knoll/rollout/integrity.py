"""Whether a version is still what was pinned.

Each look reads the manifest and lists the folder. The bytes of the files are read only if the listing has
changed since the last look: a store gives other bytes another etag.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from knoll.errors import NewerSchema, NotFound, Rejected
from knoll.ports import Bucket, ObjectInfo
from knoll.records.attestation import check_signature
from knoll.records.manifest import (
    ATTESTATION,
    SEALS,
    Manifest,
    check_pin,
    entry_of,
    find_sealed,
    load_manifest,
    manifest_uri,
    missing_files,
    not_as_trained,
    verify,
    version_uri,
)
from knoll.records.outcome import find_outcome
from knoll.rollout.slot import Slot

__all__ = ["NOTHING_SEEN", "Look", "look_at", "pin_of", "with_pins"]

NOTHING_SEEN = "none"  # the listing of a version whose files were not compared yet


@dataclass(frozen=True)
class Look:
    """What is wrong with a version, "" for nothing; and its listing, for the next look."""

    fault: str = ""
    listing: str = ""


def look_at(
    model: str, version: str, pin: str, bucket: Bucket, listing: str | None = None, key: str = ""
) -> Look:
    """Compare a version with its pin; every byte, if it has another `listing`, or if that is None. If there
    is a public `key`, it must have signed the version.

    "" is the listing of a version that its predictor has just verified: only names and sizes
    count. Raises StoreUnavailable.
    """
    place = version_uri(bucket.root, model, version)
    try:
        body = bucket.store.get(manifest_uri(bucket.root, model, version))
    except NotFound:
        return Look(f"{model} {version} has no manifest.json")
    seen = ""
    try:
        sha256 = entry_of(body).sha256
        check_pin(model, version, sha256, pin)
        manifest = load_manifest(body)
        listed = {one.uri.removeprefix(place): one for one in bucket.store.list(place)}
        found = {name: one for name, one in listed.items() if name in {*manifest.files, *SEALS}}
        seen = _digest(found)
        if listing == seen:
            return Look(listing=seen)
        if key:
            seal = bucket.store.get(place + ATTESTATION) if ATTESTATION in found else None
            check_signature(model, version, sha256, seal, key)
        _verify(manifest, found, bucket, place, by_size=listing == "")
    except NewerSchema:  # pinned, and written by a knoll that knows it better
        return Look(listing=listing or "")
    except Rejected as error:
        return Look(str(error), seen)
    return Look(listing=seen)


def with_pins(model: str, slot: Slot, bucket: Bucket) -> Slot:
    """The slot with a pin for each version that serves or served. knoll 0.2 pinned none: what is found first
    is trusted."""
    roles = [one for one in (slot.champion, slot.previous) if one and one not in slot.pins]
    found = {version: pin_of(model, version, bucket) for version in roles}
    new = {version: pin for version, pin in found.items() if pin}
    return replace(slot, pins={**slot.pins, **new}) if new else slot


def pin_of(model: str, version: str, bucket: Bucket) -> str:
    """The sha256 of the manifest that the run of the version has published; of the manifest that is there, if
    its outcome says none; "" if it cannot be read."""
    try:
        sealed = find_sealed(model, version, bucket)
        outcome = find_outcome(sealed.manifest.run, bucket) if sealed else None
    except (Rejected, NewerSchema):
        return ""
    published = outcome.manifest_sha256 if outcome else ""
    return published or (sealed.sha256 if sealed else "")


def _digest(found: Mapping[str, ObjectInfo]) -> str:
    lines = (f"{name}\n{one.size}\n{one.etag}\n" for name, one in sorted(found.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _verify(
    manifest: Manifest, found: Mapping[str, ObjectInfo], bucket: Bucket, place: str, *, by_size: bool
) -> None:
    """Compare the files with the manifest: their bytes, or only their names and sizes."""
    sizes = {name: one.size for name, one in found.items() if name in manifest.files}
    faults = missing_files(manifest, sizes)
    faults += [
        f"{name} has {sizes[name]} bytes, the manifest says {entry.size}"
        for name, entry in sorted(manifest.files.items())
        if name in sizes and sizes[name] != entry.size
    ]
    if faults:
        raise not_as_trained(manifest, faults)
    if not by_size:
        verify(manifest, {name: bucket.store.get(place + name, etag=found[name].etag) for name in sizes})
