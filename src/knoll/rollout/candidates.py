"""Which version is to be tried next: found in the model bucket, never taken from an event.

A version counts when the outcome of its run names it. What else lies there is of a trainer that lost its run
to another one, or of nobody.
"""

import logging
from collections.abc import Iterable

from knoll.errors import InvalidVersion, NotFound
from knoll.models import Model
from knoll.names import version_name, version_number
from knoll.ports import Platform
from knoll.records.manifest import Manifest, load_manifest, manifest_uri, version_uri, versions_uri
from knoll.records.outcome import Outcome, load_outcome, outcome_uri
from knoll.records.run import load_run, run_uri
from knoll.rollout.gate import why_not
from knoll.rollout.slot import Slot

__all__ = ["champion_number", "newest_untried", "read_manifest", "why_rejected"]

_LOG = logging.getLogger(__name__)
_MANIFEST = "/manifest.json"
_SORTED = 999_999  # up to here names sort as numbers


def champion_number(slot: Slot) -> int:
    """Number of the version that serves; 0 when there is none. Older ones are never tried."""
    return version_number(slot.champion) if slot.champion else 0


def newest_untried(model: Model, slot: Slot, platform: Platform) -> str:
    """The newest version of a run that has ended, newer than the champion and not in quarantine; "" when
    there is none."""
    champion = champion_number(slot)
    numbers = {version_number(name) for name in _versions(model.name, champion, platform)}
    refused = {version_number(name) for name in slot.quarantine}
    newest_first = map(
        version_name, sorted((number for number in numbers - refused if number > champion), reverse=True)
    )
    return next((version for version in newest_first if _has_ended(model.name, version, platform)), "")


def why_rejected(model: Model, slot: Slot, version: str, platform: Platform) -> str:
    """Why the version may not see traffic, by its manifest, its run and the offline gate; "" when it may."""
    try:
        candidate = read_manifest(model.name, version, platform)
        outcome = _outcome(candidate.run, platform)
    except InvalidVersion as error:
        return str(error)
    if outcome is None or (outcome.state, outcome.version) != ("succeeded", version):
        return f"run {candidate.run} has not ended with this version" + (
            f" but {outcome.state} {outcome.version}".rstrip() if outcome else ""
        )
    champion = _champion(model.name, slot, platform)
    if champion and "" < _data_at(candidate, platform) < _data_at(champion, platform):
        return f"its data is older than that of {champion.version}, which serves"
    return why_not(model.gate, candidate, champion)


def read_manifest(model: str, version: str, platform: Platform) -> Manifest:
    """The manifest of a version. Raises NotFound, or InvalidVersion when it is not one or names another
    version."""
    manifest = load_manifest(platform.store.get(manifest_uri(platform.settings.model_root, model, version)))
    if (manifest.model, manifest.version) != (model, version):
        raise InvalidVersion(
            f"the manifest of {model} {version} says that it is {manifest.model} {manifest.version}"
        )
    return manifest


def _champion(model: str, slot: Slot, platform: Platform) -> Manifest | None:
    """Who serves, to be compared with; one whose manifest is gone or spoilt must not keep its successors out
    for ever."""
    try:
        return read_manifest(model, slot.champion, platform) if slot.champion else None
    except (NotFound, InvalidVersion) as error:
        _LOG.warning("model %s: %s serves, and cannot be compared with: %s", model, slot.champion, error)
        return None


def _has_ended(model: str, version: str, platform: Platform) -> bool:
    """Whether the run of the version is over: its manifest is sealed before that."""
    try:
        return _outcome(read_manifest(model, version, platform).run, platform) is not None
    except InvalidVersion:
        return True  # and refused for that


def _outcome(run: str, platform: Platform) -> Outcome | None:
    try:
        return load_outcome(platform.store.get(outcome_uri(platform.settings.model_root, run)))
    except NotFound:
        return None


def _data_at(manifest: Manifest, platform: Platform) -> str:
    """How old the data of the version is; "" for one whose run has left no record, which cannot be told."""
    try:
        return load_run(platform.store.get(run_uri(platform.settings.model_root, manifest.run))).data_at
    except NotFound:
        return ""


def _versions(model: str, champion: int, platform: Platform) -> Iterable[str]:
    """The versions, those before the champion left out as far as their names tell: a model has more of them
    every day."""
    root = platform.settings.model_root
    after = version_uri(root, model, version_name(champion)) if 0 < champion < _SORTED else ""
    for one in platform.store.list(versions_uri(root, model), after=after):
        if one.uri.endswith(_MANIFEST):
            yield one.uri.removesuffix(_MANIFEST).rpartition("/")[2]
