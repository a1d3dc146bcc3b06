"""Which version is tried next. The answer comes from the model bucket, never from an event.

A version counts if the outcome of its run names it, and if the Model still asks for what the run trained.
Trainers that lost their run to another trainer leave other folders.
"""

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from knoll.errors import InvalidVersion, NewerSchema, NotFound, Rejected
from knoll.gate import Examined, check_version, examined
from knoll.models import Model
from knoll.names import version_name, version_number
from knoll.ports import Bucket, Platform
from knoll.records.claim import find_claim
from knoll.records.manifest import Manifest, find_manifest, find_sealed, list_versions
from knoll.records.outcome import find_outcome
from knoll.records.pinned import look_at_golden
from knoll.records.rollout import find_last_step, list_steps
from knoll.records.run import find_run, why_not_asked
from knoll.rollout.integrity import is_published
from knoll.rollout.origin import fault_of_chain
from knoll.rollout.slot import Slot

__all__ = [
    "champion_number",
    "examine_version",
    "may_be_tried",
    "next_candidate",
    "version_of_run",
    "was_promoted",
    "without_undone",
]

_LOG = logging.getLogger(__name__)
_SORTED = 999_999  # names up to this number sort as numbers


def champion_number(slot: Slot) -> int:
    """Number of the version that serves; 0 if there is none."""
    return version_number(slot.champion) if slot.champion else 0


def next_candidate(model: Model, slot: Slot, asked: str, platform: Platform) -> str:
    """The version that is tried next; "" if there is none.

    `asked` is the run that the data in the bucket asks for, "" if that is not known. Its version is tried
    even if it is older than the champion: then data or config have returned to what they were. If it does not
    exist or is in quarantine, the newest one is tried that is newer than the champion and has not served. If
    it serves, only the newest version of all may follow, and only if it was trained on the same data; it does
    not give way to the older one again. The version that a human has undone, and those before it, do not come
    back by themselves.
    """
    version = version_of_run(asked, platform.bucket) if asked else ""
    if version and _is_served(model, slot, version, platform.bucket):
        return _newest_of_same_data(model, slot, platform)
    is_barred = version in slot.quarantine or version == slot.steering.undone
    is_wanted = version and not is_barred and may_be_tried(model, version, platform.bucket)
    return version if is_wanted else _newest_untried(model, slot, platform)


def without_undone(slot: Slot, asked: str, bucket: Bucket) -> Slot:
    """The slot without the bar on the version that a human has undone, if the data asks for another
    version."""
    undone = slot.steering.undone
    if not undone or not asked or version_of_run(asked, bucket) == undone:
        return slot
    return replace(slot, steering=replace(slot.steering, undone=""))


def version_of_run(run: str, bucket: Bucket) -> str:
    """The version that the run has made; "" if it has made none."""
    with suppress(Rejected):
        outcome = find_outcome(run, bucket)
        return outcome.version if outcome else ""
    return ""


def _newest_untried(model: Model, slot: Slot, platform: Platform) -> str:
    """The newest version that is newer than the champion, has not served, is not in quarantine, and whose run
    has ended; "" if there is none. A version that the Model does not ask for, as it is declared, is passed
    over."""
    return next(
        (
            one
            for one in _newer(model, slot, platform)
            if may_be_tried(model, one, platform.bucket) and not _gave_way(model, slot, one, platform.bucket)
        ),
        "",
    )


def _newest_of_same_data(model: Model, slot: Slot, platform: Platform) -> str:
    """The newest version, if it is newer than the champion, and of the same data; else "". Only that one is
    read, because many newer ones of other data may be left."""
    newest, bucket = next(iter(_newer(model, slot, platform)), ""), platform.bucket
    if not newest or not may_be_tried(model, newest, bucket) or _gave_way(model, slot, newest, bucket):
        return ""
    return newest if _is_of_champions_data(model, slot, newest, bucket) else ""


def _is_served(model: Model, slot: Slot, version: str, bucket: Bucket) -> bool:
    """Whether the version serves, or a newer one of the same data that the Model asks for as well."""
    if version == slot.champion:
        return True
    is_older = version_number(version) < champion_number(slot)
    return (
        is_older
        and may_be_tried(model, slot.champion, bucket)
        and _is_of_champions_data(model, slot, version, bucket)
    )


def _is_of_champions_data(model: Model, slot: Slot, version: str, bucket: Bucket) -> bool:
    with suppress(Rejected):
        ours, theirs = find_manifest(model.name, version, bucket), _find_champion(model.name, slot, bucket)
        return bool(ours and theirs and ours.dataset_digest == theirs.dataset_digest)
    return False


def _newer(model: Model, slot: Slot, platform: Platform) -> list[str]:
    """The versions that are newer than the champion and not in quarantine, newest first. Those up to the one
    that a human has undone are left out."""
    undone = slot.steering.undone
    oldest = max(champion_number(slot), version_number(undone) if undone else 0)
    refused = {version_number(name) for name in slot.quarantine}
    numbers = {number for number in _numbers(model.name, oldest, platform.bucket) if number > oldest}
    return [version_name(number) for number in sorted(numbers - refused, reverse=True)]


def _gave_way(model: Model, slot: Slot, version: str, bucket: Bucket) -> bool:
    """Whether the version was promoted, and an older one serves since, because its data has returned."""
    if not slot.champion:
        return False
    last = find_last_step(model.name, version, bucket)
    return last is not None and last.action == "Promote"


def was_promoted(model: str, version: str, pin: str, bucket: Bucket) -> bool:
    """Whether the version, with the manifest of the sha256 `pin`, has been the champion."""
    steps = list_steps(model, bucket, version)
    return any(one.action == "Promote" and one.manifest_sha256 in ("", pin) for one in steps)


def examine_version(model: Model, slot: Slot, version: str, platform: Platform, pin: str = "") -> Examined:
    """Whether the version may get traffic, by its manifest, its origin and the offline gate, with all numbers
    of the gate. `pin` is the sha256 that its manifest must have. A version that is older than the champion is
    tried because its data has returned; then its metrics are not compared with the champion's.

    Raises NotFound if the version has no manifest, as while it is removed.
    """
    bucket = platform.bucket
    try:
        sealed = find_sealed(model.name, version, bucket)
        fault = fault_of_chain(sealed, model, bucket) if sealed else ""
        pinned = look_at_golden(model.name, model.golden_set, bucket).digest if model.golden_set else ""
    except Rejected as error:
        return Examined(str(error))
    if sealed is None:
        raise NotFound(f"{model.name} {version} has no manifest")
    if fault or (pin and sealed.sha256 != pin):
        return Examined(fault or "its manifest has changed since it was looked at")
    candidate = sealed.manifest
    champion = _find_champion(model.name, slot, bucket)
    compared = champion if champion and version_number(champion.version) < version_number(version) else None
    if compared and "" < _data_at(candidate, bucket) < _data_at(compared, bucket):
        return Examined(f"its data is older than that of {compared.version}, which serves")
    return examined(check_version(model.gate, candidate, compared, pinned))


def _find_champion(model: str, slot: Slot, bucket: Bucket) -> Manifest | None:
    """The champion's manifest, to compare with; None if it is gone or spoilt, so that newer versions are
    still tried."""
    if not slot.champion:
        return None
    try:
        champion = find_manifest(model, slot.champion, bucket)
        fault = "" if champion else "it has no manifest"
    except InvalidVersion as error:
        champion, fault = None, str(error)
    except NewerSchema as error:
        if is_published(model, slot.champion, bucket):
            raise
        champion, fault = None, f"no run has published its manifest: {error}"
    if fault:
        _LOG.warning("model %s: nothing is compared with champion %s: %s", model, slot.champion, fault)
    return champion


def may_be_tried(model: Model, version: str, bucket: Bucket) -> bool:
    """Whether a run has claimed the version and has ended, and the Model still asks for what it trained. The
    manifest is written before the end. What nobody has claimed is a stray, and not even refused."""
    try:
        if find_claim(model.name, version, bucket) is None:
            return False
        manifest = find_manifest(model.name, version, bucket)
        if manifest is None or find_outcome(manifest.run, bucket) is None:
            return False
        run = find_run(manifest.run, bucket)
        return run is None or not why_not_asked(run, model)
    except Rejected:
        return True  # and `examine_version` says why it is refused
    except NewerSchema:
        if is_published(model.name, version, bucket):
            raise
        return False


def _data_at(manifest: Manifest, bucket: Bucket) -> str:
    """When the data of the version came to be, which was before the version was; "" if its run has no record
    that can be read. Otherwise a record that names the year 2099 would end the model."""
    with suppress(Rejected):
        run = find_run(manifest.run, bucket)
        return min(run.data_at, manifest.created_at or run.data_at) if run else ""
    return ""


def _numbers(model: str, champion: int, bucket: Bucket) -> Iterator[int]:
    """Numbers of the versions. Those before the champion are left out as far as names sort as numbers: a
    model gets more versions every day."""
    after = version_name(champion) if 0 < champion < _SORTED else ""
    yield from map(version_number, list_versions(model, bucket, after=after))
