"""Tables become rows of numbers, and classes or numbers to learn."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from knoll.data_layout import listed
from knoll.errors import BadFiles, InvalidData
from knoll.families.base import DataPart, Examples, Files
from knoll.families.classifying import count_classes, split_classes
from knoll.families.table_files import count_tables, table_keys
from knoll.families.tabular.declaration import REGRESSION, TabularConfig
from knoll.families.tabular.plan import Plan, make_plan, plan_of_about
from knoll.families.tabular.rows import Rows, read_rows
from knoll.families.tabular.statistics import describe_columns, renumber
from knoll.quantities import counted
from knoll.tables import infer_schema

__all__ = ["TabularData"]

_NAMED = 30  # columns in a note


class TabularData(DataPart[TabularConfig]):
    """A row is (cells as float32 (C, 2), target), and the parts int64 (S,) to which it belongs, if the config
    asks for slices. See `knoll.codecs.row` for the cells."""

    streams = True

    def examples(self, files: Files, config: TabularConfig) -> Examples:
        """Read all tables twice: for the schema, and for the rows. Raises InvalidData that names the files,
        or the columns."""
        keys = table_keys(files)
        plan, count = _plan(files, keys, config)
        rows = read_rows(files, keys, plan, count)
        sides = _split(rows, plan, config.held_out)
        columns = describe_columns(rows.cells, sides[0], plan.inputs)
        cells = renumber(rows.cells, plan.inputs, columns)
        targets = rows.targets[sides[0]]
        about = {
            "task": plan.task,
            "target": plan.target.name,
            "columns": columns,
            "ignored": [*plan.ignored],
            "missing": sorted(plan.missing),
            "classes": plan.classes,
            "slices": [{"name": one.name, "values": [*(one.places or {})]} for one in plan.slices],
            "rows": len(rows.keys),
            "counts": _counts(plan, rows),
            "mean": float(targets.mean()),
            "std": float(targets.std()) or 1.0,
        }
        train, kept = (_columns(cells, rows, plan, side) for side in sides)
        return Examples(train, kept, about, _notes(plan, rows), rows.bad)

    def golden(self, files: Files, about: Mapping[str, Any], config: TabularConfig) -> Examples:
        """All rows, in the form of the data. Raises InvalidData that names bad files and rows, and classes
        that the data lacks."""
        keys, plan = table_keys(files), plan_of_about(about, config)
        counts = count_tables(files, keys, config.missing)
        wanted = {plan.target.name, *(one.name for one in plan.inputs)}
        if absent := sorted(wanted - set(counts.names)):
            raise InvalidData(f"it lacks the columns {listed(absent)}, which the data has")
        rows = read_rows(files, keys, plan, counts.rows)
        if rows.bad.bad:
            raise BadFiles(rows.bad.named)
        if not rows.keys:
            raise InvalidData("it has no rows")
        made = _columns(rows.cells, rows, plan, range(len(rows.keys)))
        return Examples(made, made, about)

    def class_counts(self, examples: Examples) -> Mapping[str, tuple[int, int]]:
        """See `count_classes`."""
        return count_classes(examples)


def _plan(files: Files, keys: Sequence[str], config: TabularConfig) -> tuple[Plan, int]:
    """What the columns are for, and how many rows there are. The counts are gone when the rows are read."""
    counts = count_tables(files, keys, config.missing)
    if not counts.rows:
        raise InvalidData("no table has a good row", fix="add rows below the names of the columns")
    return make_plan(infer_schema(counts, config.categories), config), counts.rows


def _split(rows: Rows, plan: Plan, share: float) -> tuple[list[int], list[int]]:
    """See `split_classes`."""
    labels = [plan.classes[int(one)] for one in rows.targets] if plan.classes else []
    return split_classes(rows.keys, share, labels, plan.classes)


def _columns(cells: NDArray[Any], rows: Rows, plan: Plan, side: Sequence[int]) -> tuple[torch.Tensor, ...]:
    """The columns of the rows of one side."""
    kind = torch.float32 if plan.task == REGRESSION else torch.int64
    found = [torch.from_numpy(cells[side]), torch.tensor(rows.targets[side]).to(kind)]
    return (*found, *([torch.from_numpy(rows.parts[side])] if plan.slices else []))


def _counts(plan: Plan, rows: Rows) -> dict[str, int]:
    """How many rows each class has; empty for numbers."""
    classes = plan.classes
    counts = np.bincount(rows.targets.astype(np.int64), minlength=len(classes)) if classes else ()
    return dict(zip(classes, map(int, counts), strict=True))


def _notes(plan: Plan, rows: Rows) -> tuple[str, ...]:
    told = [f"{one.name} ({one.kind})" for one in plan.inputs]
    more = ", …" if told[_NAMED:] else ""
    learnt = f"{plan.task} of {plan.target.name} from {counted(len(told), 'column')}"
    others = [one for one in plan.ignored if one != plan.target.name]
    equal = len(rows.keys) - len({*rows.keys})
    return (
        f"{learnt[0].upper()}{learnt[1:]}: {', '.join(told[:_NAMED])}{more}.",
        *([f"Columns that are not learnt from: {', '.join(others[:_NAMED])}."] if others else []),
        *(
            [f"{equal:,} rows are equal to others, or of the same group: these are on one side."]
            if equal
            else []
        ),
    )
