"""Every error that knoll raises on purpose, as one tree with two verdicts.

    KnollError
    ├── Rejected                 never right: HTTP 422, dead-lettered once, exit code 65 in a Job
    │   ├── InvalidEvent         a body that is neither a CloudEvent nor a bucket notification
    │   ├── InvalidModel         a Model document with faults (all of them are listed)
    │   ├── InvalidData          training data that cannot be read; names the file
    │   ├── InvalidInstance      a prediction request that cannot be decoded (HTTP 400); names the instance
    │   └── InvalidVersion       a model version whose bytes do not match its manifest
    └── Unavailable              later, perhaps: HTTP 503, delivered again, exit code 75 in a Job
        ├── StoreUnavailable     the object store did not answer
        ├── ClusterUnavailable   the API server or document store did not answer
        │   └── Forbidden        it has answered: nobody gave us the right
        ├── NotFound             the object is not there (yet)
        ├── AlreadyExists        somebody else created it first: read it back
        ├── Conflict             somebody else changed it first: read it again, decide again
        └── NewerSchema          a record that only a newer knoll understands, as during an upgrade

Every error says what is wrong and why in its text, and in `fix` which command or change helps.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

__all__ = [
    "AlreadyExists",
    "ClusterUnavailable",
    "Conflict",
    "Forbidden",
    "InvalidData",
    "InvalidEvent",
    "InvalidInstance",
    "InvalidModel",
    "InvalidVersion",
    "KnollError",
    "NewerSchema",
    "NotFound",
    "Rejected",
    "StoreUnavailable",
    "Unavailable",
    "act_on_each",
]

_Thing = TypeVar("_Thing")


class KnollError(Exception):
    """Something went wrong; `fix` says what the user can do about it."""

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


class Rejected(KnollError):
    """The input is wrong and stays wrong: trying again cannot help."""


class InvalidEvent(Rejected):
    """A body that is neither a CloudEvent nor a bucket notification."""


class InvalidModel(Rejected):
    """A Model document with faults; the text lists all of them."""


class InvalidData(Rejected):
    """Training data that cannot be read; the text names the file."""


class InvalidInstance(Rejected):
    """A prediction request that cannot be decoded; the text names the instance."""


class InvalidVersion(Rejected):
    """A model version whose bytes do not match its manifest."""


class Unavailable(KnollError):
    """The state of the world does not allow it now; trying again may help."""


class StoreUnavailable(Unavailable):
    """The object store did not answer, or refused for a reason that may pass."""


class ClusterUnavailable(Unavailable):
    """The API server or document store did not answer."""


class Forbidden(ClusterUnavailable):
    """The API server does not let us, until somebody grants the right."""


class NotFound(Unavailable):
    """The object is not there (yet)."""


class AlreadyExists(Unavailable):
    """Somebody else created the object first."""


class Conflict(Unavailable):
    """Somebody else changed the object first."""


class NewerSchema(Unavailable):
    """A record that only a newer version of knoll understands; one that runs beside this one may act on
    it."""


def act_on_each(things: Iterable[_Thing], act: Callable[[_Thing], object]) -> None:
    """Act on every thing, and raise the first error only when all have had their turn: one that is ill must
    not stop the others."""
    failed: list[KnollError] = []
    for thing in things:
        try:
            act(thing)
        except KnollError as error:
            failed.append(error)
    if failed:
        raise failed[0]
