"""No event ever comes: every state of the data that stays is trained and served all the same, by ticks
alone."""

from collections import Counter
from collections.abc import Iterator
from itertools import product

import pytest

from schedules.checks import wrong_at_the_end
from schedules.declared import GATES, model_document
from schedules.memory import repeatable
from schedules.world import World

_CONCURRENCIES = ("Queue", "Replace", "Forbid")


@pytest.fixture(autouse=True)
def _played() -> Iterator[None]:
    with repeatable():
        yield


def test_with_all_events_dropped_for_ever_every_dataset_is_trained_and_served() -> None:
    """Twelve models, one for each rule for complete data and each concurrency, get five datasets each, while
    a tick comes each minute. Each is trained once, and the last one serves."""
    kinds = {f"{gate}-{one.lower()}": (gate, one) for gate, one in product(GATES, _CONCURRENCIES)}
    models = {name: model_document(name, *kind) for name, kind in kinds.items()}
    world = World(models, quota=len(models), is_deaf=True)
    for round_ in range(5):
        for number, name in enumerate(models):
            world.write(name, "0", f"good-{round_}-{number}".encode())
            world.mark(name)
        for _ in range(3):
            world.pass_a_minute()
    assert world.settle(deaf=True) < 15
    assert wrong_at_the_end(world) == []
    assert world.delivered == 0
    trained = Counter(
        one.uri.split("/")[4]
        for one in world.store.list("s3://knoll-models/models/")
        if one.uri.endswith("/manifest.json")
    )
    assert trained == dict.fromkeys(models, 5)
    assert {world.cluster.get("Model", name)["status"]["champion"] for name in models} == {"v000005"}


def test_a_dataset_that_landed_is_in_training_at_the_first_tick_and_serves_after_a_few() -> None:
    """The way by ticks alone is short: one tick from the data to its Job, four more to the champion."""
    world = World({"digits": model_document("digits")}, is_deaf=True)
    world.write("digits", "0", b"good-0")
    world.mark("digits")
    world.tick()
    assert len(world.live_jobs()) == 1
    for _ in range(5):
        world.pass_a_minute()
    assert world.cluster.get("Model", "digits")["status"]["champion"] == "v000001"
