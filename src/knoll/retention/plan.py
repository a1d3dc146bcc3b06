"""The plan of a removal: what goes from the model bucket and what stays, each with its reason. Nothing is
removed here."""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby

from knoll.errors import NewerSchema, NotFound, Rejected
from knoll.ports import Bucket, Platform
from knoll.records.claim import find_claim
from knoll.retention.decide import FolderVerdict, to_remove
from knoll.retention.folders import VersionFiles, read_folders
from knoll.retention.leftovers import Leftover, Runs, read_leftovers, read_runs
from knoll.retention.uses import read_uses

__all__ = ["RemovalPlan", "make_plan"]

_THREADS = 8


@dataclass(frozen=True)
class RemovalPlan:
    """A verdict on each folder, and the superfluous records."""

    verdicts: Sequence[FolderVerdict]
    leftovers: Sequence[Leftover]

    @property
    def folders(self) -> list[VersionFiles]:
        """The folders that go."""
        return [one.folder for one in self.verdicts if one.is_removed]

    @property
    def unsealed(self) -> list[VersionFiles]:
        """The folders that stay and have no manifest."""
        return [one.folder for one in self.verdicts if not one.is_removed and not one.folder.is_version]

    @property
    def bytes(self) -> int:
        """How many bytes go."""
        return sum(one.size for one in self.folders) + sum(one.size for one in self.leftovers)

    @property
    def objects(self) -> int:
        """How many objects go."""
        return sum(one.files for one in self.folders) + sum(one.objects for one in self.leftovers)


def make_plan(platform: Platform, models: Collection[str], keep: int) -> RemovalPlan:
    """Judge the versions of these models, or of all. Raises NotFound if one of them has neither a Model nor a
    version."""
    folders = read_folders(platform, models)
    for model in models:
        if model not in {one.model for one in folders}:
            _check_declared(model, platform)
    runs = read_runs(platform, models)
    verdicts = [
        verdict
        for model, mine in groupby(folders, lambda one: one.model)
        for verdict in _judge(model, list(mine), runs, keep, platform)
    ]
    return RemovalPlan(verdicts, read_leftovers(platform, runs, models))


def _check_declared(model: str, platform: Platform) -> None:
    try:
        platform.cluster.get("Model", model)
    except NotFound as error:
        raise NotFound(
            f"there is no Model {model}, and no version of one", fix="knoll models lists them"
        ) from error


def _judge(
    model: str, folders: Sequence[VersionFiles], runs: Runs, keep: int, platform: Platform
) -> list[FolderVerdict]:
    """Judge one model. A claim is a request, so claims are read only for versions that would go. If only a
    newer knoll understands what uses them, all stay."""
    now = platform.clock.now()
    try:
        uses = read_uses(model, platform)
    except NewerSchema as error:
        return [FolderVerdict(one, False, f"{error}: {error.fix}") for one in folders]
    going = [one.folder.version for one in to_remove(folders, uses, {}, keep, now) if one.is_removed]
    return to_remove(folders, uses, _unsettled(model, going, runs, platform), keep, now)


def _unsettled(model: str, versions: Sequence[str], runs: Runs, platform: Platform) -> Mapping[str, str]:
    """The runs that are not settled, by the versions which they have claimed."""

    with ThreadPoolExecutor(_THREADS) as pool:
        found = pool.map(lambda version: _claimant(model, version, platform.bucket), versions)
        claimants = dict(zip(versions, found, strict=True))
    return {version: run for version, run in claimants.items() if run and not runs.is_settled(run)}


def _claimant(model: str, version: str, bucket: Bucket) -> str:
    """The run that has claimed the number; "" without a claim: then nothing publishes under it."""
    try:
        claim = find_claim(model, version, bucket)
    except (NewerSchema, Rejected):
        return "with a claim that cannot be read"
    return claim.run if claim else ""
