"""Whatever is posted to a function, it answers 204, 200 with an event, or 422, soon, and does nothing that a
valid body may not."""

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.attack import ATTACKS, read_attack
from fuzz.data import generate_any
from fuzz.inputs import Input
from fuzz.world import listening, new_world, seeds

inputs = st.integers(0, 2**32).map(lambda seed: generate_any(Random(seed), seeds()))


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with listening():
        yield


@settings(max_examples=400, derandomize=True, database=None)
@given(st.lists(inputs, min_size=1, max_size=8))
def test_no_input_is_too_odd(several: list[Input]) -> None:
    """`make fuzz` tries a million, here is a sample."""
    world = new_world()
    assert [world.wrong_with(one) for one in several] == [""] * len(several)


def test_every_seed_is_a_body_that_is_taken() -> None:
    """Else the fuzzer would try nothing but refusals."""
    refused = []
    for seed in seeds():
        world, headers = (
            new_world(),
            {"content-type": "application/cloudevents+json" if seed.is_event else "application/json"},
        )
        world.wrong_with(Input(seed.function, headers, seed.text.encode()))
        refused += [seed] if world.status not in (200, 204) else []
    assert not refused


@pytest.mark.parametrize("name", sorted(path.stem for path in ATTACKS.glob("*.json")))
def test_every_attack_stays_harmless(name: str) -> None:
    """All that has failed once, and what somebody hostile would try."""
    attack, status = read_attack(ATTACKS / f"{name}.json")
    world = new_world()
    assert world.wrong_with(attack) == ""
    assert status in (None, world.status)
