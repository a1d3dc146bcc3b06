"""Removing what a plan says, in an order in which nothing that is served can be removed, and a kill on any
line does no harm.

    look again ─▶ copy the manifest, remove it ─▶ look again ─▶ remove the copy, then the files
                                                  └─ it is used after all: put it back, remove the copy

A version without a manifest does not exist: no predictor loads it, and what has no manifest and whose run has
ended is removed by the next pass, wherever this one was killed. Whoever chooses a version names it first, in
the slot or in an InferenceService, and only then a predictor reads the manifest. So a version that was named
before the second look is seen there, and gets its manifest back, with all of its files untouched; a predictor
that missed it meanwhile is started again, and finds it. A version that is named after the second look has had
no manifest since before that: its predictor never becomes ready, its trial fails, and the champion, which was
named all the time, serves on. Where a manifest lies when it is the files' turn, somebody else has made a
version of them, or has put it back: they stay.

Where a copy lies, no file has gone. So what was named in time is not lost with a pass that is killed, or that
fails: the next one puts the manifests back of all folders that stay. The copies lie apart from the versions:
no predictor loads one with a stray file in it.

Claims stay: they are what keeps a number from being given to other bytes, under which it is still known in
records and in quarantine.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

from knoll.ports import Platform
from knoll.records.removal import put_manifest_back, remove_files, take_manifest_away
from knoll.retention.folders import Folder
from knoll.retention.plan import Plan
from knoll.retention.uses import read_uses

__all__ = ["remove"]

_AT_ONCE = 128  # versions whose manifests are away while it is looked again
_THREADS = 8


def remove(plan: Plan, platform: Platform, removed: Callable[[int], None] = lambda _: None) -> list[Folder]:
    """Carry out the plan; `removed` hears of each lot of objects that is done. Returns the folders that stay,
    since they are used now."""
    kept: list[Folder] = []
    bucket = platform.bucket
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(lambda one: put_manifest_back(one.model, one.version, bucket), plan.unsealed))
        for folders in _lots(plan.folders):
            free = _set_free(folders, platform, pool)
            are_gone = pool.map(lambda one: remove_files(one.model, one.version, bucket), free)
            gone = {one for one, is_gone in zip(free, are_gone, strict=True) if is_gone}
            kept += [one for one in folders if one not in gone]
            removed(sum(one.files for one in folders))
        for _ in pool.map(lambda one: platform.store.delete(one.uri), plan.leftovers):
            removed(1)
    return kept


def _lots(folders: Sequence[Folder]) -> Iterator[Sequence[Folder]]:
    """A few folders of one model at a time."""
    for _, group in groupby(folders, lambda one: one.model):
        mine = list(group)
        yield from (mine[start : start + _AT_ONCE] for start in range(0, len(mine), _AT_ONCE))


def _set_free(folders: Sequence[Folder], platform: Platform, pool: ThreadPoolExecutor) -> list[Folder]:
    """Take the manifests away, except of what is used by now; the folders that nothing uses."""
    model, bucket = folders[0].model, platform.bucket
    free: list[Folder] = []
    unused = _unused(folders, model, platform)
    sealed = [one for one in unused if one.is_version]
    list(pool.map(lambda one: take_manifest_away(model, one.version, bucket), sealed))
    try:
        free = _unused(unused, model, platform)
    finally:  # without an answer all are put back
        used = set(folders) - set(free)
        list(pool.map(lambda one: put_manifest_back(model, one.version, bucket), used))
    return free


def _unused(folders: Sequence[Folder], model: str, platform: Platform) -> list[Folder]:
    used = read_uses(model, platform).reasons
    return [one for one in folders if one.version not in used]
