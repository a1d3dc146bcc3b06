"""The graph that is served: exported to ONNX, checked, and compared with its network.

The metrics are those of the network. If the graph gave other answers, they would be wrong for the version
that is served.
"""

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx_ir.passes.common import NameFixPass

from knoll.errors import Rejected
from knoll.families.base import Batch, Export, ServedGraph
from knoll.records.signature import Signature

__all__ = ["ExportedGraph", "RunGraph", "export_graph", "open_graph", "run_graph", "serve_graph"]

RunGraph = Callable[[list[NDArray[Any]]], list[NDArray[Any]]]

_RELATIVE, _ABSOLUTE = 1e-3, 1e-4
_OPSET = 20  # of ONNX, whichever one torch prefers


@dataclass(frozen=True)
class ExportedGraph:
    """The ONNX model, which takes any batch size, and its outputs for the samples. `parity` says by how much
    they differ from those of the network at most, by output."""

    body: bytes
    outputs: Sequence[NDArray[Any]]
    parity: Mapping[str, float]


def export_graph(export: Export, *, threads: int = 0) -> ExportedGraph:
    """The graph of the network. Raises Rejected if it answers the samples otherwise."""
    parity, body = dict[str, float](), _to_onnx(export)
    onnx.checker.check_model(onnx.load_model_from_string(body), full_check=True)
    answers = run_graph(body, [column.numpy() for column in export.sample_inputs], threads=threads)
    with torch.no_grad():
        wanted = export.module(*export.sample_inputs)
    for tensor, answer, want in zip(
        export.signature.outputs, answers, wanted if isinstance(wanted, tuple) else (wanted,), strict=True
    ):
        expected = want.detach().numpy()  # a view of a parameter wants a gradient even here
        parity[tensor.name] = float(np.abs(answer - expected).max())
        if not np.allclose(answer, expected, rtol=_RELATIVE, atol=_ABSOLUTE):
            apart = parity[tensor.name]
            raise Rejected(
                f"the exported graph differs from the network: output {tensor.name} by {apart:.2g}",
                fix="report this as a fault of knoll",
            )
    return ExportedGraph(body, answers, parity)


def run_graph(body: bytes, inputs: list[NDArray[Any]], *, threads: int = 0) -> list[NDArray[Any]]:
    """The outputs for these inputs: see `open_graph`."""
    return open_graph(body, threads=threads)(inputs)


def open_graph(body: bytes, *, threads: int = 0) -> RunGraph:
    """A function from inputs (B, ...) to outputs (B, ...), both in the order of the signature. With `threads`
    0 it uses all cores."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # as in the predictor
    session = onnxruntime.InferenceSession(body, options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]

    def run(inputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
        outputs: list[NDArray[Any]] = session.run(None, dict(zip(names, inputs, strict=True)))
        return outputs

    return run


def serve_graph(signature: Signature, body: bytes, *, threads: int = 0) -> ServedGraph:
    """The graph as a family scores it."""
    run = open_graph(body, threads=threads)

    def answer(batch: Batch) -> Batch:
        return tuple(map(torch.from_numpy, run([column.numpy() for column in batch])))

    return ServedGraph(signature, answer)


def _to_onnx(export: Export) -> bytes:
    batch = torch.export.Dim("batch")
    # It would warn that torchvision is missing, which is not needed here.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            export.module,
            _at_least_two(export.sample_inputs),
            dynamo=True,
            external_data=False,
            verbose=False,
            opset_version=_OPSET,
            input_names=[tensor.name for tensor in export.signature.inputs],
            output_names=[tensor.name for tensor in export.signature.outputs],
            dynamic_shapes=tuple({0: batch} for _ in export.sample_inputs),
        )
    assert program is not None
    NameFixPass()(program.model)  # values inside of it may have the names of its inputs and outputs
    body: bytes = program.model_proto.SerializeToString()
    return body


def _at_least_two(columns: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """Repeat single rows: torch.export takes a dimension of one for a constant."""
    return tuple(
        column if len(column) > 1 else column.repeat(2, *[1] * (column.dim() - 1)) for column in columns
    )
