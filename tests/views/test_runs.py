"""Which runs `knoll runs` lists, and which one it waits for."""

import pytest

from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.platform import memory_platform
from knoll.events import TICK, new_event
from knoll.ports import Platform
from knoll.views.runs import RunsView, look_at_runs
from knoll.wiring.stages import STAGES
from support.models import model_document

NAMES = ("apples", "beans", "corn")


@pytest.fixture
def platform() -> Platform:
    """Three Models, whose data has landed one after the other."""
    platform = memory_platform(MemoryClock(step=0.001))
    for name in NAMES:
        platform.cluster.create(model_document(name))
        land(platform, name, b"x")
    return platform


def land(platform: Platform, name: str, body: bytes) -> None:
    for key in ("0/a.png", "_SUCCESS"):
        platform.store.put(f"s3://data/{name}/{key}", body)
    clock = platform.clock
    assert isinstance(clock, MemoryClock)
    clock.move(61)
    STAGES["sweep"].handle(new_event(TICK, source="/test", time=clock.now()), platform)


@pytest.mark.parametrize("limit", [1, 2, 20])
def test_the_limit_is_that_of_the_whole_list(platform: Platform, limit: int) -> None:
    view = look_at_runs(platform, "", limit, RunsView())
    assert [one.run.model for one in view.runs] == [*reversed(NAMES)][:limit]
    assert not view.waiting


def test_the_run_of_data_that_returns_is_waited_for_though_newer_ones_fill_the_list(
    platform: Platform,
) -> None:
    first = look_at_runs(platform, "corn", 1, RunsView()).newest
    land(platform, "corn", b"y")
    second = look_at_runs(platform, "corn", 1, RunsView()).newest
    assert first is not None
    assert second is not None
    assert first.run.id != second.run.id
    platform.store.put("s3://data/corn/0/a.png", b"x")
    platform.store.put("s3://data/corn/_SUCCESS", b"x")
    view = look_at_runs(platform, "corn", 1, RunsView())
    assert [one.run.id for one in view.runs] == [second.run.id]
    assert view.newest is not None
    assert view.newest.run.id == first.run.id
