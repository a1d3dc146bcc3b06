"""Dead channels are taken out of a graph: those whose weights are all zero, so that they are zero up to the
next layer, and change nothing there.

A layer can be shrunk if only operations follow it that keep a zero a zero, one after the other, up to a layer
that multiplies the channels with weights. What has other shapes stays as it is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

__all__ = ["Chain", "chains", "shrink"]

_KEEPS_ZERO = ("Relu", "LeakyRelu", "MaxPool", "AveragePool", "GlobalAveragePool", "Identity", "Dropout")
_OUT = {"Conv": 0, "ConvTranspose": 1}  # the axis of the weights that has a layer's own channels
_NORM = "BatchNormalization"

_Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Chain:
    """A layer, the batch norms behind it, the shape to which it is flattened, if it is, and the layer that
    takes its channels."""

    layer: NodeProto
    norms: tuple[NodeProto, ...]
    flat: NodeProto | None
    taker: NodeProto

    @property
    def weight(self) -> str:
        """The name of the layer's weights."""
        return str(self.layer.input[1])

    def is_alive(self, arrays: _Arrays) -> NDArray[np.bool_]:
        """Which channels are not zero. One stays alive in any case."""
        weight, axis = arrays[self.weight], _axis(self.layer, own=True)
        rows = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1)
        parts = [rows, *(arrays[one][:, None] for one in self.layer.input[2:3])]
        parts += [arrays[one][:, None] for norm in self.norms for one in norm.input[1:3]]
        alive: NDArray[np.bool_] = np.any([(one != 0).any(1) for one in parts], axis=0)
        alive[0] |= not alive.any()
        return alive


def chains(graph: onnx.GraphProto) -> Iterator[Chain]:
    """The layers that can be shrunk, in their order."""
    arrays = _arrays(graph)
    readers: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    ends = {one.name for one in graph.output}
    for node in graph.node:
        if _is_layer(node, arrays) and (found := _follow(node, readers, ends, arrays)):
            yield found


def shrink(body: bytes) -> bytes:
    """The graph without its dead channels."""
    model = onnx.load_model_from_string(body)
    graph, arrays = model.graph, dict(_arrays(model.graph))
    for chain in list(chains(graph)):
        alive = chain.is_alive(arrays)
        if alive.all():
            continue
        for node, numbers, axis, kept in _cuts(chain, alive, arrays):
            for number in numbers:
                _replace(node, number, np.compress(kept, arrays[node.input[number]], axis), arrays)
        if chain.flat is not None:
            _replace(chain.flat, 1, np.array([-1, arrays[chain.taker.input[1]].shape[_taken(chain)]]), arrays)
    used = {name for node in graph.node for name in node.input}
    del graph.initializer[:], graph.value_info[:]
    graph.initializer.extend(numpy_helper.from_array(arrays[one], one) for one in arrays if one in used)
    made: bytes = model.SerializeToString()
    return made


def _cuts(
    chain: Chain, alive: NDArray[np.bool_], arrays: _Arrays
) -> Iterator[tuple[NodeProto, range, int, NDArray[np.bool_]]]:
    """Of which node which inputs lose what along which axis."""
    layer, taker = chain.layer, chain.taker
    yield layer, range(1, 2), _axis(layer, own=True), alive
    yield layer, range(2, len(layer.input)), 0, alive
    for norm in chain.norms:
        yield norm, range(1, 5), 0, alive
    features = arrays[taker.input[1]].shape[_taken(chain)] // len(
        alive
    )  # of each channel, if it is flattened
    yield taker, range(1, 2), _taken(chain), np.repeat(alive, features)


def _taken(chain: Chain) -> int:
    """The axis of the taker's weights that has the channels of the layer."""
    return _axis(chain.taker, own=False)


def _replace(node: NodeProto, number: int, value: NDArray[Any], arrays: dict[str, NDArray[Any]]) -> None:
    """Give the node an array of its own: others may read the one that it had."""
    name = f"{node.input[number]}_{node.output[0]}_{len(arrays)}"
    arrays[name] = value
    node.input[number] = name


def _arrays(graph: onnx.GraphProto) -> dict[str, NDArray[Any]]:
    return {one.name: numpy_helper.to_array(one) for one in graph.initializer}


def _is_layer(node: NodeProto, arrays: _Arrays) -> bool:
    """Whether it multiplies all channels with constant weights."""
    options = _options(node)
    if node.op_type == "Gemm":
        is_plain = options.get("alpha", 1) == options.get("beta", 1) == 1 and not options.get("transA")
    else:
        is_plain = node.op_type in _OUT and options.get("group", 1) == 1
    return is_plain and all(one in arrays for one in node.input[1:])


def _follow(
    layer: NodeProto, readers: Mapping[str, list[NodeProto]], ends: set[str], arrays: _Arrays
) -> Chain | None:
    """The chain that begins with the layer; None if something else takes its channels."""
    value, norms, flat = layer.output[0], list[NodeProto](), None
    while value not in ends and len(readers.get(value, [])) == 1:
        (node,) = readers[value]
        if node.input[0] != value:
            return None
        if _is_layer(node, arrays):
            fits = node.op_type == "Gemm" or flat is None
            return Chain(layer, tuple(norms), flat, node) if fits else None
        if node.op_type == _NORM and all(one in arrays for one in node.input[1:]):
            norms.append(node)
        elif node.op_type == "Reshape" and flat is None and _flattens(layer, node, arrays):
            flat = node
        elif node.op_type not in _KEEPS_ZERO and not (node.op_type == "Slice" and _spares(node, arrays)):
            return None
        value = node.output[0]
    return None


def _flattens(layer: NodeProto, node: NodeProto, arrays: _Arrays) -> bool:
    """Whether it makes one row of all channels of an example."""
    return layer.op_type in _OUT and node.input[1] in arrays and len(arrays[node.input[1]]) == 2


def _spares(node: NodeProto, arrays: _Arrays) -> bool:
    """Whether a slice takes nothing from the channels."""
    return len(node.input) > 3 and node.input[3] in arrays and not {1, -3} & {*arrays[node.input[3]].tolist()}


def _axis(node: NodeProto, *, own: bool) -> int:
    """The axis of its weights that has the layer's own channels, or those that it takes."""
    out = _OUT.get(node.op_type, 0 if _options(node).get("transB") else 1)
    return out if own else 1 - out


def _options(node: NodeProto) -> dict[str, Any]:
    return {one.name: helper.get_attribute_value(one) for one in node.attribute}
