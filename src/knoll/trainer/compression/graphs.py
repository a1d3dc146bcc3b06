"""The graphs that are the exported one with other numbers."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from platform import machine
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.transformers.float16 import convert_float_to_float16

from knoll.errors import Rejected
from knoll.trainer.compression.subject import Subject

__all__ = ["computes_fp16", "fp16", "int8", "int8_weights"]

# The runtime multiplies 8-bit integers in the first three, and hands integers on in the others. It has no
# such kernel for transposed convolutions, and a softmax in 256 steps would round small probabilities to 0.
_INTEGER = ("Conv", "Gemm", "MatMul")
_PASSING = ("Relu", "LeakyRelu", "MaxPool", "AveragePool", "GlobalAveragePool", "Add", "Reshape", "Flatten")
_AT_ONCE = 16  # examples
_BLOCK = 32  # weights with one scale


def fp16(subject: Subject) -> bytes:
    """All weights and numbers in 16 bits; requests and answers keep 32. Raises Rejected where that would only
    be slower."""
    if not computes_fp16(machine(), _features()):
        raise Rejected("this CPU does not compute in fp16: the runtime would convert each number twice")
    model = convert_float_to_float16(onnx.load_model_from_string(subject.graph), keep_io_types=True)
    return _checked(model)


def int8(subject: Subject) -> bytes:
    """Weights and numbers as 8-bit integers, whose ranges are those that training examples have had."""
    model, columns = onnx.load_model_from_string(subject.graph), subject.calibration
    names = [one.name for one in subject.export.signature.inputs]
    inputs = dict(zip(names, (one.numpy() for one in columns), strict=True))
    with TemporaryDirectory() as folder:
        path = Path(folder, "int8.onnx")
        quantize_static(
            model,
            path,
            _Rows(inputs),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=[*_INTEGER, *_PASSING],
            per_channel=True,
            reduce_range=True,  # 7 bits of weights: without VNNI a sum of two products of 8 would overflow
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        made = onnx.load(path)
    return _checked(made, "QuantizeLinear")


def int8_weights(subject: Subject) -> bytes:
    """The weights of matrix products as 8-bit integers, 32 of them with one scale; numbers stay floats. For
    convolutions the runtime has no such kernel."""
    model = onnx.load_model_from_string(subject.graph)
    _split_gemms(model.graph)
    quantizer = MatMulNBitsQuantizer(model, bits=8, block_size=_BLOCK, is_symmetric=True, accuracy_level=4)
    quantizer.process()
    return _checked(quantizer.model.model, "MatMulNBits")


def computes_fp16(machine: str, features: str) -> bool:
    """Whether the runtime's kernels compute in fp16 on this CPU: on ARM with that extension. `features` are
    the flags that Linux names."""
    return machine in ("aarch64", "arm64") and "asimdhp" in features.split()


def _features() -> str:
    """The flags of the CPU, as Linux names them; "" elsewhere."""
    with suppress(OSError):
        return Path("/proc/cpuinfo").read_text()
    return ""


class _Rows(CalibrationDataReader):  # type: ignore[misc]
    """Hands a few rows of all inputs at a time to the runtime."""

    def __init__(self, inputs: Mapping[str, NDArray[Any]]) -> None:
        count = len(next(iter(inputs.values())))
        self._parts = (
            {name: column[start : start + _AT_ONCE] for name, column in inputs.items()}
            for start in range(0, count, _AT_ONCE)
        )

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """The next rows; None behind the last ones."""
        return next(self._parts, None)


def _checked(model: onnx.ModelProto, operation: str = "") -> bytes:
    """The bytes of the model. Raises Rejected if it has no such operation."""
    if operation and not any(node.op_type == operation for node in model.graph.node):
        raise Rejected("it has no operation that this would make smaller")
    body: bytes = model.SerializeToString()
    return body


def _split_gemms(graph: onnx.GraphProto) -> None:
    """Write each dense layer as a product with a constant matrix and a sum."""
    constants = {one.name: one for one in graph.initializer}
    nodes = [part for node in graph.node for part in _split(node, constants, graph)]
    del graph.node[:]
    graph.node.extend(nodes)


def _split(
    node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto], graph: onnx.GraphProto
) -> Iterator[onnx.NodeProto]:
    options = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
    is_plain = options.get("alpha", 1) == options.get("beta", 1) == 1 and not options.get("transA")
    if node.op_type != "Gemm" or not is_plain or node.input[1] not in constants:
        yield node
        return
    matrix = numpy_helper.to_array(constants[node.input[1]])
    name, (answer,) = f"{node.input[1]}_{node.output[0]}", node.output
    turned = np.ascontiguousarray(matrix.T if options.get("transB") else matrix)
    graph.initializer.append(numpy_helper.from_array(turned, name))
    has_bias = len(node.input) > 2
    product = f"{answer}_product" if has_bias else answer
    yield onnx.helper.make_node("MatMul", [node.input[0], name], [product], name=name)
    if has_bias:
        yield onnx.helper.make_node("Add", [product, node.input[2]], [answer], name=f"{name}_sum")
