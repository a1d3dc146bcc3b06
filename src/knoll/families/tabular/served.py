"""The rows of one version in the form of another, which may know other columns and categories."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from knoll.data_files import normal
from knoll.data_layout import listed
from knoll.errors import Rejected
from knoll.records.signature import Signature
from knoll.tables import category_of

__all__ = ["rows_for"]

_Columns = Sequence[Mapping[str, Any]]


def rows_for(signature: Signature, columns: _Columns) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function from cells (B, C, 2) of these columns to those that the signature wants. Raises Rejected if
    it wants a column that is not among them, or one of another kind."""
    (row,) = signature.inputs
    if not row.columns:
        raise Rejected("its inputs are no rows")
    wanted = [{**one, "name": normal(one["name"])} for one in row.columns]
    places = {one["name"]: place for place, one in enumerate(columns)}
    if absent := [one["name"] for one in wanted if one["name"] not in places]:
        raise Rejected(f"it wants the columns {listed(absent)}, which the data lacks")
    pairs = [(places[one["name"]], columns[places[one["name"]]], one) for one in wanted]
    if other := [one["name"] for _, ours, one in pairs if ours["kind"] != one["kind"]]:
        raise Rejected(f"its columns {listed(other)} are of another kind")
    tables = [_numbers(ours, one) for _, ours, one in pairs]

    def convert(cells: torch.Tensor) -> torch.Tensor:
        found = cells[:, [place for place, _, _ in pairs]].clone()
        for place, table in enumerate(tables):
            if table is not None:
                found[:, place, 0] = table[found[:, place, 0].long()]
        return found

    return convert


def _numbers(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> torch.Tensor | None:
    """By our number of each category, from 0 for an unseen one on, their number; None if it is a number."""
    if ours["kind"] == "number":
        return None
    known = {category_of(name): number for number, name in enumerate(theirs["categories"], 1)}
    return torch.tensor([0.0, *(float(known.get(name, 0)) for name in ours["categories"])])
