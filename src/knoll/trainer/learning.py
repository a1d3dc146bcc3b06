"""What every process of a run does: read the data, make examples of it, and train on a share of them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from knoll.data_files import Skipped, left_out_words, skipped_words
from knoll.data_layout import is_archive
from knoll.families import find_family
from knoll.families.base import Examples, Family, FamilyConfig, Files
from knoll.ports import Platform
from knoll.quantities import counted, memory_of, parse_quantity
from knoll.quoting import escaped
from knoll.records.progress import DataRead, StepsTaken
from knoll.records.run import Run
from knoll.trainer.bad_data import decode_good, summed
from knoll.trainer.best import End
from knoll.trainer.checkpoints import Checkpoints
from knoll.trainer.golden import Exam, pin_exam
from knoll.trainer.loop import Trained, choose_device, train_networks
from knoll.trainer.memory import bytes_of, check_data, check_step, room_for
from knoll.trainer.ranks import Ranks
from knoll.trainer.reading import Read, read_data
from knoll.trainer.report import Journal, News
from knoll.trainer.sorting import sort_files
from knoll.trainer.stopping import Termination
from knoll.trainer.task import largest_batch

__all__ = ["Learnt", "learn", "threads_for"]

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


def learn(run: Run, platform: Platform, ranks: Ranks, journal: Journal, termination: Termination) -> Learnt:
    """Train the run's networks, together with the other processes, from the newest checkpoint that is whole.
    Raises Rejected if data or config is wrong, DataChanged, and Terminated after SIGTERM."""
    family = find_family(run.family)
    config = family.configure(run.config)
    threads = max(1, (platform.settings.threads or threads_for(run.resources)) // run.processes_per_node)
    torch.set_num_threads(threads)
    journal.report(News("reading", 0))
    limit = memory_of(run.resources) // run.processes_per_node
    read = read_data(run, platform, limit, lambda reading: journal.report(_news_of(reading)))
    device = ranks.own(choose_device(platform.settings.device))
    examples, skipped, left_out = _read_examples(run, family, config, read, limit, journal)
    journal.leave_out(left_out)
    ranks.check_same("found other bad files", left_out, device)
    exam = pin_exam(run, family, config, examples, platform, limit, journal)
    beside, notes = (bytes_of(exam.examples), exam.examples.notes) if exam else (0, ())
    if device.type == "cpu":
        rows = -(-largest_batch(len(examples.train[0]), config.batch_size) // ranks.world)
        check_step(family, examples, config, rows, limit, beside=beside, keeps_best=run.keep == "best")
    keeper = Checkpoints(run, platform, journal)
    with termination.put_off():
        try:
            end = End(run.keep == "best", run.patience)
            trained = _fit(family, examples, config, device, ranks, journal, keeper, end, termination)
        finally:
            keeper.close()
    told = replace(examples, notes=(*examples.notes, *notes))
    return Learnt(family, config, told, trained, threads, exam, skipped, left_out)


def threads_for(resources: Mapping[str, Any]) -> int:
    """One thread for each core of the run: more would wait for each other. The cores are a Kubernetes
    quantity, such as 2 or 500m."""
    return max(1, math.floor(parse_quantity(resources.get("cpu", 1))))


def _news_of(reading: DataRead) -> News:
    percent = _TRAINING_PERCENT[0] * reading.bytes // max(1, reading.of_bytes)
    return News("reading", min(percent, _TRAINING_PERCENT[0]), reading=reading)


def _read_examples(
    run: Run, family: Family[Any], config: FamilyConfig, read: Read, limit: int, journal: Journal
) -> tuple[Examples, tuple[Skipped, ...], tuple[Skipped, ...]]:
    """The examples, what is no data, and what is bad."""
    files, more, broken = sort_files(read.files, room_for(read.files.values(), limit))
    skipped = (*read.skipped, *more)
    for line in skipped_words(skipped):
        journal.say(line)
    archives = sum(map(is_archive, read.files))
    among = f", from {len(read.files)} objects with {counted(archives, 'archive')}" if archives else ""
    journal.say(f"read {len(files)} files, {sum(map(len, files.values())):,} bytes{among}")

    def decode(some: Files) -> Examples:
        size = sum(map(len, files.values())) + family.decoded_bytes(some, config)
        check_data(size, "the data and its decoded examples", limit)
        return family.examples(some, config)

    examples, bad = decode_good(files, broken, decode, family.form, run.most_bad)
    left_out = summed(bad)
    journal.say(f"{len(examples.train[0])} training examples, {len(examples.held_out[0])} held out")
    for note in (*left_out_words(left_out), *examples.notes):
        journal.say(escaped(note))
    return examples, skipped, left_out


def _fit(
    family: Family[Any],
    examples: Examples,
    config: FamilyConfig,
    device: torch.device,
    ranks: Ranks,
    journal: Journal,
    keeper: Checkpoints,
    end: End,
    termination: Termination,
) -> Trained:
    among = f", {ranks.world} processes" if ranks.world > 1 else ""
    journal.say(f"training on {device} with {torch.get_num_threads()} threads{among}")
    first, last = _TRAINING_PERCENT

    def report(steps: StepsTaken, seconds_left: int | None, losses: Mapping[str, float]) -> None:
        metrics = {f"{name}_loss": loss for name, loss in losses.items()}
        percent = first + round((last - first) * steps.step / steps.of_steps)
        journal.report(News("training", percent, seconds_left, metrics, steps=steps))

    return train_networks(
        *(family, examples, config),
        device=device,
        report=report,
        say=journal.say,
        warn=journal.warn,
        ranks=ranks,
        keeper=keeper,
        end=end,
        is_asked_to_stop=lambda: termination.is_asked,
    )
