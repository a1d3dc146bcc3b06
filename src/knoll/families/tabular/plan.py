"""What each column of the data is for: the target, an input, a slice, or nothing.

It is decided by the schema and the config, before any row becomes an example.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from knoll.data_layout import listed
from knoll.errors import InvalidData
from knoll.families.tabular.declaration import CLASSIFICATION, REGRESSION, TabularConfig, TabularDeclaration
from knoll.quoting import escaped
from knoll.tables import LEARNT, Column, unknown_columns

__all__ = ["Plan", "Role", "make_plan", "plan_of_about"]


@dataclass(frozen=True)
class Role:
    """A column that is read. `places` are the numbers of its categories, from 0 on; None for a number."""

    name: str
    kind: str
    places: Mapping[str, int] | None = None


@dataclass(frozen=True)
class Plan:
    """The roles of the columns. `ignored` are those that are not learnt from; `missing` are texts that stand
    for nothing. Rows with the same value of `group_by` stay together."""

    task: str
    target: Role
    inputs: tuple[Role, ...]
    slices: tuple[Role, ...] = ()
    ignored: tuple[str, ...] = ()
    missing: frozenset[str] = field(default_factory=frozenset)
    group_by: str | None = None

    @property
    def classes(self) -> list[str]:
        """The classes of the target; none if it is a number."""
        return [*self.target.places] if self.target.places is not None else []


def make_plan(schema: Sequence[Column], config: TabularConfig) -> Plan:
    """Raises InvalidData that names all columns that cannot be used, and what to do."""
    known = {one.name: one for one in schema}
    if unknown := unknown_columns(known, TabularDeclaration().columns(config)):
        raise InvalidData("; ".join(unknown), fix=f"the data has the columns {listed([*known])}")
    away = {config.target, *config.leave_out, *([config.group_by] if config.group_by else [])}
    inputs = [one for one in schema if one.name not in away and one.kind != "empty"]
    task = config.task or _task_of(known[config.target])
    sliced = [known[name] for name in config.slices]
    faults = [*_target_faults(known[config.target], task), *(one.fault for one in inputs if one.fault)]
    faults += [_slice_fault(one) for one in sliced if not one.values]
    if faults:
        raise InvalidData("; ".join(faults), fix="see spec.training.config in docs/families/tabular.md")
    if not inputs:
        raise InvalidData("no column is left to learn from", fix="see target and leaveOut in the config")
    target = _role(known[config.target], is_number=task == REGRESSION)
    taken = {target.name, *(one.name for one in inputs)}
    return Plan(
        task,
        target,
        tuple(_role(one) for one in inputs),
        tuple(_role(one, is_number=False) for one in sliced),
        (*(one.name for one in schema if one.name not in taken), target.name),
        frozenset(config.missing),
        config.group_by,
    )


def plan_of_about(about: Mapping[str, Any], config: TabularConfig) -> Plan:
    """The plan of data whose `about` is known."""
    classes = about["classes"]
    target = Role(about["target"], "category" if classes else "number", _places(classes) if classes else None)
    inputs = (Role(one["name"], one["kind"], _places(one.get("categories"))) for one in about["columns"])
    slices = (Role(one["name"], "category", _places(one["values"])) for one in about["slices"])
    return Plan(
        about["task"],
        target,
        tuple(inputs),
        tuple(slices),
        tuple(about["ignored"]),
        frozenset(config.missing),
        config.group_by,
    )


def _task_of(target: Column) -> str:
    """Regression if the target is a number. Two different numbers, such as 0 and 1, are classes."""
    return (
        REGRESSION if target.kind == "number" and len({*map(float, target.values)}) != 2 else CLASSIFICATION
    )


def _target_faults(target: Column, task: str) -> Iterator[str]:
    name = escaped(target.name)
    if task == REGRESSION:
        if target.kind != "number":
            yield f"the target {name} is a {target.kind}, and regression needs numbers"
    elif target.kind not in LEARNT and target.kind != "mixed":
        yield f"the target {name} is {target.kind}, and must be a category or a number"
    elif len(target.values) < 2:
        only = f"only the class {listed([*target.values])}" if target.values else "more than 1,000 classes"
        yield f"the target {name} has {only}: classification needs 2 to 1,000"


def _slice_fault(one: Column) -> str:
    return f"{escaped(one.name)} of slices is {one.kind}, and must have up to 1,000 different values"


def _role(column: Column, *, is_number: bool | None = None) -> Role:
    if column.kind == "number" if is_number is None else is_number:
        return Role(column.name, "number")
    if column.kind == "boolean":
        return Role(column.name, "boolean", _places(("false", "true")))
    return Role(column.name, "category", _places(column.values))


def _places(values: Any) -> Mapping[str, int] | None:
    return None if values is None else {name: place for place, name in enumerate(values)}
