"""Which files of the data are bad, and whether a run goes on without them.

A family names its bad files, and is asked again without them: some faults hide others, and what it makes of
the rest may differ.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace

from knoll.data_files import Skipped, are_too_many, tally
from knoll.data_layout import Form, bad_names, find_layout, foldered, listed
from knoll.errors import BadFiles, InvalidData
from knoll.families.base import BadRows, Examples, Files
from knoll.quantities import counted
from knoll.quoting import escaped

__all__ = ["decode_good", "summed"]

_ENOUGH = 50  # bad files, if they are too many
_MOST_REASONS = 20
_NOTED = 5  # bad rows in the log and the model card
_LONGEST_REASON = 200  # characters

Decode = Callable[[Files], Examples]


def decode_good(
    files: Files, bad: Mapping[str, str], decode: Decode, form: Form, most_bad: float
) -> tuple[Examples, Mapping[str, str]]:
    """The examples of the good files, and why each other one is bad. Some are known to be `bad` before; the
    share `most_bad` of all may be.

    Bad rows of good files are counted by themselves, against the same share. Raises BadFiles if none may be,
    and InvalidData if too many are, or if a class has no good file.
    """
    found, count = dict(bad), len(files) + len(bad)
    while True:
        made = _decoded(decode, files.without(found))
        new = {key: why for key, why in _faults_of(made).items() if key in files and key not in found}
        found |= new
        is_over = are_too_many(len(found), count, most_bad)
        if not new or (is_over and len(found) >= _ENOUGH):
            break
    if is_over:
        raise _too_many(found, count, most_bad)
    if lost := _lost_classes([*files, *bad], found, form):
        raise _without(found, f"nothing is left of the class {listed(lost)}")
    if isinstance(made, InvalidData):
        raise _without(found, str(made), made.fix) if found else made
    return _without_bad_rows(made, most_bad), found


def summed(bad: Mapping[str, str]) -> tuple[Skipped, ...]:
    """The bad files by reason, the most frequent first; rare reasons together."""
    told = tally((escaped(why)[:_LONGEST_REASON], key) for key, why in bad.items())
    rare = sum(one.count for one in told[_MOST_REASONS:])
    return (*told[:_MOST_REASONS], *([Skipped("for other reasons", rare)] if rare else []))


def _decoded(decode: Decode, files: Files) -> Examples | InvalidData:
    """The examples, or the fault, without the frames that still hold what was decoded."""
    try:
        return decode(files)
    except InvalidData as error:
        return error.with_traceback(None)


def _faults_of(made: Examples | InvalidData) -> Mapping[str, str]:
    return made.faults if isinstance(made, BadFiles) else {}


def _too_many(found: Mapping[str, str], count: int, most_bad: float) -> InvalidData:
    bad = BadFiles(found)
    if not most_bad:
        return bad
    return InvalidData(
        f"{len(found):,} of {counted(count, 'file')} are bad, and {most_bad:.4g} of them may be: {bad}",
        fix=f"{bad.fix}; or raise spec.training.maxBad",
    )


def _without(found: Mapping[str, str], fault: str, fix: str = "") -> InvalidData:
    bad = BadFiles(found)
    return InvalidData(f"without {counted(len(found), 'bad file')}, {fault}; {bad}", fix=fix or bad.fix)


def _without_bad_rows(made: Examples, most_bad: float) -> Examples:
    """The same with a note on the rows that are left out. Raises InvalidData if they are too many."""
    rows = made.bad_rows
    if not rows.bad:
        return made
    count = rows.good + rows.bad
    words = f"{rows.bad:,} of {counted(count, 'row')} are bad"
    if are_too_many(rows.bad, count, most_bad):
        fix = "mend or remove these rows, or set spec.training.badData: skip"
        more = f", and {most_bad:.4g} of them may be" if most_bad else ""
        raise InvalidData(f"{words}{more}: {_named(rows, len(rows.named))}", fix=fix)
    return replace(made, notes=(*made.notes, f"{words}, and were left out: {_named(rows, _NOTED)}."))


def _named(rows: BadRows, most: int) -> str:
    """The first bad rows, and how many more there are."""
    told = [escaped(f"{place}: {why}")[:_LONGEST_REASON] for place, why in [*rows.named.items()][:most]]
    return "; ".join([*told, *([f"and {rows.bad - len(told):,} more"] if rows.bad > len(told) else [])])


def _lost_classes(keys: Collection[str], bad: Collection[str], form: Form) -> list[str]:
    """The classes that have bad files alone. A folder without any file of the right name is none."""
    if not bad:
        return []
    named = bad_names(keys, form)
    with suppress(InvalidData):
        classes = find_layout(key for key in foldered(keys, form) if key not in named).classes
        return sorted({*classes.values()} - {one for key, one in classes.items() if key not in bad})
    return []
