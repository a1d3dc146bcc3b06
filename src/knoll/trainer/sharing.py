"""Whether requests that come at once are to share runs of the graph: measured with the code that the
predictor runs, because what a shared run saves must pay for the threads that meet in it.

docs/predict.md has the rule. A small graph costs less than that meeting, and a convolution computes each
example for itself. What gains is what reads many weights for each example.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from numpy.typing import NDArray

from knoll.records.signature import Signature
from knoll.shared_runs import SharedRuns
from knoll.trainer.graph import open_graph
from knoll.trainer.race import FASTER, race

__all__ = ["shares_runs"]

_CLIENTS, _EACH = 4, 2  # that ask at once, and how often in a run of the race
_LONGEST = 0.02  # seconds of CPU for one example


def shares_runs(
    body: bytes,
    signature: Signature,
    samples: Sequence[NDArray[Any]],
    threads: int,
    say: Callable[[str], None],
) -> bool:
    """Race both ways to answer clients that ask at once, by the CPU time of the process. `samples` are inputs
    (B, ...) of the graph. A graph that takes long for one example is not tried."""
    names = [one.name for one in signature.outputs]
    columns = [one.name for one in signature.inputs]
    graph, example = (
        open_graph(body, threads=threads),
        {name: column[:1] for name, column in zip(columns, samples, strict=True)},
    )

    def run(inputs: Any) -> dict[str, NDArray[Any]]:
        return dict(zip(names, graph([inputs[name] for name in columns]), strict=True))

    run(example)
    if _cpu(lambda: run(example)) > _LONGEST:
        return False
    shared = SharedRuns(run, lambda: _CLIENTS)
    with ThreadPoolExecutor(_CLIENTS) as pool:

        def ask(act: Callable[[Any], object]) -> None:
            list(pool.map(lambda _: [act(example) for _ in range(_EACH)], range(_CLIENTS)))

        found = race(lambda: ask(run), lambda: ask(shared.run), time.process_time)
    say(f"shared runs: {found.ratio:.2f} of the CPU time, {found.bound:.2f} at most")
    return found.bound < FASTER


def _cpu(act: Callable[[], object]) -> float:
    began = time.process_time()
    act()
    return time.process_time() - began
