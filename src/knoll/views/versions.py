"""Versions: the manifests in the model bucket, and the role that the Model's status gives each of them."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from knoll.errors import NewerSchema, NotFound, Rejected
from knoll.models import parse_model
from knoll.names import VERSION_NAME, version_number
from knoll.ports import Platform
from knoll.records.golden import GoldenScore
from knoll.records.manifest import Manifest, find_manifest, list_versions, read_file
from knoll.records.run import find_run, why_not_asked
from knoll.records.samples import Sample, find_samples, samples_place
from knoll.views.left_out import left_out_words
from knoll.views.models import ModelView, model_view, no_such_model

__all__ = [
    "VersionView",
    "VersionsView",
    "find_readable",
    "place_of_samples",
    "read_pictures",
    "read_sample",
    "read_version",
    "read_versions",
    "version_document",
    "version_names",
]


@dataclass(frozen=True)
class VersionView:
    """One version. `state` is champion, candidate, previous, quarantined, held, superseded or new; `reason`
    says why it is quarantined, what it waits for, or why it is not tried though it is new."""

    manifest: Manifest
    state: str
    reason: str

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(entry.size for entry in self.manifest.files.values())


@dataclass(frozen=True)
class VersionsView:
    """Versions, newest first. `left_out` says how many only a newer knoll understands; "" for none."""

    shown: Sequence[VersionView]
    left_out: str = ""


def version_names(platform: Platform, model: str) -> list[str]:
    """Names of the versions of a model, newest first."""
    return sorted(list_versions(model, platform.bucket), key=version_number, reverse=True)


def place_of_samples(platform: Platform, model: str, version: str) -> str:
    """Where the samples of a version are, which show what a request looks like."""
    return samples_place(model, version, platform.bucket)


def read_sample(platform: Platform, model: str, version: str) -> Sample:
    """The first request that the version is warmed up with. Raises NotFound if it has none."""
    samples = find_samples(model, version, platform.bucket)
    if not samples:
        raise NotFound(f"{model} {version} has no samples", fix=f"knoll verify {model} {version}")
    return samples[0]


def read_versions(platform: Platform, model: str, limit: int = 50) -> VersionsView:
    """The newest versions, newest first. Raises NotFound if there is neither a version nor a Model."""
    names = version_names(platform, model)
    declared = _find_declared(platform, model)
    if declared is None and not names:
        raise no_such_model(model, platform.settings, "knoll models lists them; knoll apply -f FILE adds one")
    found: list[Manifest] = []
    newer: list[NewerSchema] = []
    for name in names:
        try:
            with suppress(Rejected):
                one = find_manifest(model, name, platform.bucket)
                found += [one] if one else []
        except NewerSchema as error:
            newer.append(error)
        if len(found) == limit:
            break
    shown = [_version_view(one, declared, platform) for one in found]
    return VersionsView(shown, left_out_words("version", newer))


def find_readable(platform: Platform, model: str, version: str) -> Manifest | None:
    """The manifest of a version; None if it is gone, or cannot be read by this knoll."""
    with suppress(Rejected, NewerSchema):
        return find_manifest(model, version, platform.bucket)
    return None


def read_version(platform: Platform, model: str, version: str) -> VersionView:
    """One version. Raises NotFound."""
    manifest = find_manifest(model, version, platform.bucket)
    if manifest is None:
        raise NotFound(
            f"version {version} of {model}: it does not exist",
            fix=f"knoll versions {model} lists those that do",
        )
    return _version_view(manifest, _find_declared(platform, model), platform)


def read_pictures(platform: Platform, manifest: Manifest) -> Mapping[str, bytes]:
    """The PNGs of a version by file name."""
    names = [name for name in sorted(manifest.files) if name.endswith(".png")]
    return {name: read_file(manifest.model, manifest.version, name, platform.bucket) for name in names}


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
        "golden": _golden_document(one.golden) if one.golden else None,
        "datasetDigest": one.dataset_digest,
        "run": one.run,
        "createdAt": one.created_at,
        "bytes": view.size,
        "files": sorted(one.files),
    }


def _golden_document(score: GoldenScore) -> dict[str, Any]:
    return {
        "uri": score.uri,
        "digest": score.digest,
        "count": score.count,
        "metrics": dict(score.metrics),
    }


def _version_view(manifest: Manifest, model: ModelView | None, platform: Platform) -> VersionView:
    name = manifest.version
    if model is None:
        return VersionView(manifest, "new", "")
    if name in model.quarantine:
        return VersionView(manifest, "quarantined", str(model.quarantine[name]))
    if model.wait and name == model.held:
        return VersionView(manifest, "held", model.wait.words)
    if model.wait and model.is_idle and name == model.roomless:
        return VersionView(manifest, "new", model.wait.words)
    if role := model.role_of(name):
        return VersionView(manifest, role, "")
    reason = _why_passed_over(manifest, model, platform)
    older = "superseded" if reason or _is_older(name, model.champion) else "new"
    return VersionView(manifest, older, reason)


def _why_passed_over(manifest: Manifest, model: ModelView, platform: Platform) -> str:
    """Why the Model does not ask for a version that would be tried next; "" if it does."""
    if _is_older(manifest.version, model.champion):
        return ""
    with suppress(Rejected, NewerSchema):
        run = find_run(manifest.run, platform.bucket)
        return why_not_asked(run, parse_model(model.document)) if run else ""
    return ""


def _is_older(version: str, champion: str) -> bool:
    is_known = bool(VERSION_NAME.fullmatch(champion))
    return is_known and version_number(version) < version_number(champion)


def _find_declared(platform: Platform, model: str) -> ModelView | None:
    """The Model, without its InferenceService; None when it was deleted or never applied."""
    try:
        return model_view(platform.cluster.get("Model", model), None)
    except NotFound:
        return None
