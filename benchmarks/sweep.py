"""What a tick costs after 100,000 runs: requests, seconds and memory of one sweep over all stages.

Store and cluster are in memory and follow the rules of the real ones. Each request takes as long as one to a
server nearby, and a listing needs one request for each thousand objects. The memory is that of the sweep
alone, without the bucket.
"""

import argparse
import hashlib
import json
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from results import Goal, print_goals
from rich.console import Console
from rich.table import Table

from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.platform import memory_platform
from knoll.adapters.memory.store import MemoryStore
from knoll.errors import NotFound
from knoll.events import TICK, new_event
from knoll.ingest import handler as ingest
from knoll.kube.ownership import owned
from knoll.models import API_VERSION, KIND, parse_model
from knoll.names import version_name
from knoll.ports import Caches, Document, Platform
from knoll.records.claim import claim_uri
from knoll.records.dataset import Dataset, DatasetObject
from knoll.records.inbox import inbox
from knoll.records.manifest import manifest_uri, version_uri
from knoll.records.outcome import Outcome, outcome_uri
from knoll.records.rollout import rollout_step_uri
from knoll.records.run import Run, run_uri
from knoll.rollout.inference_service import desired
from knoll.rollout.slot import Slot, slot_to_status
from knoll.rollout.transition import Transition
from knoll.train.job import job_document
from knoll.wiring.stages import STAGES

_PAGE = 1000  # objects of a listing that come with one request
_SECONDS, _MEGABYTES, _REQUESTS = 5.0, 200.0, 12.0  # the goals; requests are those for each model
_ROUNDS = 3
_DATA = "s3://data"
_VERSION_FILES = ("README.md", "model.onnx", "model.safetensors", "samples.json", "signature.json")


class Counted:
    """A store or cluster that counts its requests and delays each."""

    def __init__(self, behind: Any, latency: float = 0.0, page: int = _PAGE) -> None:
        self._behind, self._latency, self._page = behind, latency, page
        self.requests: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        def call(*given: Any, **options: Any) -> Any:
            is_listing_of_store = name == "list" and isinstance(self._behind, MemoryStore)
            if not is_listing_of_store:
                self._count(name)
            answer = getattr(self._behind, name)(*given, **options)
            return self._pages(answer) if is_listing_of_store else answer

        return call

    def _pages(self, found: Iterator[Any]) -> Iterator[Any]:
        self._count("list")
        for number, one in enumerate(found, 1):
            if number % self._page == 0:
                self._count("list")
            yield one

    def _count(self, name: str) -> None:
        self.requests[name] += 1
        time.sleep(self._latency)


@dataclass(frozen=True)
class World:
    """A platform whose models have been trained and rolled out many times."""

    platform: Platform
    store: Counted
    cluster: Counted


@dataclass(frozen=True)
class Took:
    """The cost of one tick: seconds, peak memory in megabytes, and requests by port and method."""

    gate: str
    seconds: float
    megabytes: float
    requests: Counter[str]


def main(given: Sequence[str] | None = None) -> int:
    """Measure a tick for each gate, and print the results; 1 if a goal is missed."""
    options = _options(given)
    took = []
    for gate in ("marker", "quiet", "object"):
        print(f"{gate}: writing {options.runs} runs of {options.models} models", file=sys.stderr, flush=True)
        world = make_world(options.models, options.runs // options.models, gate, options.latency / 1000)
        took.append(Took(gate, *measure(world)))
    _print_table(took)
    return print_goals([goal for one in took for goal in _goals(one, options.runs, options.models)])


def _options(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=100_000, help="runs of all models together")
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--latency", type=float, default=2.0, help="milliseconds of each request")
    return parser.parse_args(given)


def _print_table(took: Sequence[Took]) -> None:
    table = Table("landed", "time", "memory", "requests")
    for one in took:
        requests = ", ".join(f"{count} {name}" for name, count in sorted(one.requests.items()))
        table.add_row(one.gate, f"{one.seconds:.2f} s", f"{one.megabytes:.1f} MB", requests)
    Console(width=140).print(table)


def _goals(one: Took, runs: int, models: int) -> Iterator[Goal]:
    what = f"{runs} runs, landed: {one.gate}"
    yield Goal(f"seconds of a tick, {what}", one.seconds, _SECONDS)
    yield Goal(f"megabytes of a tick, {what}", one.megabytes, _MEGABYTES)
    if one.gate != "object":  # where each object is a dataset, and is listed
        yield Goal(f"requests for each model, {what}", one.requests.total() / models, _REQUESTS)


def measure(world: World) -> tuple[float, float, Counter[str]]:
    """Seconds of a tick, the best of several; its peak memory in megabytes; its requests."""
    tick(world)
    took = min(_timed(world) for _ in range(_ROUNDS))
    tracemalloc.start()
    requests = tick(world)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return took, peak / 1e6, requests


def _timed(world: World) -> float:
    started = time.perf_counter()
    tick(world)
    return time.perf_counter() - started


def tick(world: World) -> Counter[str]:
    """One sweep over all stages; its requests."""
    named = {"store": world.store, "cluster": world.cluster}
    for one in named.values():
        one.requests.clear()
    STAGES["sweep"].handle(new_event(TICK, source="/bench", time=world.platform.clock.now()), world.platform)
    return Counter(
        {f"{place}.{name}": count for place, one in named.items() for name, count in one.requests.items()}
    )


def make_world(models: int, runs: int, gate: str, latency: float = 0.0, page: int = _PAGE) -> World:
    """Models with `runs` ended runs each. The stages themselves made the present state."""
    clock = MemoryClock()
    platform = memory_platform(clock)
    store, cluster, settings = platform.store, platform.cluster, platform.settings
    names = [f"model-{number:03d}" for number in range(models)]
    objects = (DatasetObject(f"{_DATA}/model/0000.zip", "before", 1),)
    before = Dataset("model", f"{_DATA}/model/", objects).encode()
    for uri in sorted(_history(names, runs, settings.model_root)):
        store.put(uri, before if "/datasets/" in uri else b"{}")
    for name in names:
        cluster.create(_model(name, gate))
        for number in range(runs if gate == "object" else 1):
            store.put(f"{_DATA}/{name}/{number:04d}.zip", f"{name} {number}".encode())
    clock.move(3600)
    for name in names:
        store.put(f"{_DATA}/{name}/_SUCCESS", b"")
    _train_and_roll_out(platform, names, runs)
    clock.move(3 * 86400)
    counted: tuple[Any, Any] = Counted(store, latency, page), Counted(cluster, latency)
    return World(replace(platform, store=counted[0], cluster=counted[1], caches=Caches()), *counted)


def _history(names: list[str], runs: int, root: str) -> Iterator[str]:
    """All objects of the runs, but for the last run of each model, by their places."""
    for name in names:
        for number in range(1, runs):
            digest = hashlib.sha256(f"{name} {number}".encode()).hexdigest()
            run, version = f"{name}-{digest[:20]}", version_name(number)
            yield from (run_uri(root, run), outcome_uri(root, run), claim_uri(root, name, version))
            yield from (f"{root}/datasets/{name}/{digest}.json", manifest_uri(root, name, version))
            yield from (version_uri(root, name, version) + file for file in _VERSION_FILES)
            yield from (rollout_step_uri(root, name, version, step) for step in (1, 2))


def _model(name: str, gate: str) -> Document:
    spec = {"family": "image-classifier", "dataset": {"uri": f"{_DATA}/{name}/", "landed": {"when": gate}}}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": spec}


def _train_and_roll_out(platform: Platform, names: list[str], runs: int) -> None:
    """Let the runs that the last tick opened end well, and let the last version of each model serve."""
    root, store, now = platform.settings.model_root, platform.store, platform.clock.now().isoformat()
    ingest.sweep(new_event(TICK, source="/bench", time=platform.clock.now()), platform)
    for one in list(store.list(inbox(root))):
        run = one.uri.removeprefix(inbox(root)).partition(".")[0]
        store.put(outcome_uri(root, run), Outcome("succeeded", now, version_name(runs)).encode())
        with suppress(NotFound):
            store.delete(one.uri)
    champion, before = version_name(runs), version_name(runs - 1)
    last = Transition(2, "Promote", now, champion, 100, "baked")
    slot = Slot(champion=champion, previous=before, percent=100, since=now, transition=last)
    for name in names:
        store.put(manifest_uri(root, name, champion), b"{}")
        store.put(rollout_step_uri(root, name, champion, 2), json.dumps({}).encode())
        document = platform.cluster.get("Model", name)
        document = platform.cluster.update(
            {**document, "status": dict(slot_to_status(slot, document["status"]))}, status=True
        )
        isvc = desired(parse_model(document), slot, platform.settings)
        if isvc:
            platform.cluster.create(owned(isvc, document))
    _keep_jobs(platform, names)


def _keep_jobs(platform: Platform, names: list[str]) -> None:
    """The Jobs of the last week: one for each model, complete."""
    for name in names:
        run = Run(f"{name}-{'0' * 20}", name, "image-classifier", "", "", {}, "")
        job = platform.cluster.create(job_document(run, platform.settings))
        done = {"conditions": [{"type": "Complete", "status": "True"}]}
        platform.cluster.update({**job, "status": done}, status=True)


if __name__ == "__main__":
    sys.exit(main())
