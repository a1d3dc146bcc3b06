"""What the doctor has found, as lines."""

from collections.abc import Iterable, Iterator, Sequence

from knoll.views.doctor import Check, Finding

__all__ = ["doctor_lines", "well_words"]


def doctor_lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Each finding, with what helps under it; the same help is said once for findings in a row."""
    last = ""
    for one in findings:
        if last and one.fix != last:
            yield f"  Fix: {last}"
        yield f"{one.place}: {one.what}"
        last = one.fix
    if last:
        yield f"  Fix: {last}"


def well_words(checks: Sequence[Check]) -> str:
    """What was looked at, if nothing was found."""
    return "All is well. Looked at: " + ", ".join(one.name for one in checks) + "."
