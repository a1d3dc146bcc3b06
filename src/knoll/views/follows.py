"""What follows from the data in the bucket as it lies there: a new training, or what it has led to before.

Runs are named after their data, so data that returns gets no second run.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from knoll.errors import KnollError, NotFound
from knoll.ingest.landed import KnownData, Landed, decide
from knoll.ingest.opening import asked_runs
from knoll.models import Model
from knoll.ports import Platform
from knoll.views.expected import expected_runs
from knoll.views.run import UNKNOWN, read_run
from knoll.views.versions import VersionView, read_version

__all__ = ["Follows", "read_follows"]

_LATER = timedelta(days=365)  # longer than any wait for quiet data


@dataclass(frozen=True)
class Follows:
    """The run that the data asks for, "" if that is not known yet, and the version that it has made before.
    `words` say what follows; they are "" if the run has no record: then it is new, and trains."""

    run: str = ""
    version: str = ""
    words: str = ""


def read_follows(platform: Platform, model: Model) -> Follows:
    """What follows from the objects under the prefix when they land as they are. Nothing is known of it with
    the rule `object`, or if something cannot be read."""
    with suppress(KnollError):
        run = _run_of(platform, model)
        return _after_run(platform, model, run) if run else Follows()
    return Follows()


def _run_of(platform: Platform, model: Model) -> str:
    match model.dataset.landed.when:
        case "object":
            return ""
        case "quiet":
            listing = list(platform.store.list(model.dataset.uri))
            verdict = decide(model, listing, platform.clock.now() + _LATER, KnownData())
            datasets = verdict.datasets if isinstance(verdict, Landed) else ()
            return next(iter(asked_runs(model, datasets, platform).values()), "")
        case _:
            return expected_runs(platform, [platform.cluster.get("Model", model.name)])[0].run


def _after_run(platform: Platform, model: Model, id: str) -> Follows:
    try:
        run = read_run(platform, id)
    except NotFound:
        return Follows(id)
    version = run.version
    if run.state == UNKNOWN:
        return Follows(id, words=f"How its run {id} has ended is not known: {run.reason}.")
    if not run.is_over:
        return Follows(id, words=f"Run {id} trains on it.")
    if not version:
        ended = ": ".join(part for part in (run.state, run.trouble) if part)
        return Follows(id, words=f"Its run {id} has ended, and the same data gets no second one. {ended}.")
    try:
        shown = read_version(platform, model.name, version)
    except NotFound:
        return Follows(id, version, f"{version}, which was trained on it, has been removed: nothing follows.")
    return Follows(id, version, f"{version} was trained on it before{_fate(shown)}.")


def _fate(version: VersionView) -> str:
    """What becomes of a version whose data is there again."""
    match version.state:
        case "champion":
            return ", and serves"
        case "candidate":
            return ", and is on trial"
        case "quarantined":
            return f", and is in quarantine, so it does not come back: {version.reason}"
        case _:
            return ": it comes back, and is rolled out again without a training"
