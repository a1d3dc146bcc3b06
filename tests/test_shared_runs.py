"""Whoever shares a run of a graph gets the answer that it would get alone."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knoll.shared_runs import SharedRuns

Until = Callable[..., None]


class Graph:
    """Doubles what is given, and fails if a number is negative. A run waits while the gate is closed."""

    def __init__(self) -> None:
        self.gate, self.runs = threading.Event(), list[int]()
        self.gate.set()

    def __call__(self, inputs: Any) -> dict[str, Any]:
        self.runs.append(len(inputs["x"]))
        self.gate.wait(60)
        if (inputs["x"] < 0).any():
            raise ArithmeticError(f"negative: {inputs['x'].min():g}")
        return {"y": inputs["x"] * 2, "z": inputs["x"].reshape(len(inputs["x"]), -1).sum(axis=1)}


class Runs:
    """Shared runs in threads. Those that are `held` wait behind a run that does not end, so that they are
    together."""

    def __init__(self, most: int = 32) -> None:
        self.graph = Graph()
        self.shared = SharedRuns(self.graph, lambda: most)
        self.pool = ThreadPoolExecutor(40)

    def start(self, *values: Any, **more: Any) -> Any:
        return self.pool.submit(self.shared.run, {"x": np.array(values, np.float64)}, **more)

    @contextmanager
    def held(self, until: Until) -> Iterator[None]:
        self.graph.gate.clear()
        before = len(self.graph.runs)
        first = self.start([0.0])
        until(lambda: len(self.graph.runs) > before)
        try:
            yield
        finally:
            self.graph.gate.set()
            first.result(60)

    def wait_for(self, number: int, until: Until) -> None:
        until(lambda: len(self.shared._waiting) == number)


@pytest.fixture
def runs() -> Iterator[Runs]:
    made = Runs()
    yield made
    made.graph.gate.set()
    made.pool.shutdown()


rows = st.integers(1, 3).flatmap(
    lambda width: st.lists(
        st.lists(st.floats(-9, 1e6), min_size=width, max_size=width), min_size=1, max_size=5
    )
)


@settings(deadline=None, max_examples=60)
@given(requests=st.lists(rows, min_size=1, max_size=20), most=st.integers(5, 32))
def test_shared_answers_and_errors_are_those_of_each_alone(requests: list[Any], most: int) -> None:
    """Whatever the order, the shapes and the number of those that come at once."""
    runs, alone = Runs(most), Graph()
    ready = threading.Barrier(len(requests))

    def ask(values: Any) -> Any:
        ready.wait()
        return runs.shared.run({"x": np.array(values)})

    with runs.pool as pool:
        asked = [pool.submit(ask, one) for one in requests]
    for values, one in zip(requests, asked, strict=True):
        inputs = {"x": np.array(values)}
        try:
            wanted = alone(inputs)
        except ArithmeticError as error:
            with pytest.raises(ArithmeticError, match=str(error)):
                one.result()
        else:
            for name, output in one.result().items():
                np.testing.assert_array_equal(output, wanted[name])
    assert max(runs.graph.runs) <= most
    assert runs.shared.sizes.total() <= len(requests)


def test_what_waits_shares_a_run_and_who_is_alone_waits_for_nobody(runs: Runs, until: Until) -> None:
    with runs.held(until):
        asked = [runs.start([float(number)]) for number in range(5)]
        runs.wait_for(5, until)
    assert [one.result(60)["y"].tolist() for one in asked] == [[[2.0 * number]] for number in range(5)]
    assert runs.graph.runs == [1, 5]
    assert runs.shared.sizes == {1: 1, 5: 1}


def test_only_equal_shapes_share_a_run_and_none_is_too_large(until: Until) -> None:
    runs = Runs(most=3)
    with runs.held(until):
        asked = [runs.start([1.0]), runs.start([1.0, 2.0]), runs.start([1.0], [2.0]), runs.start([3.0])]
        runs.wait_for(4, until)
    assert [len(one.result(60)["y"]) for one in asked] == [1, 1, 2, 1]
    assert sorted(runs.graph.runs) == [1, 1, 1, 3]


def test_a_bad_request_fails_alone(runs: Runs, until: Until) -> None:
    with runs.held(until):
        good, bad, other = runs.start([1.0]), runs.start([-7.0]), runs.start([3.0])
        runs.wait_for(3, until)
    assert [one.result(60)["y"].tolist() for one in (good, other)] == [[[2.0]], [[6.0]]]
    with pytest.raises(ArithmeticError, match="negative: -7"):
        bad.result(60)


class Gone(Exception):
    """Nobody waits any more."""


def test_who_hangs_up_leaves_and_the_others_are_answered(runs: Runs, until: Until) -> None:
    """Also the one that would have led the next run."""
    is_gone = threading.Event()

    def check() -> None:
        if is_gone.is_set():
            raise Gone

    with runs.held(until):
        gone = runs.start([5.0], check=check)
        runs.wait_for(1, until)
        asked = [runs.start([float(number)]) for number in range(3)]
        runs.wait_for(4, until)
        is_gone.set()
        with pytest.raises(Gone):
            gone.result(60)
        assert runs.graph.runs == [1]
    assert [one.result(60)["y"].tolist() for one in asked] == [[[0.0]], [[2.0]], [[4.0]]]
    assert runs.graph.runs == [1, 3]
    assert runs.start([1.0]).result(60)["y"].tolist() == [[2.0]]
