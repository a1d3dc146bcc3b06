"""The checkpoints of a run while it trains: the state is copied between two steps, and a thread writes the
copy. No step waits for the store, unless the training is asked to stop while a copy is written."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from knoll.errors import NewerSchema, Rejected, Unavailable
from knoll.ports import Platform
from knoll.records.checkpoint import (
    STATE,
    TENSORS,
    Checkpoint,
    list_steps,
    read_checkpoint,
    remove_checkpoints,
    write_checkpoint,
    write_state_file,
)
from knoll.records.manifest import entry_of
from knoll.records.run import Run
from knoll.trainer.report import Journal
from knoll.trainer.state_files import Tree, decode_tree, encode_tree

__all__ = ["UNSAVED", "Checkpoints", "Saved", "StateKeeper", "Unsaved"]


@dataclass(frozen=True)
class Saved:
    """The state after a step, as it was read from a checkpoint."""

    step: int
    attempt: int
    tree: Tree


class StateKeeper(Protocol):
    """Keeps the state of a training for its next attempt."""

    def saved(self) -> Iterator[Saved]:
        """The states that were kept, the newest first."""

    def pass_over(self, step: int, error: Exception) -> None:
        """Say why the state of that step is not used."""

    def resume(self, saved: Saved) -> None:
        """Note that the training goes on from this state."""

    def is_due(self) -> bool:
        """Whether it is time to keep the state."""

    def keep(self, tree: Tree, step: int, of_steps: int) -> None:
        """Keep the state after a step, in the background; waits for the one before it."""

    def finish(self) -> None:
        """Wait until what was kept is written."""


class Unsaved:
    """Keeps nothing."""

    def saved(self) -> Iterator[Saved]:
        """See `StateKeeper.saved`."""
        return iter(())

    def pass_over(self, step: int, error: Exception) -> None:
        """See `StateKeeper.pass_over`."""

    def resume(self, saved: Saved) -> None:
        """See `StateKeeper.resume`."""

    def is_due(self) -> bool:
        """See `StateKeeper.is_due`."""
        return False

    def keep(self, tree: Tree, step: int, of_steps: int) -> None:
        """See `StateKeeper.keep`."""

    def finish(self) -> None:
        """See `StateKeeper.finish`."""


UNSAVED = Unsaved()


class Checkpoints:
    """Keeps states as checkpoints of a run, as often and as many as the run says."""

    def __init__(self, run: Run, platform: Platform, journal: Journal) -> None:
        self._run, self._platform, self._journal = run, platform, journal
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._writing: Future[None] | None = None
        self._kept: list[int] = []  # steps, the newest first
        self._last = time.monotonic()

    def saved(self) -> Iterator[Saved]:
        """The state of each whole checkpoint, the newest first. What cannot be read is named in the log and
        passed over. Raises StoreUnavailable."""
        for step in list_steps(self._run.id, self._platform.bucket):
            try:
                found, files = read_checkpoint(self._run.id, step, self._platform.bucket)
                tree = decode_tree(files[STATE], files[TENSORS])
            except (Rejected, NewerSchema) as error:
                self.pass_over(step, error)
                continue
            yield Saved(step, found.attempt, tree)

    def pass_over(self, step: int, error: Exception) -> None:
        """Say in the log why the checkpoint of that step is not used."""
        self._journal.say(f"passed over the checkpoint of step {step}: {error}")

    def resume(self, saved: Saved) -> None:
        """Go on from this checkpoint, which stays until there are newer ones."""
        self._kept = [saved.step]
        self._journal.resume(saved.step, max(self._journal.attempt, saved.attempt + 1))

    def is_due(self) -> bool:
        """Whether the last state is old enough, and written."""
        is_free = self._writing is None or self._writing.done()
        return is_free and time.monotonic() - self._last >= self._run.checkpoint_every

    def keep(self, tree: Tree, step: int, of_steps: int) -> None:
        """Write the state in the background, after the one before it."""
        self._last = time.monotonic()
        self.finish()
        self._writing = self._thread.submit(self._write, tree, step, of_steps)

    def finish(self) -> None:
        """See `StateKeeper.finish`."""
        if self._writing is not None:
            self._writing.result()

    def close(self) -> None:
        """Wait until what was kept is written, and stop."""
        self._thread.shutdown()
        self.finish()

    def _write(self, tree: Tree, step: int, of_steps: int) -> None:
        try:
            self._write_files(tree, step, of_steps)
        except Unavailable as error:
            self._journal.say(f"the checkpoint of step {step} was not written: {error}")

    def _write_files(self, tree: Tree, step: int, of_steps: int) -> None:
        run, bucket = self._run, self._platform.bucket
        files = dict(zip((STATE, TENSORS), encode_tree(tree), strict=True))
        for name, body in files.items():
            write_state_file(run.id, step, name, body, bucket)
        entries = {name: entry_of(body) for name, body in files.items()}
        at = self._platform.clock.now().isoformat()
        attempt = self._journal.attempt
        write_checkpoint(Checkpoint(run.id, step, of_steps, attempt, run.processes, at, entries), bucket)
        self._kept = [step, *self._kept][: run.checkpoint_keep]
        remove_checkpoints(run.id, bucket, self._kept)
