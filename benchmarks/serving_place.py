"""What is served when predictors are measured: two small versions, as files of knoll, and two servers for
them, as processes.

`tabular` answers with its 16 numbers; so it shows what a server costs. `picture` sorts a picture of 56 x 56
pixels into ten classes, with one convolution.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from knoll.records.manifest import Manifest, entry_of

__all__ = ["CELLS", "OURS", "STOCK", "Cell", "Process", "serving", "write_versions"]

OURS, STOCK = "knoll", "stock kserve"
_SCRIPT = Path(__file__).with_name("serving_stock.py")
_SIDE, _LABELS = 56, [f"c{number}" for number in range(10)]


@dataclass(frozen=True, eq=False)
class Cell:
    """A model with one input, and the graph that both servers run. `codec` and `options` are for knoll's
    signature."""

    model: str
    shape: tuple[int, ...]
    outputs: int
    nodes: Sequence[Any]
    constants: Mapping[str, Any] = field(default_factory=dict)
    codec: str = "tensor"
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def example(self) -> Any:
        """An input for one request, float32 of 1 and the shape."""
        return np.random.default_rng(1).random((1, *self.shape), np.float32)

    def graph(self) -> bytes:
        """The ONNX model."""
        given, answer = ([None, *side] for side in (self.shape, (self.outputs,)))
        graph = helper.make_graph(
            list(self.nodes),
            self.model,
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, given)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, answer)],
            [numpy_helper.from_array(value, name) for name, value in self.constants.items()],
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        found: bytes = made.SerializeToString()
        return found


def _picture() -> Cell:
    chance = np.random.default_rng(0)
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["seen"], strides=[4, 4]),
        helper.make_node("Relu", ["seen"], ["lit"]),
        helper.make_node("GlobalAveragePool", ["lit"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["y"]),
    ]
    constants = {
        "kernel": chance.normal(size=(8, 3, 5, 5)).astype(np.float32),
        "weights": chance.normal(size=(8, len(_LABELS))).astype(np.float32),
    }
    options = {"mode": "RGB", "width": _SIDE, "height": _SIDE}
    return Cell("picture", (3, _SIDE, _SIDE), len(_LABELS), nodes, constants, "image", options)


CELLS = (Cell("tabular", (16,), 16, [helper.make_node("Identity", ["x"], ["y"])]), _picture())


def write_versions(folder: Path) -> None:
    """The files of a version of each cell, in a folder with the name of its model."""
    for cell in CELLS:
        place = folder / cell.model
        place.mkdir()
        given = _tensor("x", cell.shape, cell.codec, cell.options)
        is_sorted = cell.codec == "image"
        answer = _tensor(
            "y",
            (cell.outputs,),
            "classes" if is_sorted else "tensor",
            {"labels": _LABELS} if is_sorted else {},
        )
        files = {
            "model.onnx": cell.graph(),
            "model.safetensors": b"",
            "signature.json": json.dumps({"inputs": [given], "outputs": [answer]}).encode(),
            "samples.json": b"[]",
            "README.md": b"",
        }
        entries = {name: entry_of(body) for name, body in files.items()}
        manifest = Manifest(
            cell.model, "v000001", "tiny", "run", "0" * 64, {}, {}, "2026-01-01T00:00:00Z", "", entries
        )
        for name, body in {**files, "manifest.json": manifest.encode()}.items():
            (place / name).write_bytes(body)


def _tensor(name: str, shape: Sequence[int], codec: str, options: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "datatype": "FP32", "shape": [-1, *shape], "codec": codec, "options": options}


@dataclass(frozen=True)
class Process:
    """A server that was started, and its port. Perhaps it does not listen yet."""

    started: "subprocess.Popen[bytes]"
    port: int

    @property
    def cpu(self) -> float:
        """The seconds of CPU that it has taken, in steps of 10 ms: proc_pid_stat(5)."""
        fields = Path(f"/proc/{self.started.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(server: str, cell: Cell, folder: Path) -> Iterator[Process]:
    """A server of one cell, until the block is left. It has one thread for the graph."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    place = folder / cell.model
    ours = ["-m", "knoll.wiring.predictor", "--model", cell.model, "--model-dir", str(place)]
    stock = [str(_SCRIPT), cell.model, str(place / "model.onnx"), str(port)]
    environment = {**os.environ, "PORT": str(port), "KNOLL_THREADS": "1"}
    command = [sys.executable, *(ours if server == OURS else stock)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield Process(process, port)
    finally:
        process.terminate()
        process.wait()
