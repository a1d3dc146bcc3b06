"""What is wrong with the platform, found by a list of checks.

Each check looks at one thing and changes nothing. A check that cannot look is a finding itself.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from knoll.errors import KnollError
from knoll.ports import Platform
from knoll.quoting import escaped
from knoll.records.strays import find_strays

__all__ = ["CHECKS", "Check", "Finding", "doctor_document", "examine"]


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be: where, what, and what helps."""

    place: str
    what: str
    fix: str


@dataclass(frozen=True)
class Check:
    """One check: what it looks at, and the function that looks."""

    name: str
    look: Callable[[Platform], Iterable[Finding]]


def _strays(platform: Platform) -> Iterator[Finding]:
    root = f"s3://{platform.settings.model_bucket}/"
    fix = "knoll passes it over: find out who wrote it, and delete it if nobody needs it"
    for one in find_strays(platform.bucket):
        yield Finding(escaped(root + one.key), escaped(one.why), fix)


CHECKS: tuple[Check, ...] = (Check("stray objects of the model bucket", _strays),)


def examine(platform: Platform, checks: Sequence[Check] = CHECKS) -> list[Finding]:
    """What the checks find, in their order."""
    return [finding for check in checks for finding in _look(check, platform)]


def doctor_document(findings: Sequence[Finding]) -> dict[str, Any]:
    """The findings as `-o json` shows them."""
    return {
        "well": not findings,
        "findings": [{"place": one.place, "what": one.what, "fix": one.fix} for one in findings],
    }


def _look(check: Check, platform: Platform) -> list[Finding]:
    try:
        return list(check.look(platform))
    except KnollError as error:
        return [Finding(check.name, f"it cannot be looked at: {error}", error.fix)]
