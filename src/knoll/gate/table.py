"""The numbers of the gate in Markdown."""

from collections.abc import Iterator, Mapping
from typing import Any

from knoll.markdown import bullets, cut, literal, table

__all__ = ["checks_table"]

_HEAD = ("check", "candidate", "champion", "at least", "at most", "may lose", "verdict")
_NUMBERS = ("value", "champion", "atLeast", "atMost", "maxRegression")


def checks_table(checks: Mapping[str, Any]) -> list[str]:
    """A table with a row for each check, and a list of what does not pass. `checks` are the `numbers` of
    `Examined`, or what the record of a rollout has of them."""
    known = {name: one for name, one in checks.items() if isinstance(one, Mapping)}
    return [table(_HEAD, _rows(known)), bullets(filter(None, map(_fault, known.values())))]


def _rows(checks: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    for name, one in checks.items():
        verdict = "fails" if one.get("fault") else "passes"
        yield literal(cut(name)), *(_number(one.get(key)) for key in _NUMBERS), verdict


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else ""


def _fault(check: Mapping[str, Any]) -> str:
    return literal(str(check.get("fault", "")))
