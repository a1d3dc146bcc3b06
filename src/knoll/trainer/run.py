"""One run, from its record to its outcome, inside a training Job.

The outcome is written once, after the version. So a trainer that was killed can start again, and ends with
the same version. The Job's failure policy reads the exit code. If several processes train together, the first
one does what a single process would do. The others train with it, and end after it with its exit code.
"""

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

import torch

from knoll.data_files import left_out_words, skipped_words
from knoll.errors import Rejected, Unavailable
from knoll.events import TRAINING_STARTED
from knoll.exits import PREEMPTED, REJECTED, SUCCEEDED, UNAVAILABLE
from knoll.families import find_family
from knoll.families.base import Examples, Scores
from knoll.ports import Platform
from knoll.quantities import memory_of
from knoll.records.manifest import Sealed
from knoll.records.outcome import Outcome, find_outcome
from knoll.records.run import Run, read_run
from knoll.trainer.champion import open_champion, score_champion
from knoll.trainer.device import choose_device
from knoll.trainer.disk_cache import open_cache
from knoll.trainer.divergence import Diverged
from knoll.trainer.ending import end_run
from knoll.trainer.finished import FinishedTraining
from knoll.trainer.health import refuse_if_ill
from knoll.trainer.kept_log import keep_log
from knoll.trainer.launch import exit_code
from knoll.trainer.learning import Learnt, learn
from knoll.trainer.memory import TooLittleMemory, reject_out_of_memory
from knoll.trainer.publish import publish
from knoll.trainer.ranks import Ranks, join_ranks
from knoll.trainer.reading import DataChanged
from knoll.trainer.report import News, Quiet, Reporter, publish_event, say
from knoll.trainer.signing import find_signer
from knoll.trainer.stopping import Terminated, Termination
from knoll.trainer.version_files import draft_version

__all__ = ["PREEMPTED", "SUCCEEDED", "train"]


def train(run_id: str, platform: Platform) -> int:
    """Execute the run; returns its exit code: 0 there is a version, 65 rejected or failed for good, 75 try
    again, 143 preempted.

    With 0 and 65 the run has an outcome, and is not trained again. Faults of knoll itself are raised. Call
    this in the main thread, where signals arrive.
    """
    termination = Termination()
    try:
        device, meeting = choose_device(platform.settings.device), platform.settings.meeting
        run = read_run(run_id, platform.bucket)
        with termination.watched(), join_ranks(device, meeting, run.rank_timeout) as ranks:
            if not ranks.is_first:
                return _follow(run, platform, ranks, termination)
            code = _train(run, platform, ranks, termination)
            ranks.tell_end(code)
            return code
    except Terminated:
        say("terminated: the run has no outcome yet, and may be started again")
        return PREEMPTED
    except Unavailable as error:
        say(f"not available: {error}")
        return UNAVAILABLE
    except Rejected as error:
        say(f"rejected: {error}")
        return REJECTED


def _train(run: Run, platform: Platform, ranks: Ranks, termination: Termination) -> int:
    outcome = find_outcome(run.id, platform.bucket)
    if outcome is not None:
        say(f"run {run.id} has ended already: {outcome.state}")
        return exit_code(outcome)
    with keep_log(run.id, platform):
        say(f"run {run.id}: {run.family} on dataset {run.dataset_digest[:12]}")
        publish_event(TRAINING_STARTED, run, {}, platform)
        reporter = Reporter(run, platform)
        try:
            outcome = _carry_out_attempt(run, platform, ranks, reporter, termination)
        finally:
            reporter.close()
        return end_run(run, replace(outcome, seed=_seed_of(run)), platform)


def _seed_of(run: Run) -> int | None:
    """The seed of the run; None if its config is wrong."""
    with suppress(Rejected):
        return int(find_family(run.family).configure(run.config).seed)
    return None


def _follow(run: Run, platform: Platform, ranks: Ranks, termination: Termination) -> int:
    """Train with the first process. The first one finds the same faults, and writes the outcome."""
    with suppress(Rejected, DataChanged), open_cache(platform.settings, run.resources) as cache:
        learn(run, platform, ranks, Quiet(), termination, cache)
    return ranks.wait_for_end(run.deadline)


def _carry_out_attempt(
    run: Run, platform: Platform, ranks: Ranks, reporter: Reporter, termination: Termination
) -> Outcome:
    try:
        with reject_out_of_memory(run.resources), open_cache(platform.settings, run.resources) as cache:
            learnt = learn(run, platform, ranks, reporter, termination, cache)
            made = _make_version(run, learnt, platform, reporter)
    except TooLittleMemory as error:
        lacked = memory_of(run.resources)
        return Outcome("rejected", platform.clock.now().isoformat(), reason=str(error), lacked_memory=lacked)
    except Diverged as error:
        ended = Outcome("rejected", platform.clock.now().isoformat(), reason=f"{error}; {error.fix}")
        return replace(ended, diverged_step=error.by_step, curve=error.curve)
    except Rejected as error:
        return Outcome("rejected", platform.clock.now().isoformat(), reason=str(error))
    except DataChanged as error:
        return Outcome("failed", platform.clock.now().isoformat(), reason=str(error), superseded=True)
    return replace(_success(made, platform.clock.now().isoformat()), left_out=learnt.left_out)


def _success(made: Sealed, at: str) -> Outcome:
    one = made.manifest
    ended = Outcome("succeeded", at, one.version, metrics=one.metrics, manifest_sha256=made.sha256)
    if one.golden is None:
        return ended
    exam = one.golden
    return replace(ended, golden=exam.metrics, golden_set=exam.uri, golden_digest=exam.digest)


def _make_version(run: Run, learnt: Learnt, platform: Platform, reporter: Reporter) -> Sealed:
    refuse_if_ill(learnt.trained.faults)
    scores, golden = _scores(learnt), None
    metrics = scores.metrics
    champion = score_champion(run, learnt, platform, say)
    if learnt.exam:
        golden = learnt.exam.score(_score(learnt, learnt.exam.examples, "golden set"))
    reporter.report(News("exporting", 96, metrics=metrics))
    left_out = (*skipped_words(learnt.skipped), *left_out_words(learnt.left_out))
    work = FinishedTraining(
        *(run, learnt.family, learnt.config, learnt.examples, learnt.trained),
        scores,
        golden,
        champion,
        left_out,
        learnt.exam,
        lambda: open_champion(run, platform, learnt.threads),
    )

    def tell(graph: str) -> None:
        reporter.report(News(f"compressing: {graph}", 97, metrics=metrics))

    present = platform.clock.now().isoformat()
    draft = draft_version(work, created_at=present, threads=learnt.threads, tell=tell)
    reporter.report(News("publishing", 98, metrics=metrics))
    made = publish(run.model, run.id, draft, platform.bucket, find_signer(platform.settings))
    reporter.report(News("published", 100, 0, metrics))
    say(f"published {made.manifest.model} {made.manifest.version}")
    return made


@torch.no_grad()
def _scores(learnt: Learnt) -> Scores:
    """On the held-out examples, as a whole and in parts."""
    metrics = _score(learnt, learnt.examples, "held out")
    return Scores(
        metrics, learnt.family.score_slices(learnt.trained.networks, learnt.examples, learnt.config)
    )


@torch.no_grad()
def _score(learnt: Learnt, examples: Examples, what: str) -> Mapping[str, float]:
    family = learnt.family
    metrics = family.score(learnt.trained.networks, examples, learnt.config)
    declared = [one.name for one in family.metrics]
    if unknown := ", ".join(repr(name) for name in metrics if name not in declared):
        kind = type(family).__name__
        raise TypeError(f"{kind}: score returns {unknown}, and metrics has: {', '.join(declared)}")
    say(f"{what}: " + "  ".join(f"{name} {value:.4f}" for name, value in metrics.items()))
    faults = [f"{name} is {value}" for name, value in metrics.items() if not math.isfinite(value)]
    if faults:
        curves = learnt.trained.curves
        raise Diverged("; ".join(faults), curves.steps, curves.points)
    return metrics
