"""All errors that knoll raises on purpose: one tree with two verdicts.

    KnollError
    ├── Rejected                 wrong for ever: HTTP 422, a dead letter at once, exit code 65 in a Job
    │   ├── InvalidEvent         a body that is neither a CloudEvent nor a bucket notification
    │   ├── InvalidModel         a Model document with faults (all of them are listed)
    │   ├── InvalidData          training data that cannot be read; names the file
    │   │   └── BadFiles         some of its files are bad; says why of each
    │   ├── InvalidPicture       bytes that are no picture, or one beyond the limits; says which fault
    │   ├── InvalidInstance      a prediction request that cannot be decoded (HTTP 400); names the instance
    │   └── InvalidVersion       a model version whose bytes do not match its manifest
    └── Unavailable              may work later: HTTP 503, delivered again, exit code 75 in a Job
        ├── StoreUnavailable     the object store did not answer
        ├── ClusterUnavailable   the API server or document store did not answer
        │   └── Forbidden        the API server refused: we lack a right
        ├── NotFound             the object is not there (yet)
        ├── AlreadyExists        another writer created it first: read it back
        ├── Conflict             another writer changed it first: read it again, decide again
        ├── QuotaExceeded        a limit is reached, and somebody must make room first: HTTP 507
        └── NewerSchema          only a newer knoll understands the record; one may run beside this one

The text of an error says what is wrong and why; `fix` says which command or change helps.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from knoll import __version__
from knoll.quoting import escaped

__all__ = [
    "MAKE_ROOM",
    "AlreadyExists",
    "BadFiles",
    "ClusterUnavailable",
    "Conflict",
    "Fault",
    "Forbidden",
    "InvalidData",
    "InvalidEvent",
    "InvalidInstance",
    "InvalidModel",
    "InvalidPicture",
    "InvalidVersion",
    "KnollError",
    "NewerSchema",
    "NotFound",
    "QuotaExceeded",
    "Rejected",
    "StoreUnavailable",
    "Unavailable",
    "act_on_each",
    "newer_fix",
]

_Thing = TypeVar("_Thing")

MAKE_ROOM = "make room on that disk; the platform goes on by itself then"
_NAMED = 50  # bad files
_LONGEST = 200  # characters on one of them


class KnollError(Exception):
    """Something went wrong; `fix` says what helps."""

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


class Rejected(KnollError):
    """The input is wrong and stays wrong; another try cannot help."""


class InvalidEvent(Rejected):
    """A body that is neither a CloudEvent nor a bucket notification."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong in a document: the keys that lead to its place, and what is wrong there."""

    path: tuple[str | int, ...]
    text: str

    def __str__(self) -> str:
        """In one line, as in "spec.gate.atLeast: must be a number such as 0.95, not 'x'"."""
        place = ".".join(map(str, self.path))
        return escaped(f"{place}: {self.text}" if place else self.text)


class InvalidModel(Rejected):
    """A Model document with faults; the text lists all of them, and `faults` has them as values."""

    def __init__(self, message: str, *, fix: str = "", faults: Sequence[Fault] = ()) -> None:
        super().__init__(message, fix=fix)
        self.faults = tuple(faults) or (Fault((), f"{message} ({fix})" if fix else message),)


class InvalidData(Rejected):
    """Training data that cannot be read; the text names the file."""


class BadFiles(InvalidData):
    """Files of the data that cannot be learnt from, while the others may be. `faults` says why, by key, in
    words that begin with "it"; the text names the first 50."""

    def __init__(self, faults: Mapping[str, str], *, fix: str = "") -> None:
        told = [escaped(f"{key}: {fault}") for key, fault in sorted(faults.items())]
        named = [one if len(one) <= _LONGEST else f"{one[:_LONGEST]}…" for one in told[:_NAMED]]
        more = [f"and {len(told) - _NAMED:,} more"] if len(told) > _NAMED else []
        mend = "mend or remove these files, and upload the dataset again"
        super().__init__("; ".join([*named, *more]), fix=fix or mend)
        self.faults = dict(faults)


class InvalidPicture(Rejected, ValueError):
    """Bytes that are no picture, or a picture beyond the limits. The text starts with "it", so that a file or
    an instance can be named before it."""


class InvalidInstance(Rejected):
    """A prediction request that cannot be decoded; the text names the instance."""


class InvalidVersion(Rejected):
    """A model version whose bytes do not match its manifest."""


class Unavailable(KnollError):
    """It does not work now; another try may help."""


class StoreUnavailable(Unavailable):
    """The object store did not answer, or refused for a reason that may pass."""


class ClusterUnavailable(Unavailable):
    """The API server or document store did not answer."""


class Forbidden(ClusterUnavailable):
    """The API server refused, because we lack a right."""


class NotFound(Unavailable):
    """The object is not there (yet)."""


class AlreadyExists(Unavailable):
    """Another writer created the object first."""


class Conflict(Unavailable):
    """Another writer changed the object first."""


class QuotaExceeded(Unavailable):
    """A limit is reached; it works again when there is room."""


class NewerSchema(Unavailable):
    """Only a newer knoll understands the record. During an upgrade a newer one may run and act on it."""


def newer_fix(needs: str) -> str:
    """What to do about a document of a newer schema. `needs` is the oldest knoll that reads it; "" if it does
    not say."""
    return f"use knoll {needs} or a newer one" if needs else f"use a knoll newer than {__version__}"


def act_on_each(things: Iterable[_Thing], act: Callable[[_Thing], object]) -> None:
    """Act on every thing, then raise the first error: a faulty thing must not stop the others."""
    failed: list[KnollError] = []
    for thing in things:
        try:
            act(thing)
        except KnollError as error:
            failed.append(error)
    if failed:
        raise failed[0]
