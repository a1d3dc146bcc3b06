"""ONNX graphs of versions that answer badly, made of a graph that answers well; and a small one that does.

Each altered graph has the inputs and outputs of the one before: `signature.json` fits both.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

__all__ = ["classifier", "failing", "permuted", "slowed"]

_SIDE = 96  # of the matrices that a slow graph multiplies
_MARK = 0.9  # the first value of an example from which on a failing graph fails
_SURE = 12.0  # how far apart the scores of two labels are


def classifier(labels: int, side: int) -> bytes:
    """A graph for grey pictures of side × side pixels: label `n` has its bright pixels in the lines behind
    line 1 + 2n. More than (side - 1) / 2 labels have no place."""
    weights = np.zeros((side, side, labels), np.float32)
    for number in range(labels):
        weights[1 + 2 * number : 3 + 2 * number, :, number] = _SURE / (2 * side)
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, side, side])
    answer = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", labels])
    constants = [numpy_helper.from_array(weights.reshape(-1, labels), "weights")]
    graph = helper.make_graph(nodes, "bright-lines", [image], [answer], constants)
    made: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9
    ).SerializeToString()
    return made


def permuted(body: bytes) -> bytes:
    """Each probability in the place of the label behind its own; that of the last label in the first."""
    model = onnx.load_model_from_string(body)
    output = model.graph.output[0]
    labels = output.type.tensor_type.shape.dim[1].dim_value
    order = np.roll(np.arange(labels, dtype=np.int64), 1)
    nodes = [helper.make_node("Gather", ["added_before", "added_order"], [output.name], axis=1)]
    return _with(model, nodes, {"added_order": order})


def failing(body: bytes) -> bytes:
    """A graph that cannot be run for an example whose first value is at least .9: it then reads an entry
    behind the end of a list of one."""
    model = onnx.load_model_from_string(body)
    constants: dict[str, NDArray[Any]] = {
        "added_rows": np.asarray([0, -1], np.int64),
        "added_first": np.asarray(0, np.int64),
        "added_mark": np.asarray(_MARK, np.float32),
        "added_list": np.zeros(1, np.float32),
    }
    nodes = [
        helper.make_node("Reshape", [model.graph.input[0].name, "added_rows"], ["added_values"]),
        helper.make_node("Gather", ["added_values", "added_first"], ["added_firsts"], axis=1),
        helper.make_node("Greater", ["added_firsts", "added_mark"], ["added_are_marked"]),
        helper.make_node("Cast", ["added_are_marked"], ["added_marks"], to=TensorProto.INT32),
        helper.make_node("ReduceMax", ["added_marks"], ["added_most"], keepdims=0),
        helper.make_node("Gather", ["added_list", "added_most"], ["added_entry"]),
        helper.make_node("Add", ["added_before", "added_entry"], [model.graph.output[0].name]),
    ]
    return _with(model, nodes, constants)


def slowed(body: bytes, steps: int) -> bytes:
    """A graph with the same answers, which multiplies so many matrices first."""
    model = onnx.load_model_from_string(body)
    constants: dict[str, NDArray[Any]] = {
        "added_square": np.eye(_SIDE, dtype=np.float32),
        "added_none": np.asarray(0, np.float32),
    }
    nodes = [
        helper.make_node("ReduceMean", [model.graph.input[0].name], ["added_mean"], keepdims=0),
        helper.make_node("Add", ["added_square", "added_mean"], ["added_step0"]),
        *(
            helper.make_node("MatMul", [f"added_step{number}", "added_square"], [f"added_step{number + 1}"])
            for number in range(steps)
        ),
        helper.make_node("ReduceMean", [f"added_step{steps}"], ["added_end"], keepdims=0),
        helper.make_node("Mul", ["added_end", "added_none"], ["added_nothing"]),
        helper.make_node("Add", ["added_before", "added_nothing"], [model.graph.output[0].name]),
    ]
    return _with(model, nodes, constants)


def _with(
    model: onnx.ModelProto,
    nodes: Sequence[onnx.NodeProto],
    constants: Mapping[str, NDArray[Any]],
) -> bytes:
    """The model with further nodes. What was its output is called `added_before` in them."""
    output = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = ["added_before" if name == output else name for name in node.output]
        node.input[:] = ["added_before" if name == output else name for name in node.input]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(numpy_helper.from_array(one, name) for name, one in constants.items())
    onnx.checker.check_model(model, full_check=True)
    made: bytes = model.SerializeToString()
    return made
