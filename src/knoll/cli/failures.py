"""How a command fails: errors as words, JSON and exit codes.

People read `Error:` and `Fix:` on stderr, and scripts read exit codes. With `-o json` stdout holds one
object, also for an error.
"""

import errno
import json
import re

from knoll.cli.grammar import spoken
from knoll.cli.output import echo
from knoll.errors import InvalidModel, KnollError, NotFound
from knoll.exits import FAILURE, NOT_FOUND, TIMED_OUT
from knoll.value_faults import value_fault

__all__ = ["TimedOut", "exit_code", "of_the_disk", "report", "report_usage", "value_words"]

_OF_THE_DISK = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST),
}


class TimedOut(KnollError):
    """Time is up: the end did not come within --timeout."""


def exit_code(error: KnollError) -> int:
    """3 when time ran out, 4 when something is not there, 1 for everything else."""
    if isinstance(error, TimedOut):
        return TIMED_OUT
    return NOT_FOUND if isinstance(error, NotFound) else FAILURE


def of_the_disk(error: OSError) -> KnollError | None:
    """The error of a file that cannot be read or written; None for any other error of the system."""
    if error.errno not in _OF_THE_DISK:
        return None
    return KnollError(
        f"{error.filename or 'a file'}: {error.strerror}",
        fix="check that the disk has room and that you may write there",
    )


def value_words(error: Exception) -> str:
    """What is wrong with the value of an argument for which typer quotes pydantic; "" for any other error."""
    faults = getattr(error.__cause__, "errors", None)  # pydantic takes long to import
    return value_fault(faults()[0]) if faults else ""


def report(error: KnollError, program: str, *, as_json: bool) -> None:
    """Print what is wrong, why, and which command of `program` helps on stderr; with `as_json` also as an
    object on stdout."""
    message, fix = spoken(program, str(error)), spoken(program, error.fix)
    first, *more = _lines(error, message)
    echo(f"Error: {first}", *more, err=True)
    if fix:
        echo(f"Fix: {fix}", err=True)
    if as_json:
        _print_object(type(error).__name__, message, fix)


def report_usage(message: str, program: str) -> None:
    """Print the object for a wrong command line on stdout."""
    _print_object("UsageError", message, spoken(program, f"{program} --help lists the commands"))


def _print_object(code: str, message: str, fix: str) -> None:
    echo(json.dumps({"error": {"code": code, "message": message, "fix": fix}}))


def _lines(error: KnollError, message: str) -> list[str]:
    """The lines of a message: a Model has one for each fault, and other errors indent them. Any other line
    break comes from a stranger."""
    return message.split("\n") if isinstance(error, InvalidModel) else re.split(r"\n(?=  )", message)
