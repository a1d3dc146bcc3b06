"""Whether a version is still what was pinned.

Each inspection reads the manifest and lists the folder. The bytes of the files are read only if the listing
has changed since the last one: a store gives other bytes another etag.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from knoll.errors import NewerSchema, NotFound, Rejected
from knoll.ports import Bucket, ObjectInfo
from knoll.records.claim import find_claim, list_claims
from knoll.records.manifest import (
    MANIFEST,
    Manifest,
    entry_of,
    find_sealed,
    missing_files,
    not_as_trained,
    read_file,
    verify,
)
from knoll.records.outcome import find_outcome
from knoll.records.version_folder import VersionFolder, version_folder, wrong_sizes
from knoll.rollout.slot import Slot

__all__ = ["NOTHING_SEEN", "Inspection", "inspect_version", "is_published", "pin_of", "with_pins"]

NOTHING_SEEN = "none"  # the listing of a version whose files were not compared yet


@dataclass(frozen=True)
class Inspection:
    """What is wrong with a version, "" for nothing; and its listing, for the next inspection."""

    fault: str = ""
    listing: str = ""


def inspect_version(
    model: str, version: str, pin: str, bucket: Bucket, listing: str | None = None, key: str = ""
) -> Inspection:
    """Compare a version with its pin; every byte, if it has another `listing`, or if that is None. If there
    is a public `key`, it must have signed the version.

    "" is the listing of a version that its predictor has just verified: only names and sizes
    count. Raises StoreUnavailable.
    """
    folder, seen = version_folder(model, version, bucket), ""
    try:
        sealed = folder.read_sealed(pin)
        listed = folder.list(sealed.manifest)
        seen = _digest(listed)
        if listing == seen:
            return Inspection(listing=seen)
        folder.check_signed(sealed, key)
        _verify(sealed.manifest, listed, folder, by_size=listing == "")
    except NotFound:
        if seen:
            raise  # a file has changed since it was listed
        return Inspection(f"{model} {version} has no manifest.json")
    except NewerSchema:  # pinned, and written by a knoll that knows it better
        return Inspection(listing=listing or "")
    except Rejected as error:
        return Inspection(str(error), seen)
    return Inspection(listing=seen)


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


def is_published(model: str, version: str, bucket: Bucket) -> bool:
    """Whether the run that has claimed the version has ended with it, and has published the manifest that is
    there, whatever its schema is. Raises NewerSchema for a claim or an outcome."""
    if version not in list_claims(model, bucket):
        return False
    with suppress(Rejected, NotFound):
        claim = find_claim(model, version, bucket)
        outcome = find_outcome(claim.run, bucket) if claim else None
        if outcome and (outcome.state, outcome.version) == ("succeeded", version):
            there = entry_of(read_file(model, version, MANIFEST, bucket)).sha256
            return outcome.manifest_sha256 in ("", there)
    return False


def _digest(found: Mapping[str, ObjectInfo]) -> str:
    lines = (f"{name}\n{one.size}\n{one.etag}\n" for name, one in sorted(found.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _verify(
    manifest: Manifest, listed: Mapping[str, ObjectInfo], folder: VersionFolder, *, by_size: bool
) -> None:
    """Compare the files with the manifest: their bytes, or only their names and sizes."""
    names = [name for name in manifest.files if name in listed]
    faults = missing_files(manifest, names) + wrong_sizes(manifest, listed)
    if faults:
        raise not_as_trained(manifest, faults)
    if not by_size:
        verify(manifest, {name: folder.get(name, listed) for name in names})
