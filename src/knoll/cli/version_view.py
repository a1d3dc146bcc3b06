"""What is known of versions: manifests in the model bucket, and the role that the Model's status gives each
of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from knoll.cli.model_view import place_words
from knoll.cli.units import age, numbers, short_digest
from knoll.errors import NotFound
from knoll.ports import Platform
from knoll.records.manifest import Manifest, load_manifest, manifest_uri, version_uri, versions_uri

__all__ = [
    "VERSION_HEADINGS",
    "VersionView",
    "list_versions",
    "pictures",
    "read_version",
    "read_versions",
    "version_document",
    "version_row",
]

VERSION_HEADINGS = ("VERSION", "STATE", "METRICS", "DATA", "RUN", "AGE", "WHY")
_MANIFEST = "/manifest.json"


@dataclass(frozen=True)
class VersionView:
    """One version. `state` is champion, candidate, previous, quarantined, superseded or new; `reason` says
    why it is quarantined."""

    manifest: Manifest
    state: str
    reason: str


def list_versions(platform: Platform, model: str) -> list[str]:
    """Names of the versions that exist, newest first."""
    listing = platform.store.list(versions_uri(platform.settings.model_root, model))
    return sorted(
        (
            one.uri.removesuffix(_MANIFEST).rpartition("/")[2]
            for one in listing
            if one.uri.endswith(_MANIFEST)
        ),
        reverse=True,
    )


def read_versions(platform: Platform, model: str, limit: int = 50) -> list[VersionView]:
    """The newest versions, newest first. Raises NotFound when there is neither a version nor a Model."""
    names = list_versions(platform, model)[:limit]
    status = _status(platform, model, is_known=bool(names))
    return [_view(_manifest(platform, model, name), status) for name in names]


def read_version(platform: Platform, model: str, version: str) -> VersionView:
    """One version. Raises NotFound."""
    try:
        manifest = _manifest(platform, model, version)
    except NotFound as error:
        raise NotFound(
            f"version {version} of {model}: it does not exist",
            fix=f"knoll versions {model} lists those that do",
        ) from error
    return _view(manifest, _status(platform, model, is_known=True))


def pictures(platform: Platform, manifest: Manifest) -> dict[str, bytes]:
    """The PNGs of a version by file name."""
    root = version_uri(platform.settings.model_root, manifest.model, manifest.version)
    return {name: platform.store.get(root + name) for name in sorted(manifest.files) if name.endswith(".png")}


def version_row(view: VersionView, now: datetime) -> tuple[str, ...]:
    """The cells under VERSION_HEADINGS."""
    one = view.manifest
    data = short_digest(one.dataset_digest)
    return (
        one.version,
        view.state,
        numbers(one.metrics),
        data,
        one.run,
        age(one.created_at, now),
        view.reason,
    )


def version_document(view: VersionView) -> dict[str, Any]:
    """The version as `-o json` shows it."""
    one = view.manifest
    return {
        "model": one.model,
        "version": one.version,
        "state": view.state,
        "reason": view.reason,
        "family": one.family,
        "metrics": dict(one.metrics),
        "datasetDigest": one.dataset_digest,
        "run": one.run,
        "createdAt": one.created_at,
        "bytes": sum(entry.size for entry in one.files.values()),
        "files": sorted(one.files),
    }


def _view(manifest: Manifest, status: Mapping[str, Any]) -> VersionView:
    name = manifest.version
    quarantine = status.get("quarantine") or {}
    if name in quarantine:
        return VersionView(manifest, "quarantined", str(quarantine[name]))
    for role in ("champion", "candidate", "previous"):
        if status.get(role) == name:
            return VersionView(manifest, role, "")
    return VersionView(manifest, "superseded" if name < status.get("champion", "") else "new", "")


def _manifest(platform: Platform, model: str, version: str) -> Manifest:
    return load_manifest(platform.store.get(manifest_uri(platform.settings.model_root, model, version)))


def _status(platform: Platform, model: str, *, is_known: bool) -> Mapping[str, Any]:
    try:
        return platform.cluster.get("Model", model).get("status") or {}
    except NotFound as error:
        if is_known:
            return {}
        told = f"model {model}: there is none of that name{place_words(platform.settings)}"
        raise NotFound(told, fix="knoll models lists them; knoll apply -f FILE adds one") from error
