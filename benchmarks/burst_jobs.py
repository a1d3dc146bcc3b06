"""Jobs of the burst that end without training."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from random import Random
from time import monotonic
from types import TracebackType
from typing import Self

import httpx
from burst_client import TOKEN
from burst_world import ROOT, World

from knoll.errors import Conflict
from knoll.events import object_changed
from knoll.events.http import event_to_http
from knoll.kube.jobs import is_live
from knoll.laptop.signing import SIGNING, find_or_make_pair
from knoll.names import model_of_run
from knoll.ports import Bucket
from knoll.records.outcome import Outcome, write_outcome
from knoll.records.run import load_run, runs_uri
from knoll.repeating import repeating

__all__ = ["Jobs"]

_TRAINS = (1.0, 3.0)  # seconds that a Job lives, the least and the most
_EVERY = 0.05  # seconds between two looks


class Jobs:
    """Watches the Jobs, and ends each after a while as if its training had failed."""

    def __init__(self, world: World, port: int) -> None:
        self.seen: dict[str, float] = {}
        self.most = self.ended = 0
        self._world, self._broker = world, f"http://127.0.0.1:{port}/broker"

    def __enter__(self) -> Self:
        self._looking = _repeated(self._look)
        self._looking.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._looking.__exit__(kind, error, trace)

    def runs(self) -> Counter[str]:
        """The number of runs of each Model."""
        return Counter(
            model_of_run(one.uri.rpartition("/")[2].removesuffix(".json"))
            for one in self._world.store.list(runs_uri(ROOT))
        )

    def causes(self) -> Counter[str]:
        """The number of runs that events of each type have opened."""
        records = [load_run(self._world.store.get(one.uri)) for one in self._world.store.list(runs_uri(ROOT))]
        return Counter(one.cause["type"] for one in records)

    def _look(self) -> None:
        live = [one["metadata"]["name"] for one in self._world.cluster.list("Job") if is_live(one)]
        self.most = max(self.most, len(live))
        for name in live:
            if monotonic() - self.seen.setdefault(name, monotonic()) >= Random(name).uniform(*_TRAINS):
                self._end(name)

    def _bucket(self) -> Bucket:
        """The model bucket as a trainer has it, with the key that signs."""
        pair = find_or_make_pair(self._world.folder / "ours" / SIGNING)
        return Bucket(self._world.store, ROOT, sign_key=pair.private, verify_key=pair.public)

    def _end(self, run: str) -> None:
        now = datetime.now(UTC)
        write_outcome(run, Outcome("failed", now.isoformat(), reason="measured"), self._bucket())
        done = {"conditions": [{"type": "Failed", "status": "True", "lastTransitionTime": now.isoformat()}]}
        try:
            job = self._world.cluster.update(
                {**self._world.cluster.get("Job", run), "status": done}, status=True
            )
        except Conflict:
            return  # the next look tries again
        self.ended += 1
        headers, body = event_to_http(object_changed(job, source="/bench", time=now))
        headers["authorization"] = f"Bearer {TOKEN}"
        with suppress(httpx.TransportError):  # killed just now: the first tick finds the outcome
            httpx.post(self._broker, content=body, headers=headers, trust_env=False, timeout=60)


@contextmanager
def _repeated(act: Callable[[], object]) -> Iterator[None]:
    """Act again and again on a thread of its own. An error there ends the measurement."""
    failed: list[Exception] = []

    def try_once() -> None:
        if failed:
            return
        try:
            act()
        except Exception as error:
            failed.append(error)

    with repeating(try_once, _EVERY, patience=None):
        yield
    if failed:
        raise failed[0]
