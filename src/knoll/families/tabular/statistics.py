"""What the rows of training say of each column: usual numbers, categories, whether it may be missing."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knoll.families.tabular.plan import Role

__all__ = ["Floats", "describe_columns", "renumber"]

Floats = NDArray[np.float32]


def describe_columns(cells: Floats, train: Sequence[int], roles: Sequence[Role]) -> list[dict[str, Any]]:
    """Each column as the signature has it, by the codec `row`; and of a number `center` and `scale`, the
    median and the distance of the quartiles. `cells` (N, C, 2) are all rows, and `train` those that are
    learnt from. A category that occurs in no such row is none."""
    learnt = np.zeros(len(cells), bool)
    learnt[train] = True
    return [_describe(cells[:, place], learnt, role) for place, role in enumerate(roles)]


def renumber(cells: Floats, roles: Sequence[Role], columns: Sequence[Mapping[str, Any]]) -> Floats:
    """The same cells, with the numbers that categories have in `columns`. It changes them in place."""
    for place, (role, column) in enumerate(zip(roles, columns, strict=True)):
        if role.places is not None:
            known = {name: number for number, name in enumerate(column["categories"], 1)}
            numbers = np.array([0, *(known.get(name, 0) for name in role.places)], np.float32)
            cells[:, place, 0] = numbers[cells[:, place, 0].astype(np.int64)]
    return cells


def _describe(column: Floats, learnt: NDArray[np.bool_], role: Role) -> dict[str, Any]:
    """A column (N, 2)."""
    is_known = column[:, 1] > 0
    values = column[is_known & learnt, 0]
    missing = int((~is_known).sum())
    told = {"name": role.name, "kind": role.kind, "optional": missing > 0, "missing": missing}
    if role.places is None:
        return {**told, **_of_numbers(values)}
    names, is_boolean = [*role.places], role.kind == "boolean"
    counts = np.bincount(values.astype(np.int64), minlength=len(names) + 1)[1:]
    categories = [name for name, count in zip(names, counts, strict=True) if count or is_boolean]
    common = names[int(counts.argmax())] if counts.any() else None
    example = common == "true" if is_boolean and common else common
    return {**told, "categories": categories, "example": example}


def _of_numbers(values: Floats) -> dict[str, Any]:
    """`scale` is never 0: that of a number that is nearly always the same is half of its range, or 1."""
    if not len(values):
        return {"center": 0.0, "scale": 1.0, "example": None}
    low, center, high = np.quantile(values.astype(np.float64), (0.25, 0.5, 0.75))
    spread = float(high - low) or float(values.max() - values.min()) / 2 or 1.0
    example = float(f"{center:.6g}")
    return {
        "center": float(center),
        "scale": spread / 1.35,
        "example": int(example) if example.is_integer() and abs(example) < 2**53 else example,
    }
