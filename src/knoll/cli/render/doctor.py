"""What the doctor has found, as lines."""

from collections.abc import Iterable, Iterator, Sequence

from knoll.quantities import counted
from knoll.views.doctor import Check, Finding
from knoll.wiring.repair import Repaired

__all__ = ["doctor_lines", "repair_lines", "well_words"]

_WITHOUT = "without gate, rollout, serving, dataset.landed and training.concurrency"


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


def repair_lines(done: Repaired) -> Iterator[str]:
    """What a repair did, and what is left to do."""
    if done.damage:
        yield f"The file was damaged: {done.damage}"
        yield f"It is kept at {done.kept_at}. {counted(len(done.read), 'document')} could still be read."
    elif not done.rebuilt:
        yield "The file of documents is whole: there was nothing to repair."
    for name in done.rebuilt:
        yield f"Model {name} was rebuilt from its newest run, {_WITHOUT}."
    if done.damage and done.lost:
        yield f"These Models have runs and are not in the file: {', '.join(done.lost)}."
        yield "Either the damage took them, or they were deleted: knoll cannot tell."
    if done.damage:
        yield "Models that never had a run are not listed."
        yield "Next: knoll up, then knoll apply -f FILE for each Model that you want"
        yield f"  Without a file: knoll doctor --rebuild MODEL, before knoll up. It comes back {_WITHOUT}."
