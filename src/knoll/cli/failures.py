"""How a command fails: one place that turns errors into words, JSON and exit codes.

Scripts branch on exit codes, people read `Error:` and `Fix:` on stderr; with `-o json` stdout holds one
object, also when it is an error.
"""

import errno
import json

import typer

from knoll.cli.grammar import spoken
from knoll.errors import KnollError, NotFound

__all__ = [
    "FAILURE",
    "INTERRUPTED",
    "NOT_FOUND",
    "TIMED_OUT",
    "TimedOut",
    "exit_code",
    "of_the_disk",
    "report",
]

FAILURE = 1
TIMED_OUT = 3
NOT_FOUND = 4
INTERRUPTED = 130

_OF_THE_DISK = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST),
}


class TimedOut(KnollError):
    """What was waited for did not happen within --timeout."""


def exit_code(error: KnollError) -> int:
    """3 when time ran out, 4 when something is not there, 1 for everything else."""
    if isinstance(error, TimedOut):
        return TIMED_OUT
    return NOT_FOUND if isinstance(error, NotFound) else FAILURE


def of_the_disk(error: OSError) -> KnollError | None:
    """A file that cannot be read or written, in words; None for whatever else the system refuses."""
    if error.errno not in _OF_THE_DISK:
        return None
    return KnollError(
        f"{error.filename or 'a file'}: {error.strerror}",
        fix="see that the disk has room and the folder is yours",
    )


def report(error: KnollError, program: str, *, as_json: bool) -> None:
    """Say what is wrong, why, and which command of `program` helps: on stderr, and with `as_json` as an
    object on stdout."""
    message, fix = spoken(program, str(error)), spoken(program, error.fix)
    typer.echo(f"Error: {message}", err=True)
    if fix:
        typer.echo(f"Fix: {fix}", err=True)
    if as_json:
        typer.echo(json.dumps({"error": {"code": type(error).__name__, "message": message, "fix": fix}}))
