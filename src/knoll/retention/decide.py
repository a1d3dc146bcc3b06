"""Which folders of versions are superfluous: a pure decision over the folders, their uses, and the time.

A version is kept if it is used, if its run is not settled, if it waits to be tried, or if it is one of the
newest. Age counts only for a folder without a manifest whose run has ended. So a clock that jumps removes
nothing that is being published.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from knoll.retention.folders import Folder
from knoll.retention.uses import Uses

__all__ = ["DAY", "Verdict", "to_remove"]

DAY = timedelta(days=1)  # how long files and records of an ended run are kept


@dataclass(frozen=True)
class Verdict:
    """Whether a folder is to be removed, and why or why not."""

    folder: Folder
    is_removed: bool
    reason: str


def to_remove(
    folders: Sequence[Folder], uses: Uses, unsettled: Mapping[str, str], keep: int, now: datetime
) -> list[Verdict]:
    """Judge the folders of one model, in their order. `unsettled` has the run of each version whose run is
    not settled. The `keep` newest versions always stay."""
    newest = sorted((one.number for one in folders if one.is_version), reverse=True)[:keep]

    def judge(folder: Folder) -> Verdict:
        used = _why_kept(folder, uses, unsettled)
        if used:
            return Verdict(folder, False, used)
        if not folder.is_version:
            is_left = now - folder.newest > DAY
            old, young = "no manifest, and its run has ended", "no manifest, and less than a day old"
            return Verdict(folder, is_left, old if is_left else young)
        if folder.number > uses.tried and folder.version not in uses.refused:
            return Verdict(folder, False, "not tried yet")
        if folder.number in newest:
            return Verdict(folder, False, f"one of the newest {keep}")
        return Verdict(folder, True, f"older than the newest {keep}, and not used")

    return [judge(folder) for folder in folders]


def _why_kept(folder: Folder, uses: Uses, unsettled: Mapping[str, str]) -> str:
    if folder.version in uses.reasons:
        return uses.reasons[folder.version]
    run = unsettled.get(folder.version)
    return f"its run {run} is not settled" if run else ""
