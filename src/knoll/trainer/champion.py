"""The champion sits the exam of the candidate: its graph is scored on the candidate's held-out examples, by
the family's code, in the same Job. So a gate never compares the scores of two different tests.

Its files are verified as a predictor does it. If it cannot be scored, the log says why, and the version has
no such score.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from knoll.errors import NotFound, Rejected, StoreUnavailable
from knoll.families.base import ServedGraph
from knoll.ports import Platform
from knoll.quoting import escaped
from knoll.records.champion_score import ChampionScore
from knoll.records.manifest import GRAPH, Manifest, Sealed, entry_of, not_as_trained
from knoll.records.rollout import find_champion
from knoll.records.run import Run
from knoll.records.signature import SIGNATURE, Signature, files_of, load_signature, with_files
from knoll.records.version_folder import VersionFolder, version_folder
from knoll.trainer.graph import serve_graph
from knoll.trainer.learning import Learnt

__all__ = ["ScoredChampion", "open_champion", "score_champion"]


@dataclass(frozen=True)
class ScoredChampion:
    """The champion's scores on the held-out examples of the version, and its manifest."""

    score: ChampionScore
    manifest: Manifest


def score_champion(
    run: Run, learnt: Learnt, platform: Platform, say: Callable[[str], None]
) -> ScoredChampion | None:
    """The champion's scores on the held-out examples; None if there is no champion, or it cannot be scored:
    whatever its graph does, it must not end a finished training. Raises StoreUnavailable."""
    version = ""
    try:
        version = find_champion(run.model, platform.bucket)
        return _scored(version, run, learnt, platform) if version else None
    except StoreUnavailable:
        raise
    except Exception as error:
        say(f"champion {version} is not scored on this data: {escaped(str(error))}")
        return None


def open_champion(run: Run, platform: Platform, threads: int) -> ServedGraph:
    """The champion's graph. Raises Rejected if there is no champion, or it is not what was trained;
    NotFound, StoreUnavailable."""
    version = find_champion(run.model, platform.bucket)
    if not version:
        raise Rejected("there is no champion")
    return _open(version, run, platform, threads)[1]


def _scored(version: str, run: Run, learnt: Learnt, platform: Platform) -> ScoredChampion:
    sealed, served = _open(version, run, platform, learnt.threads)
    found = learnt.family.score_served(served, learnt.examples, learnt.config)
    score = ChampionScore(version, sealed.sha256, found.metrics, found.slices)
    return ScoredChampion(score, sealed.manifest)


def _open(version: str, run: Run, platform: Platform, threads: int) -> tuple[Sealed, ServedGraph]:
    folder = version_folder(run.model, version, platform.bucket)
    sealed = folder.read_sealed("")
    folder.check_signed(sealed, platform.settings.verify_key)
    if sealed.manifest.family != run.family:
        raise Rejected(f"it is of the family {sealed.manifest.family}")
    files = _read(folder, sealed.manifest, [GRAPH, SIGNATURE])
    signature = _complete(load_signature(files[SIGNATURE]), folder, sealed.manifest)
    return sealed, serve_graph(signature, files[GRAPH], threads=threads)


def _complete(signature: Signature, folder: VersionFolder, manifest: Manifest) -> Signature:
    """The signature with the files that its codecs need. Raises as `_read`."""
    names = files_of(signature)
    return with_files(signature, _read(folder, manifest, names)) if names else signature


def _read(folder: VersionFolder, manifest: Manifest, names: Sequence[str]) -> Mapping[str, bytes]:
    """Files of the version. Raises InvalidVersion if they are not what was trained, NotFound if one is
    missing."""
    listed = folder.list(manifest)
    if missing := [name for name in names if name not in listed]:
        raise NotFound(f"its {missing[0]} is missing")
    files = {name: folder.get(name, listed) for name in names}
    if faults := [
        f"{name} has other bytes" for name, body in files.items() if entry_of(body) != manifest.files[name]
    ]:
        raise not_as_trained(manifest, faults)
    return files
