"""Which version is to be tried next: found in the model bucket, never taken from an event."""

from collections.abc import Iterable

from knoll.errors import InvalidVersion
from knoll.models import Model
from knoll.names import manifest_uri, version_name, version_number, version_uri, versions_uri
from knoll.ports import Platform
from knoll.rollout.gate import why_not
from knoll.rollout.slot import Slot
from knoll.versions import Manifest, load_manifest

__all__ = ["newest_tried", "newest_untried", "read_manifest", "why_rejected"]

_MANIFEST = "/manifest.json"
_SORTED = 999_999  # up to here names sort as numbers


def newest_tried(slot: Slot) -> int:
    """Number of the newest version that serves, or was refused or rolled back; 0 when there is none. Older ones are never tried."""
    return max((version_number(name) for name in (slot.champion, *slot.quarantine) if name), default=0)


def newest_untried(model: Model, slot: Slot, platform: Platform) -> str:
    """The newest version that is newer than the champion and every quarantined one; "" when there is none. Older ones are passed over."""
    tried = newest_tried(slot)
    newest = max((version_number(name) for name in _versions(model.name, tried, platform)), default=0)
    return version_name(newest) if newest > tried else ""


def why_rejected(model: Model, slot: Slot, version: str, platform: Platform) -> str:
    """Why the version may not see traffic, by its manifest and the offline gate; "" when it may."""
    try:
        candidate = read_manifest(model.name, version, platform)
    except InvalidVersion as error:
        return str(error)
    champion = read_manifest(model.name, slot.champion, platform) if slot.champion else None
    return why_not(model.gate, candidate, champion)


def read_manifest(model: str, version: str, platform: Platform) -> Manifest:
    """The manifest of a version. Raises NotFound, or InvalidVersion when it is not one or names another version."""
    manifest = load_manifest(platform.store.get(manifest_uri(platform.settings.model_root, model, version)))
    if (manifest.model, manifest.version) != (model, version):
        raise InvalidVersion(f"the manifest of {model} {version} says that it is {manifest.model} {manifest.version}")
    return manifest


def _versions(model: str, tried: int, platform: Platform) -> Iterable[str]:
    """The versions, those before the one that was tried left out as far as their names tell: a model has more of them every day."""
    root = platform.settings.model_root
    after = version_uri(root, model, version_name(tried)) if 0 < tried < _SORTED else ""
    for one in platform.store.list(versions_uri(root, model), after=after):
        if one.uri.endswith(_MANIFEST):
            yield one.uri.removesuffix(_MANIFEST).rpartition("/")[2]
