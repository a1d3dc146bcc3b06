"""Which folders of versions are superfluous: a pure decision over what lies there, what is used, and the
time.

Kept are: what is used; what a run may still write or announce; what waits to be tried; and the newest ones.
Only what has no manifest is judged by its age, and only when its run has ended: a clock that jumps removes
nothing that is being published.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from knoll.retention.folders import Folder
from knoll.retention.uses import Uses

__all__ = ["DAY", "Verdict", "to_remove"]

DAY = timedelta(days=1)  # after which what a killed run has left goes


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
    not settled; `keep` is how many of the newest versions are kept in any case."""
    newest = sorted((one.number for one in folders if one.is_version), reverse=True)[:keep]

    def judge(folder: Folder) -> Verdict:
        used = _why_kept(folder, uses, unsettled)
        if used:
            return Verdict(folder, False, used)
        if not folder.is_version:
            is_left = now - folder.newest > DAY
            return Verdict(
                folder,
                is_left,
                "left by a run that has ended: no manifest"
                if is_left
                else "no manifest, for less than a day",
            )
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
