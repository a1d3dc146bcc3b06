"""A whole platform in memory."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.cluster import MemoryCluster
from knoll.adapters.memory.events import MemoryEvents
from knoll.adapters.memory.hooks import MemoryHooks
from knoll.adapters.memory.predictors import MemoryPredictors
from knoll.adapters.memory.store import MemoryStore
from knoll.ports import Clock, Platform
from knoll.settings import Settings

__all__ = ["memory_platform"]


def memory_platform(clock: Clock | None = None, settings: Settings | None = None, **ports: Any) -> Platform:
    """A platform whose ports are all in memory, on one clock; `ports` are those that the caller brings."""
    clock = clock or MemoryClock()
    platform = Platform(
        store=MemoryStore(clock.now),
        cluster=MemoryCluster("default", clock),
        events=MemoryEvents(),
        predictors=MemoryPredictors(),
        clock=clock,
        settings=settings or Settings(home=Path("/nonexistent")),
        hooks=MemoryHooks(),
    )
    return replace(platform, **ports)
