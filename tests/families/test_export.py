"""The default export: networks that take and give plain numbers need no code of their own to be served."""

from collections.abc import Mapping

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from knoll.codecs import decode
from knoll.families.base import Batch, Examples, ExportPart, FamilyConfig, draw_rows, export_network
from knoll.trainer.graph import export_graph, run_graph


class Rating(nn.Module):
    """Users and items, (B,) each -> ratings (B,) and vectors (B, 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.users, self.items = nn.Embedding(5, 3), nn.Embedding(7, 3)

    def forward(self, user: torch.Tensor, item: torch.Tensor) -> Batch:
        vectors = self.users(user) * self.items(item)
        return vectors.sum(1), vectors


def test_several_inputs_and_outputs_have_names_types_and_samples() -> None:
    """An instance is an object of values by name, and the graph answers it as the network does."""
    columns = {"user": torch.tensor([0, 1, 4]), "item": torch.tensor([6, 0, 2])}
    export = export_network(Rating(), columns, ("rating", "vector"))
    assert [(one.name, one.datatype, one.shape) for one in export.signature.inputs] == [
        ("user", "INT64", (-1,)),
        ("item", "INT64", (-1,)),
    ]
    assert [(one.name, one.datatype, one.shape) for one in export.signature.outputs] == [
        ("rating", "FP32", (-1,)),
        ("vector", "FP32", (-1, 3)),
    ]
    assert export.samples[2] == {"user": 4, "item": 2}
    inputs = decode(list(export.samples), export.signature)
    exported = export_graph(export, threads=1)
    again = run_graph(exported.body, [inputs["user"], inputs["item"]], threads=1)
    assert all(np.allclose(one, other) for one, other in zip(exported.outputs, again, strict=True))
    assert set(exported.parity) == {"rating", "vector"}
    assert all(0 <= apart < 1e-5 for apart in exported.parity.values())
    assert [one.version for one in onnx.load_model_from_string(exported.body).opset_import] == [20]


class Mean(nn.Module):
    """Numbers (B, 1) -> the mean (B, 1), a view of the parameter, and the distances from it (B, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.tensor([3.0]))

    def forward(self, value: torch.Tensor) -> Batch:
        return self.mean.expand_as(value), value - self.mean


@pytest.mark.parametrize("name", ["mean", "sub"])
def test_a_tensor_may_have_the_name_of_a_parameter_or_of_a_value_inside_of_the_graph(name: str) -> None:
    export = export_network(Mean(), {name: torch.tensor([[1.0], [5.0]])}, ("centre", "distance"))
    centre, distance = export_graph(export, threads=1).outputs
    assert centre.tolist() == [[3.0], [3.0]]
    assert distance.tolist() == [[-2.0], [2.0]]
    named = export_network(Mean(), {"value": torch.tensor([[1.0], [5.0]])}, (name, "distance"))
    assert export_graph(named, threads=1).outputs[0].tolist() == [[3.0], [3.0]]


class Several(ExportPart[FamilyConfig]):
    """An export that chooses nothing."""


@pytest.mark.parametrize("networks", [{}, {"one": nn.Identity(), "other": nn.Identity()}])
def test_with_several_networks_a_family_must_choose(networks: Mapping[str, nn.Module]) -> None:
    """The author of the family is told so by a name and a number."""
    examples = Examples((torch.zeros(2, 1),), (torch.zeros(2, 1),))
    with pytest.raises(TypeError, match=f"Several has {len(networks)} networks"):
        Several().export(nn.ModuleDict(dict(networks)), examples, FamilyConfig())


def test_samples_are_spread_over_the_rows() -> None:
    """From the first row to the last, the same of each column, and no row twice if there are few."""
    rows, targets = draw_rows(torch.arange(127), -torch.arange(127))
    assert rows.tolist() == list(range(0, 127, 2))
    assert targets.tolist() == [-row for row in rows.tolist()]
    assert draw_rows(torch.arange(3))[0].tolist() == [0, 1, 2]


@pytest.mark.parametrize(("side", "count"), [(8, 64), (96, 37), (1000, 16)])
def test_of_large_examples_there_are_fewer_samples(side: int, count: int) -> None:
    (pictures,) = draw_rows(torch.zeros(100, 3, side, side, dtype=torch.uint8))
    assert len(pictures) == count
