"""What a predictor costs beside a stock kserve model server: its start, and an answer.

Both serve the same graphs in ONNX Runtime, from the same environment, and take turns. A start lasts from the
spawn of the process to its first right answer. After that, clients ask by V2, in JSON and with binary tensors
both ways, one and four at a time. The CPU is that of the server.
"""

import argparse
import http.client
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from results import Goal, Measured, show_table
from serving_place import CELLS, OURS, STOCK, Cell, Process, serving, write_versions

from knoll.headers import LENGTH_OF_JSON

_SERVERS = (OURS, STOCK)
_FORMS = ("JSON", "binary")
_AT_ONCE = (1, 4)
_WITHIN = 120.0  # seconds for a start
_WARM = 20  # requests before the first round
# the goals
_START, _START_RATIO = 0.6, 0.5
_TIMES = {
    ("tabular", "JSON"): 0.7,
    ("tabular", "binary"): 0.7,
    ("picture", "JSON"): 0.5,
    ("picture", "binary"): 0.35,
}


@dataclass(frozen=True)
class Row:
    """What is asked: of which cell, in which form, by how many clients."""

    cell: Cell
    form: str
    at_once: int

    @property
    def name(self) -> str:
        """As the table shows it."""
        clients = "1 client" if self.at_once == 1 else f"{self.at_once} clients"
        return f"{self.cell.model}, {self.form}, {clients}"


@dataclass(frozen=True)
class Round:
    """Seconds of a row in one round: of each answer, and of the server's CPU for one."""

    answers: Sequence[float]
    cpu: float


def ask(connection: http.client.HTTPConnection, cell: Cell, form: str, example: Any) -> Any:
    """The output for one example, float32."""
    shown: dict[str, Any] = {"name": "x", "shape": list(example.shape), "datatype": "FP32"}
    headers, tail = {"content-type": "application/json"}, b""
    if form == "binary":
        tail = example.tobytes()
        shown |= {"parameters": {"binary_data_size": len(tail)}}
        body = json.dumps({"inputs": [shown], "parameters": {"binary_data_output": True}}).encode()
        headers = {"content-type": "application/octet-stream", LENGTH_OF_JSON: str(len(body))}
    else:
        body = json.dumps({"inputs": [{**shown, "data": example.ravel().tolist()}]}).encode()
    connection.request("POST", f"/v2/models/{cell.model}/infer", body + tail, headers)
    answer = connection.getresponse()
    found = answer.read()
    if answer.status != 200:
        sys.exit(f"Error: HTTP {answer.status}: {found[:300]!r}")
    if form == "binary":
        return np.frombuffer(found[int(answer.headers[LENGTH_OF_JSON]) :], np.float32)
    return np.asarray(json.loads(found)["outputs"][0]["data"], np.float32)


def first_answer(process: Process, cell: Cell) -> Any:
    """The first answer of a server that perhaps does not listen yet."""
    until = time.monotonic() + _WITHIN
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=60)
        try:
            return ask(connection, cell, "JSON", cell.example)
        except OSError:
            if process.started.poll() is not None or time.monotonic() > until:
                sys.exit("Error: a server does not answer")
            time.sleep(0.005)
        finally:
            connection.close()


def starts(server: str, cell: Cell, folder: Path) -> tuple[float, float]:
    """Seconds from the spawn to the first right answer, and the CPU of it."""
    began = time.perf_counter()
    with serving(server, cell, folder) as process:
        found = first_answer(process, cell)
        took, cpu = time.perf_counter() - began, process.cpu
    if not np.allclose(found, cell.example.ravel()):
        sys.exit(f"Error: {server} answers something else")
    return took, cpu


def measure(process: Process, row: Row, requests: int) -> Round:
    """Ask so often, in so many threads, over connections that are kept."""
    example, before = row.cell.example, process.cpu

    def client(_: int) -> list[float]:
        connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=60)
        took: list[float] = []
        for _ in range(requests // row.at_once):
            began = time.perf_counter()
            ask(connection, row.cell, row.form, example)
            took.append(time.perf_counter() - began)
        connection.close()
        return took

    with ThreadPoolExecutor(row.at_once) as pool:
        answers = [one for each in pool.map(client, range(row.at_once)) for one in each]
    return Round(answers, (process.cpu - before) / len(answers))


def answers(
    rows: Sequence[Row], folder: Path, rounds: int, requests: int
) -> dict[tuple[Row, str], list[Round]]:
    """The rounds of each row and server. The servers take turns, and must give equal answers."""
    found: dict[tuple[Row, str], list[Round]] = {key: [] for key in product(rows, _SERVERS)}
    for cell in CELLS:
        with ExitStack() as stack:
            processes = {one: stack.enter_context(serving(one, cell, folder)) for one in _SERVERS}
            first = [first_answer(one, cell) for one in processes.values()]
            if not np.allclose(first[0], first[1], atol=1e-5):
                sys.exit("Error: the servers answer differently")
            mine = [row for row in rows if row.cell is cell]
            for row, server in product(mine, _SERVERS):
                measure(processes[server], row, _WARM)
            for _, row, server in product(range(rounds), mine, _SERVERS):
                found[row, server].append(measure(processes[server], row, requests))
    return found


def goals(
    started: dict[str, list[tuple[float, float]]],
    found: dict[tuple[Row, str], list[Round]],
    rows: Sequence[Row],
) -> list[Goal]:
    """Ratios are taken within a round, so that a machine that is busy meanwhile slows both servers down."""
    pairs = [*zip(started[OURS], started[STOCK], strict=True)]
    made = [
        Goal("seconds from spawn to the first right answer", median(one[0] for one in started[OURS]), _START),
        Goal("the same, to that of stock kserve", median(a[0] / b[0] for a, b in pairs), _START_RATIO),
        Goal("CPU of a start, to that of stock kserve", median(a[1] / b[1] for a, b in pairs), _START_RATIO),
    ]
    for row in rows:
        beside = [*zip(found[row, OURS], found[row, STOCK], strict=True)]
        most = _TIMES[row.cell.model, row.form]
        ratio = median(median(a.answers) / median(b.answers) for a, b in beside)
        cpu = sum(a.cpu for a, _ in beside) / max(sum(b.cpu for _, b in beside), 1e-9)
        made += [Goal(f"time of an answer, to stock: {row.name}", ratio, most)]
        made += [Goal(f"CPU of an answer, to stock: {row.name}", cpu, most)]
    return made


def main() -> None:
    """Measure, and exit with 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=10, help="starts of each server")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=400, help="in each round")
    given = parser.parse_args()
    rows = [Row(cell, form, at_once) for cell in CELLS for form in _FORMS for at_once in _AT_ONCE]
    started: dict[str, list[tuple[float, float]]] = {one: [] for one in _SERVERS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_versions(folder)
        for _, server in product(range(given.starts), _SERVERS):
            started[server].append(starts(server, CELLS[0], folder))
        found = answers(rows, folder, given.rounds, given.requests)
    measured = [
        Measured(f"{what}: {server}", tuple(one[place] for one in started[server]))
        for place, what in enumerate(("start", "CPU of a start"))
        for server in _SERVERS
    ]
    for row, server in product(rows, _SERVERS):
        every = tuple(one for each in found[row, server] for one in each.answers)
        measured.append(Measured(f"{row.name}: {server}", every))
    reached = goals(started, found, rows)
    show_table(measured, reached)
    sys.exit(int(not all(one.is_met for one in reached)))


if __name__ == "__main__":
    main()
