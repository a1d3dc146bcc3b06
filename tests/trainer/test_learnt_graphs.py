"""Graphs that learn on: pruned ones lose whole channels, distilled ones are of a narrower network."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from knoll.errors import Rejected
from knoll.families.base import LearningPart
from knoll.families.image.family import ImageClassifier
from knoll.records.manifest import GRAPH
from knoll.trainer.compression import trial
from knoll.trainer.compression.shrinking import chains, shrink
from knoll.trainer.graph import run_graph
from trainer.test_compression import asked, fixed, made_version

RANDOM = np.random.default_rng(0)
IMAGE = RANDOM.standard_normal((2, 3, 6, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def some(digits: dict[str, bytes]) -> dict[str, bytes]:
    return dict([one for one in digits.items() if one[0][0] in "01"][::3])


def numbers(*shape: int) -> NDArray[np.float32]:
    return RANDOM.standard_normal(shape).astype(np.float32)


def model(nodes: list[onnx.NodeProto], arrays: dict[str, NDArray[Any]], *, features: int) -> bytes:
    """A graph from pictures to `features` numbers, with these nodes."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 6, 6])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["batch", features])],
        [numpy_helper.from_array(value, name) for name, value in arrays.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(made)
    body: bytes = made.SerializeToString()
    return body


def layered() -> tuple[bytes, dict[str, NDArray[Any]]]:
    """A convolution with a batch norm, a transposed one, and two dense layers, each with dead channels."""
    arrays: dict[str, NDArray[Any]] = {
        "w0": numbers(8, 3, 3, 3),
        "scale": numbers(8),
        "shift": numbers(8),
        "mean": numbers(8),
        "var": np.abs(numbers(8)),
        "w1": numbers(8, 6, 2, 2),
        "b1": numbers(6),
        "flat": np.array([-1, 6 * 9]),
        "w2": numbers(10, 6 * 9),
        "b2": numbers(10),
        "w3": numbers(4, 10),
        **{name: np.array([value]) for name, value in (("from", 0), ("to", -1), ("rows", 2), ("by", 1))},
    }
    for name in ("w0", "scale", "shift"):
        arrays[name][[1, 4, 5]] = 0
    arrays["w1"][:, [0, 3]] = 0
    arrays["b1"][[0, 3]] = 0
    arrays["w2"][2:7], arrays["b2"][2:7] = 0, 0
    nodes = [
        helper.make_node("Conv", ["image", "w0"], ["a"]),
        helper.make_node("BatchNormalization", ["a", "scale", "shift", "mean", "var"], ["b"]),
        helper.make_node("LeakyRelu", ["b"], ["c"]),
        helper.make_node("ConvTranspose", ["c", "w1", "b1"], ["d"], pads=[0, 0, 1, 0]),
        helper.make_node("Slice", ["d", "from", "to", "three", "by"], ["e"]),
        helper.make_node("MaxPool", ["e"], ["f"], kernel_shape=[2, 2]),
        helper.make_node("Reshape", ["f", "flat"], ["g"]),
        helper.make_node("Gemm", ["g", "w2", "b2"], ["h"], transB=1),
        helper.make_node("Relu", ["h"], ["i"]),
        helper.make_node("Gemm", ["i", "w3"], ["answer"], transB=1),
    ]
    arrays["three"] = np.array([3])
    del arrays["rows"]
    return model(nodes, arrays, features=4), arrays


def test_dead_channels_are_taken_out_and_the_answers_stay() -> None:
    body, arrays = layered()
    small = shrink(body)
    shapes = {tuple(one.dims) for one in onnx.load_model_from_string(small).graph.initializer}
    assert {(5, 3, 3, 3), (5,), (5, 4, 2, 2), (4,), (5, 36), (4, 5)} <= shapes
    assert arrays["w0"].shape not in shapes
    assert len(small) < len(body)
    (before,), (after,) = (run_graph(one, [IMAGE], threads=1) for one in (body, small))
    assert np.allclose(before, after, atol=1e-5)
    assert shrink(small) == shrink(shrink(small))


def test_a_layer_whose_channels_something_else_takes_stays_as_it_is() -> None:
    """Here a sigmoid makes a half of zero, and a sum takes the channels of two layers."""
    arrays: dict[str, NDArray[Any]] = {
        name: numbers(*shape)
        for name, shape in (
            ("w0", (8, 3, 3, 3)),
            ("w1", (8, 8, 1, 1)),
            ("w2", (8, 8, 1, 1)),
            ("w3", (2, 128)),
        )
    }
    for name in ("w0", "w1", "w2"):
        arrays[name][:4] = 0
    nodes = [
        helper.make_node("Conv", ["image", "w0"], ["a"]),
        helper.make_node("Sigmoid", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w1"], ["c"]),
        helper.make_node("Conv", ["c", "w2"], ["d"]),
        helper.make_node("Add", ["c", "d"], ["e"]),
        helper.make_node("Flatten", ["e"], ["f"]),
        helper.make_node("Gemm", ["f", "w3"], ["answer"], transB=1),
    ]
    body = model(nodes, arrays, features=2)
    assert list(chains(onnx.load_model_from_string(body).graph)) == []
    (before,), (after,) = (run_graph(one, [IMAGE], threads=1) for one in (body, shrink(body)))
    assert np.array_equal(before, after)


def test_a_pruned_and_a_distilled_graph_are_smaller_and_can_be_served(
    some: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both still know the two classes, the distilled one has won, and the champion, which is asked for as
    another teacher, does not exist."""
    monkeypatch.setattr(trial, "race", fixed(0.5))
    asks = {
        "candidates": ["pruned", "distilled"],
        "maxLoss": 0.3,
        "pruning": {"share": 0.5, "epochs": 2},
        "distillation": {"epochs": 4},
    }
    manifest, record, files = made_version(asked(tmp_path, some, asks))
    rows = {one.name: one for one in record.graphs}
    sizes = {name: one.size or 0 for name, one in rows.items()}
    assert 0 < sizes["pruned"] < 0.6 * sizes["fp32"]
    assert 0 < sizes["distilled"] < 0.6 * sizes["fp32"]
    assert min(one.quality or 0 for one in rows.values()) > 0.7
    assert record.served == "distilled"
    assert len(files[GRAPH]) == sizes["distilled"]
    assert manifest.metrics["accuracy"] == rows["distilled"].quality


def test_only_a_family_with_a_narrower_network_is_distilled() -> None:
    family = ImageClassifier()
    widths = [family.configure({"width": width}) for width in (16, 9, 4)]
    narrower = [family.narrower(one) for one in widths]
    assert [one and one.width for one in narrower] == [8, 4, None]
    assert LearningPart.narrower(family, widths[0]) is None


def test_an_imitation_costs_least_if_the_answers_are_those_of_the_teacher() -> None:
    """Probabilities by their cross-entropy, numbers of other families by their squared error."""
    wanted, other = torch.tensor([[0.9, 0.1]]), torch.tensor([[0.2, 0.8]])
    family = ImageClassifier()
    assert family.imitation((wanted,), (wanted,)) < family.imitation((other,), (wanted,))
    assert LearningPart.imitation(family, (wanted, wanted), (wanted, wanted)) == 0
    assert LearningPart.imitation(family, (wanted, other), (wanted, wanted)) > 0


def test_without_a_champion_nobody_teaches(
    some: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "MAKERS", {"distilled": trial.MAKERS["distilled"], "pruned": _refuses})
    asks = {"candidates": ["distilled", "pruned"], "distillation": {"teacher": "champion"}}
    _, record, _ = made_version(asked(tmp_path, some, asks))
    assert [one.why for one in record.graphs[1:]] == ["left out: there is no champion", "left out: no"]


def _refuses(_: object) -> bytes:
    raise Rejected("no")
