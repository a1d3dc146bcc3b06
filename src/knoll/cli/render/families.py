"""Families in a table, and the fields of their configs."""

from collections.abc import Iterator
from typing import Any

from knoll.families.declaration import Declaration
from knoll.models.fields import fields_of

__all__ = ["CONFIG_HEADINGS", "FAMILY_HEADINGS", "config_rows", "document", "family_row", "metrics_line"]

FAMILY_HEADINGS = ("FAMILY", "TASK", "METRICS")
CONFIG_HEADINGS = ("FIELD", "TYPE", "UNIT", "RANGE", "DEFAULT", "MEANING")


def family_row(family: Declaration[Any]) -> tuple[str, ...]:
    """The cells under FAMILY_HEADINGS."""
    return (family.name, family.task, ", ".join(one.name for one in family.metrics))


def config_rows(family: Declaration[Any]) -> Iterator[tuple[str, ...]]:
    """The cells under CONFIG_HEADINGS, a row for each field."""
    for one in fields_of(family.config_type):
        yield (one.name, one.kind, one.unit, one.range, one.default or one.without, one.meaning)


def metrics_line(family: Declaration[Any]) -> str:
    """What a gate can ask for."""
    told = (f"{one.name} ({one.better} is better, {one.range})" for one in family.metrics)
    return f"Metrics for the gate: {', '.join(told)}"


def document(family: Declaration[Any]) -> dict[str, Any]:
    """The family as `-o json` shows it."""
    fields = [
        {
            "field": one.name,
            "type": one.kind,
            "unit": one.unit,
            "range": one.range,
            "default": one.default,
            "without": one.without,
            "meaning": one.meaning,
        }
        for one in fields_of(family.config_type)
    ]
    metrics = [{"name": one.name, "better": one.better, "range": one.range} for one in family.metrics]
    return {"family": family.name, "task": family.task, "metrics": metrics, "config": fields}
