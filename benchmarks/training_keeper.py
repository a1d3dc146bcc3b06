"""A keeper of states that encodes them as checkpoints are, in a thread, and puts them nowhere."""

from concurrent.futures import Future, ThreadPoolExecutor

from knoll.trainer.checkpoints import Unsaved
from knoll.trainer.state_files import Tree, encode_tree

__all__ = ["Keeper"]


class Keeper(Unsaved):
    """Keeps the state `times` times, after each second step."""

    def __init__(self, times: int = 0) -> None:
        self._left, self._seen = times, 0
        self._thread = ThreadPoolExecutor(1)
        self._writing: Future[tuple[bytes, bytes]] | None = None

    def is_due(self) -> bool:
        """See `StateKeeper.is_due`."""
        self._seen += 1
        return self._left > 0 and self._seen % 2 == 0

    def keep(self, tree: Tree, step: int, of_steps: int) -> None:
        """Encode the state in the background, after the one before it."""
        self._left -= 1
        if self._writing:
            self._writing.result()
        self._writing = self._thread.submit(encode_tree, tree)
