"""What every process of a run does: read the data, make examples of it, and train on a share of them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from knoll.data_files import Skipped, left_out_words, skipped_words
from knoll.data_kinds import is_archive
from knoll.errors import Rejected
from knoll.families import find_family
from knoll.families.base import Examples, Family, FamilyConfig
from knoll.ports import Platform
from knoll.quantities import counted, memory_of, parse_quantity
from knoll.quoting import escaped
from knoll.records.progress import DataRead, StepsTaken
from knoll.records.run import Run
from knoll.trainer.acceleration import Acceleration, choose
from knoll.trainer.bad_data import decode_good, summed
from knoll.trainer.best import End
from knoll.trainer.checkpoints import Checkpoints
from knoll.trainer.device import choose_device, device_memory, facts_of
from knoll.trainer.disk_cache import DiskCache
from knoll.trainer.golden import Exam, pin_exam
from knoll.trainer.loop import Trained, train_networks
from knoll.trainer.memory import Limits, bytes_of, check_device, check_files, check_step, room_for
from knoll.trainer.ranks import Ranks
from knoll.trainer.reading import Data, files_at, open_data
from knoll.trainer.report import Journal, News
from knoll.trainer.sorting import sort_files
from knoll.trainer.stopping import Termination
from knoll.trainer.task import Task, largest_batch

__all__ = ["Learnt", "learn", "threads_for"]

_OF_EXAM = 8  # one part of the room for examples in so many is for the golden set
_TRAINING_PERCENT = (5, 95)  # reading comes before, exporting and publishing after


@dataclass(frozen=True)
class Learnt:
    """A training that is done, but not scored. `threads` is the number of its CPU threads, `exam` the golden
    set, if there is one. `skipped` is what was no data, `left_out` are the bad files."""

    family: Family[Any]
    config: FamilyConfig
    examples: Examples
    trained: Trained
    threads: int
    exam: Exam | None = None
    skipped: tuple[Skipped, ...] = ()
    left_out: tuple[Skipped, ...] = ()


def learn(
    run: Run,
    platform: Platform,
    ranks: Ranks,
    journal: Journal,
    termination: Termination,
    cache: DiskCache | None,
) -> Learnt:
    """Train the run's networks, together with the other processes, from the newest checkpoint that is whole.
    Examples that are not in memory are read again, afterwards too; the `cache` makes that quick.

    Raises Rejected if data or config is wrong, DataChanged, and Terminated after SIGTERM.
    """
    family = find_family(run.family)
    config = family.configure(run.config)
    threads = max(1, (platform.settings.threads or threads_for(run.resources)) // run.processes_per_node)
    torch.set_num_threads(threads)
    journal.report(News("reading", 0))
    limit = memory_of(run.resources) // run.processes_per_node
    of_data, of_exam = _limits(run, limit, threads, cache, ranks.local / run.processes_per_node)
    data = open_data(run, platform, cache, lambda reading: journal.report(_news_of(reading)))
    device = ranks.own(choose_device(platform.settings.device))
    ranks = _sharding(run, ranks, journal)
    examples, skipped, left_out = _read_examples(run, family, config, data, of_data, journal)
    journal.leave_out(left_out)
    ranks.check_same("found other bad files", left_out, device)
    exam = pin_exam(run, family, config, examples, platform, of_exam, journal)
    beside, notes = (bytes_of(exam.examples), exam.examples.notes) if exam else (0, ())
    if device.type == "cpu":
        rows = -(-largest_batch(len(examples.train[0]), config.batch_size) // ranks.world)
        best = run.keep == "best"
        check_step(
            *(family, examples, config, rows, limit), beside=beside, keeps_best=best, shards=ranks.shards
        )
    else:
        check_device(family, examples, config, device_memory(device), ranks.shards)
    with termination.put_off():
        trained = _fit(run, family, examples, config, device, ranks, journal, platform, termination)
    told = replace(examples, notes=(*examples.notes, *notes))
    return Learnt(family, config, told, trained, threads, exam, skipped, left_out)


def _sharding(run: Run, ranks: Ranks, journal: Journal) -> Ranks:
    """The processes, which share out what the run says; tells it."""
    if run.sharding == "none":
        return ranks
    if ranks.world == 1:
        journal.say("sharding is none: one process trains alone")
        return ranks
    share = f"1/{ranks.world} of the gradients and of the state of optimisers"
    journal.say(f"sharding is optimizer: each process keeps about {share}")
    return replace(ranks, shard=True)


def threads_for(resources: Mapping[str, Any]) -> int:
    """One thread for each core of the run: more would wait for each other. The cores are a Kubernetes
    quantity, such as 2 or 500m."""
    return max(1, math.floor(parse_quantity(resources.get("cpu", 1))))


def _news_of(reading: DataRead) -> News:
    percent = _TRAINING_PERCENT[0] * reading.bytes // max(1, reading.of_bytes)
    return News("reading", min(percent, _TRAINING_PERCENT[0]), reading=reading)


def _limits(
    run: Run, memory: int, workers: int, cache: DiskCache | None, begins: float
) -> tuple[Limits, Limits]:
    """Those of the data and of the golden set."""
    room = room_for(memory)
    of_exam = room // _OF_EXAM if run.golden_set else 0
    rest = workers, cache, begins
    return Limits(memory, room - of_exam, *rest), Limits(memory, of_exam, *rest)


def _read_examples(
    run: Run, family: Family[Any], config: FamilyConfig, data: Data, limits: Limits, journal: Journal
) -> tuple[Examples, tuple[Skipped, ...], tuple[Skipped, ...]]:
    """The examples, what is no data, and what is bad."""
    objects = data.dataset.objects
    places, more, broken = sort_files(data.dataset, data.reader, limits.free)
    skipped = (*data.dataset.skipped, *more)
    for line in skipped_words(skipped):
        journal.say(line)
    files = files_at(places, data.reader, limits)
    check_files(family, files, config, "the files of the dataset", limits.memory)
    archives = sum(is_archive(one.uri) for one in objects)
    among = f", from {len(objects)} objects with {counted(archives, 'archive')}" if archives else ""
    journal.say(f"found {len(files)} files, {sum(files.sizes.values()):,} bytes{among}")
    examples, bad = decode_good(
        files, broken, lambda some: family.examples(some, config), family.form, run.most_bad
    )
    data.meter.close()
    left_out = summed(bad)
    journal.say(f"{len(examples.train[0])} training examples, {len(examples.held_out[0])} held out")
    for note in (*left_out_words(left_out), *examples.notes):
        journal.say(escaped(note))
    return examples, skipped, left_out


def _fit(
    run: Run,
    family: Family[Any],
    examples: Examples,
    config: FamilyConfig,
    device: torch.device,
    ranks: Ranks,
    journal: Journal,
    platform: Platform,
    termination: Termination,
) -> Trained:
    among = f", {ranks.world} processes" if ranks.world > 1 else ""
    journal.say(f"training on {device} with {torch.get_num_threads()} threads{among}")
    how = _choose_how(run, Task(family, examples, config, device, ranks), journal)
    first, last = _TRAINING_PERCENT

    def report(steps: StepsTaken, seconds_left: int | None, losses: Mapping[str, float]) -> None:
        metrics = {f"{name}_loss": loss for name, loss in losses.items()}
        percent = first + round((last - first) * steps.step / steps.of_steps)
        journal.report(News("training", percent, seconds_left, metrics, steps=steps))

    keeper = Checkpoints(run, platform, journal)
    try:
        return train_networks(
            *(family, examples, config),
            device=device,
            report=report,
            say=journal.say,
            warn=journal.warn,
            ranks=ranks,
            keeper=keeper,
            end=End(run.keep == "best", run.patience),
            how=how,
            is_asked_to_stop=lambda: termination.is_asked,
        )
    finally:
        keeper.close()


def _choose_how(run: Run, task: Task, journal: Journal) -> Acceleration:
    """How the training computes; tells it. Raises Unavailable if the processes would not compute alike."""
    facts = facts_of(task.device, task.family, task.examples, task.steps)
    how = choose(facts, run.accelerate)
    task.ranks.check_same("compute in another way", how.values, task.device)
    if how.scales and task.ranks.shard:
        raise Rejected(
            "each process would scale the losses of fp16 in its own way, and their weights would not fit",
            fix="set spec.training.accelerate.precision to fp32, or spec.training.sharding to none",
        )
    for name, choice, why in how.told():
        (journal.warn if name in how.refused else journal.say)(f"{name} is {choice}: {why}")
    return how
