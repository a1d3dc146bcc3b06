"""The removal that a plan asks for. Nothing that serves is removed, and a kill on any line does no harm.

    look again ─▶ copy the manifest, remove it ─▶ look again ─▶ remove reports, copy and files
                                                  └─ it is used: put the manifest back, remove the copy

A version without a manifest does not exist: no predictor loads it. If a pass is killed, the next one removes
the files that have no manifest and whose run has ended.

A version is always named first, in the slot or in an InferenceService, and its manifest is read afterwards.
If it is named before the second look, that look sees it: the manifest comes back, and no file has changed. A
predictor that missed the manifest meanwhile starts again and finds it. If the version is named after the
second look, its manifest is gone already: its predictor never becomes ready, its trial fails, and the
champion serves on. If there is a manifest just before the files are removed, another process has written it,
and the files stay.

As long as there is a copy, no file is gone. So if a pass is killed or fails, the next one puts back the
manifest of each folder that stays. The copies lie apart from the versions, so that the folder of a version
has only its own files.

Claims stay. They keep a number from being given to other bytes, because records and quarantine still know it.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import groupby

from knoll.errors import Forbidden, NotFound
from knoll.kube.labels import COMPONENT_LABEL, VERSION_LABEL, label_of, part_labels
from knoll.ports import Platform
from knoll.records.removal import put_manifest_back, remove_files, take_manifest_away
from knoll.retention.folders import VersionFiles
from knoll.retention.leftovers import remove_leftover
from knoll.retention.plan import RemovalPlan
from knoll.retention.uses import read_uses
from knoll.rollout.revision_keys import REVISION_KEY

__all__ = ["remove"]

_AT_ONCE = 128  # versions whose manifests are away during the second look
_THREADS = 8


def remove(
    plan: RemovalPlan, platform: Platform, count: Callable[[int], None] = lambda _: None
) -> list[VersionFiles]:
    """Carry out the plan; `count` is told how many objects are done. Returns the folders that stay because
    they are used now."""
    kept: list[VersionFiles] = []
    bucket = platform.bucket
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(lambda one: put_manifest_back(one.model, one.version, bucket), plan.unsealed))
        for folders in _lots(plan.folders):
            free = _set_free(folders, platform, pool)
            are_gone = pool.map(lambda one: remove_files(one.model, one.version, bucket), free)
            gone = {one for one, is_gone in zip(free, are_gone, strict=True) if is_gone}
            kept += [one for one in folders if one not in gone]
            _remove_keys([one for one in folders if one in gone], platform)
            count(sum(one.files for one in folders))
        for _ in pool.map(lambda one: remove_leftover(one, bucket), plan.leftovers):
            count(1)
    return kept


def _remove_keys(gone: Sequence[VersionFiles], platform: Platform) -> None:
    """Remove the keys of the Revisions that served these versions. Without the right to do so they stay: they
    are small."""
    versions = {one.version for one in gone}
    with suppress(Forbidden):
        for model in {one.model for one in gone}:
            labels = {**part_labels(model), COMPONENT_LABEL: REVISION_KEY}
            for secret in platform.cluster.list("Secret", labels):
                if label_of(secret, VERSION_LABEL) in versions:
                    with suppress(NotFound):
                        platform.cluster.delete("Secret", secret["metadata"]["name"])


def _lots(folders: Sequence[VersionFiles]) -> Iterator[Sequence[VersionFiles]]:
    """A few folders of one model at a time."""
    for _, group in groupby(folders, lambda one: one.model):
        mine = list(group)
        yield from (mine[start : start + _AT_ONCE] for start in range(0, len(mine), _AT_ONCE))


def _set_free(
    folders: Sequence[VersionFiles], platform: Platform, pool: ThreadPoolExecutor
) -> list[VersionFiles]:
    """Take away the manifests of all folders that nothing uses now, and return these folders."""
    model, bucket = folders[0].model, platform.bucket
    free: list[VersionFiles] = []
    unused = _unused(folders, model, platform)
    sealed = [one for one in unused if one.is_version]
    list(pool.map(lambda one: take_manifest_away(model, one.version, bucket), sealed))
    try:
        free = _unused(unused, model, platform)
    finally:  # if the second look fails, all are put back
        used = set(folders) - set(free)
        list(pool.map(lambda one: put_manifest_back(model, one.version, bucket), used))
    return free


def _unused(folders: Sequence[VersionFiles], model: str, platform: Platform) -> list[VersionFiles]:
    used = read_uses(model, platform).reasons
    return [one for one in folders if one.version not in used]
