"""Which folders of versions are superfluous: a pure decision over the folders, their uses, and the time.

A version is kept if it is used, if its run is not settled, if it waits to be tried, or if it is one of the
newest. Age counts only for a folder without a manifest whose run has ended. So a clock that jumps removes
nothing that is being published.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from knoll.retention.folders import VersionFiles
from knoll.retention.uses import Uses

__all__ = ["DAY", "FolderVerdict", "to_remove"]

DAY = timedelta(days=1)  # how long files and records of an ended run are kept


@dataclass(frozen=True)
class FolderVerdict:
    """Whether a folder goes, and why or why not."""

    folder: VersionFiles
    is_removed: bool
    reason: str


def to_remove(
    folders: Sequence[VersionFiles], uses: Uses, unsettled: Mapping[str, str], keep: int, now: datetime
) -> list[FolderVerdict]:
    """Judge the folders of one model, in their order. `unsettled` has the run of each version whose run is
    not settled. The `keep` newest versions always stay."""
    newest = sorted((one.number for one in folders if one.is_version), reverse=True)[:keep]

    def judge(folder: VersionFiles) -> FolderVerdict:
        used = _why_kept(folder, uses, unsettled)
        if used:
            return FolderVerdict(folder, False, used)
        if not folder.is_version:
            is_left = now - folder.newest > DAY
            old, young = "no manifest, and its run has ended", "no manifest, and less than a day old"
            return FolderVerdict(folder, is_left, old if is_left else young)
        if folder.number > uses.tried and folder.version not in uses.refused:
            return FolderVerdict(folder, False, "not tried yet")
        if folder.number in newest:
            return FolderVerdict(folder, False, f"one of the newest {keep}")
        return FolderVerdict(folder, True, f"older than the newest {keep}, and not used")

    return [judge(folder) for folder in folders]


def _why_kept(folder: VersionFiles, uses: Uses, unsettled: Mapping[str, str]) -> str:
    if folder.version in uses.reasons:
        return uses.reasons[folder.version]
    run = unsettled.get(folder.version)
    return f"its run {run} is not settled" if run else ""
