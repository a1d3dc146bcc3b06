"""One run from its record to its outcome: what happens inside a training Job.

The outcome is written once, after the version, so that a trainer that is killed anywhere can be started again and ends with the same
version. Its exit code is what the Job's failure policy reads.
"""

import math
import signal
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch

from knoll.errors import AlreadyExists, Conflict, KnollError, NotFound, Rejected, Unavailable
from knoll.events import TRAINING_FAILED, TRAINING_STARTED, TRAINING_SUCCEEDED
from knoll.families import find_family
from knoll.families.base import Examples, Family, FamilyConfig, Files
from knoll.names import outcome_uri, run_uri, version_uri
from knoll.ports import ObjectStore, Platform
from knoll.runs import Dataset, Outcome, Run, dump, load_dataset, load_outcome, load_run
from knoll.train.archives import unpacked
from knoll.train.job import REJECTED, UNAVAILABLE
from knoll.train.loop import Diverged, Trained, choose_device, train_networks
from knoll.train.publish import publish
from knoll.train.report import Reporter, publish_event, say
from knoll.train.version_files import Work, draft_version

__all__ = ["PREEMPTED", "SUCCEEDED", "threads_for", "train"]

SUCCEEDED = 0
PREEMPTED = 143  # 128 + SIGTERM, as a shell reports it
_READERS = 8
_TRAINING_PERCENT = (5, 95)  # what comes before is reading, what comes after exporting and publishing


class _Terminated(BaseException):
    """SIGTERM: not an Exception, so that nothing on the way takes it for a fault of its own."""


class _DataChanged(KnollError):
    """The data is no longer what the run was to train on."""


def train(run_id: str, platform: Platform) -> int:
    """Carry out the run; the exit code: 0 a version is there, 65 rejected or failed for good, 75 try again, 143 preempted.

    The first two come with an outcome, and a run that has one is not trained again. Faults of knoll itself propagate. To be called in
    the main thread, where signals arrive.
    """
    try:
        with _ends_on_sigterm():
            return _train(run_id, platform)
    except _Terminated:
        say("terminated: the run has no outcome yet, and may be started again")
        return PREEMPTED
    except Unavailable as error:
        say(f"not available: {error}")
        return UNAVAILABLE
    except Rejected as error:
        say(f"rejected: {error}")
        return REJECTED


def threads_for(resources: Mapping[str, Any]) -> int:
    """As many threads as the run has cores: more would wait for each other. The number is a Kubernetes quantity, such as 2 or 500m."""
    cores = str(resources.get("cpu", 1))
    amount = float(cores[:-1]) / 1000 if cores.endswith("m") else float(cores)
    return max(1, math.floor(amount))


def _train(run_id: str, platform: Platform) -> int:
    outcome = _find_outcome(run_id, platform)
    if outcome is not None:
        say(f"run {run_id} has ended already: {outcome.state}")
        return _exit_code(outcome)
    run = load_run(platform.store.get(run_uri(platform.settings.model_root, run_id)))
    say(f"run {run.id}: {run.family} on dataset {run.dataset_digest[:12]}")
    publish_event(TRAINING_STARTED, run, {}, platform)
    reporter = Reporter(run, platform)
    try:
        outcome = _attempt(run, platform, reporter)
    finally:
        reporter.close()
    return _end(run, outcome, platform)


def _attempt(run: Run, platform: Platform, reporter: Reporter) -> Outcome:
    try:
        version, metrics = _make_version(run, platform, reporter)
    except Rejected as error:
        return Outcome("rejected", platform.clock.now().isoformat(), reason=str(error))
    except _DataChanged as error:
        return Outcome("failed", platform.clock.now().isoformat(), reason=str(error))
    return Outcome("succeeded", platform.clock.now().isoformat(), version, metrics=metrics)


def _make_version(run: Run, platform: Platform, reporter: Reporter) -> tuple[str, Mapping[str, float]]:
    family = find_family(run.family)
    config = family.configure(run.config)
    threads = platform.settings.threads or threads_for(run.resources)
    torch.set_num_threads(threads)
    reporter.report("reading", 0)
    files = unpacked(_read(load_dataset(platform.store.get(run.dataset_uri)), platform.store))
    say(f"read {len(files)} files, {sum(map(len, files.values())):,} bytes")
    examples = family.examples(files, config)
    say(f"{len(examples.train[0])} examples to learn from, {len(examples.held_out[0])} held out")
    trained = _fit(family, examples, config, platform.settings.device, reporter)
    metrics = _score(family, trained, examples, config)
    reporter.report("exporting", 96, metrics=metrics)
    work = Work(run, family, config, examples, trained, metrics)
    draft = draft_version(work, created_at=platform.clock.now().isoformat(), threads=threads)
    reporter.report("publishing", 98, metrics=metrics)
    manifest = publish(platform.store, platform.settings.model_root, run.model, run.id, draft)
    reporter.report("published", 100, 0, metrics)
    say(f"published {manifest.model} {manifest.version}")
    return manifest.version, manifest.metrics


def _read(dataset: Dataset, store: ObjectStore) -> Files:
    """All objects, by their key relative to the dataset's prefix, each as the dataset has pinned it."""
    try:
        with ThreadPoolExecutor(_READERS) as readers:
            bodies = list(readers.map(lambda one: store.get(one.uri, etag=one.etag), dataset.objects))
    except (Conflict, NotFound) as error:
        raise _DataChanged(f"the data changed after it had landed: {error}") from error
    return {one.uri.removeprefix(dataset.prefix): body for one, body in zip(dataset.objects, bodies, strict=True)}


def _fit(family: Family, examples: Examples, config: FamilyConfig, wanted: str, reporter: Reporter) -> Trained:
    device = choose_device(wanted)
    say(f"training on {device} with {torch.get_num_threads()} threads")
    first, last = _TRAINING_PERCENT

    def report(fraction: float, seconds_left: int | None, losses: Mapping[str, float]) -> None:
        metrics = {f"{name}_loss": loss for name, loss in losses.items()}
        reporter.report("training", first + round((last - first) * fraction), seconds_left, metrics)

    return train_networks(family, examples, config, device=device, report=report, say=say)


@torch.no_grad()
def _score(family: Family, trained: Trained, examples: Examples, config: FamilyConfig) -> Mapping[str, float]:
    metrics = family.score(trained.networks, examples, config)
    say("held out: " + "  ".join(f"{name} {value:.4f}" for name, value in metrics.items()))
    faults = [f"{name} is {value}" for name, value in metrics.items() if not math.isfinite(value)]
    if faults:
        raise Diverged("training diverged: " + "; ".join(faults), fix="lower learningRate, or look at the data")
    return metrics


def _end(run: Run, outcome: Outcome, platform: Platform) -> int:
    """Write the outcome and announce it, unless another attempt was first: then that one counts."""
    try:
        uri = outcome_uri(platform.settings.model_root, run.id)
        platform.store.put(uri, dump(outcome), if_absent=True, content_type="application/json")
    except AlreadyExists:
        outcome = _find_outcome(run.id, platform) or outcome
        say(f"another attempt has ended this run: {outcome.state}")
        return _exit_code(outcome)
    say(f"run {run.id} {outcome.state}" + (f": {outcome.reason}" if outcome.reason else ""))
    _announce(run, outcome, platform)
    return _exit_code(outcome)


def _announce(run: Run, outcome: Outcome, platform: Platform) -> None:
    if outcome.state == "succeeded":
        uri = version_uri(platform.settings.model_root, run.model, outcome.version)
        data = {"version": outcome.version, "uri": uri, "metrics": dict(outcome.metrics)}
        publish_event(TRAINING_SUCCEEDED, run, data, platform, id=f"{run.id}.succeeded")
    else:
        data = {"state": outcome.state, "reason": outcome.reason}
        publish_event(TRAINING_FAILED, run, data, platform, id=f"{run.id}.failed")


def _find_outcome(run_id: str, platform: Platform) -> Outcome | None:
    try:
        return load_outcome(platform.store.get(outcome_uri(platform.settings.model_root, run_id)))
    except NotFound:
        return None


def _exit_code(outcome: Outcome) -> int:
    return SUCCEEDED if outcome.state == "succeeded" else REJECTED


@contextmanager
def _ends_on_sigterm() -> Iterator[None]:
    def terminate(*_: object) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
