"""How a command fails: one place that turns errors into words, JSON and exit codes.

Scripts branch on exit codes, people read `Error:` and `Fix:` on stderr; with `-o json` stdout holds one object, also when it is an error.
"""

import json

import typer

from knoll.errors import KnollError, NotFound

__all__ = ["FAILURE", "INTERRUPTED", "NOT_FOUND", "OK", "TIMED_OUT", "USAGE", "TimedOut", "exit_code", "report"]

OK = 0
FAILURE = 1
USAGE = 2
TIMED_OUT = 3
NOT_FOUND = 4
INTERRUPTED = 130


class TimedOut(KnollError):
    """What was waited for did not happen within --timeout."""


def exit_code(error: KnollError) -> int:
    """3 when time ran out, 4 when something is not there, 1 for everything else."""
    if isinstance(error, TimedOut):
        return TIMED_OUT
    return NOT_FOUND if isinstance(error, NotFound) else FAILURE


def report(error: KnollError, *, as_json: bool) -> None:
    """Say what is wrong, why, and which command helps: on stderr, and with `as_json` as an object on stdout."""
    typer.secho(f"Error: {error}", err=True, fg=None)
    if error.fix:
        typer.secho(f"Fix: {error.fix}", err=True, fg=None)
    if as_json:
        typer.echo(json.dumps({"error": {"code": type(error).__name__, "message": str(error), "fix": error.fix}}))
