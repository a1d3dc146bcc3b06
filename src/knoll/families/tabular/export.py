"""The served network answers with probabilities, or with a number and its interval; its samples are held-out
rows."""

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import nn

from knoll.codecs.classes import CLASSES
from knoll.codecs.row import ROW
from knoll.families.base import Examples, Export, ExportPart, draw_rows
from knoll.families.tabular.declaration import TabularConfig
from knoll.families.tabular.network import ANSWERS, ServedNetwork, TabularNetwork
from knoll.records.signature import Signature, Tensor

__all__ = ["TabularExport"]

_OF_A_COLUMN = ("name", "kind", "optional", "missing", "example", "categories")


class TabularExport(ExportPart[TabularConfig]):
    """A row in, a label and its probabilities out, or a number."""

    def export(self, networks: nn.ModuleDict, examples: Examples, config: TabularConfig) -> Export:
        """The network, with the schema in its signature."""
        about, (cells, targets) = examples.about, draw_rows(*examples.held_out[:2])
        labels = about["classes"]
        columns = [{key: one[key] for key in _OF_A_COLUMN if key in one} for one in about["columns"]]
        options = {
            "columns": columns,
            "target": {"name": about["target"], "counts": about["counts"]},
            **{name: about[name] for name in ("rows", "ignored", "missing")},
        }
        network = cast(TabularNetwork, networks["rows"].cpu().eval())
        outputs = (
            (Tensor("probabilities", "FP32", (-1, len(labels)), CLASSES.name, {"labels": labels}),)
            if labels
            else tuple(Tensor(name, "FP32", (-1,)) for name in ANSWERS)
        )
        return Export(
            module=ServedNetwork(network, is_classifier=bool(labels)).eval(),
            signature=Signature((Tensor("row", "FP32", (-1, len(columns), 2), ROW.name, options),), outputs),
            samples=tuple(_sample(row, columns) for row in cells),
            sample_inputs=(cells,),
            targets=tuple(labels[one] for one in targets.tolist()) if labels else (),
        )


def _sample(row: torch.Tensor, columns: list[dict[str, Any]]) -> Mapping[str, Any]:
    """The sample of a row (C, 2): what is missing is left out. An unseen category has a name that no
    category has."""
    found = {}
    for (value, known), column in zip(row.tolist(), columns, strict=True):
        if known:
            found[column["name"]] = _cell(value, column)
    return found


def _cell(value: float, column: Mapping[str, Any]) -> Any:
    if column["kind"] == "number":
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if not value:
        return _unseen(column["categories"])
    name = column["categories"][int(value) - 1]
    return name == "true" if column["kind"] == "boolean" else name


def _unseen(categories: list[str]) -> str:
    name = "unseen"
    while name in categories:
        name += "_"
    return name
