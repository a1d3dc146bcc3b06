"""What the doctor has found, as lines."""

from collections.abc import Iterable, Iterator, Sequence

from knoll.views.doctor import Check, Finding
from knoll.wiring.repair import Repaired

__all__ = ["doctor_lines", "repair_lines", "well_words"]


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
    if not done.damage:
        yield "The file of documents is whole: there was nothing to repair."
        return
    yield f"The file was damaged: {done.damage}"
    yield f"It is kept at {done.kept_at}. {len(done.read)} documents could still be read."
    for name in done.rebuilt:
        yield f"Model {name} was rebuilt from its newest run, without its gate, rollout and serving."
    yield "Next: knoll up, then knoll apply -f FILE for each Model, so that it is as you declared it"
