"""Errors for answers that hold none."""

import json
from typing import TYPE_CHECKING, Any

from knoll.errors import InvalidInstance, KnollError, NotFound, Rejected, Unavailable
from knoll.quoting import escaped

if TYPE_CHECKING:
    from knoll.client.steps import Heard

__all__ = ["checked", "document_of"]

_LONGEST = 500  # characters of an error, and of an example
_KINDS: dict[int, type[KnollError]] = {
    401: Rejected,
    403: Rejected,
    404: NotFound,
    408: Unavailable,
    429: Unavailable,
    500: KnollError,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def checked(heard: "Heard", what: str) -> "Heard":
    """The answer, if its status is 200. `what` was asked, as in "predict digits".

    Raises InvalidInstance if the request is at fault, NotFound, Unavailable if another try may help, else
    Rejected or KnollError.
    """
    if heard.status == 200:
        return heard
    said = document_of(heard)
    error = said.get("error") if isinstance(said, dict) else None
    told = error if isinstance(error, str) else heard.body[:_LONGEST].decode(errors="replace")
    where = heard.code or (f"HTTP {heard.status}" if heard.status else "no answer")
    kind = _KINDS.get(heard.status, InvalidInstance if 400 <= heard.status < 500 else KnollError)
    if not heard.status:
        kind = Unavailable
    raise kind(f"{what}: {where}: {escaped(told[:_LONGEST])}", fix=_fix(kind, said))


def document_of(heard: "Heard") -> Any:
    """The JSON of an answer; None if it is none."""
    try:
        return json.loads(heard.body)
    except (ValueError, RecursionError):
        return None


def _fix(kind: type[KnollError], said: Any) -> str:
    example = json.dumps(said["example"]) if isinstance(said, dict) and said.get("example") else ""
    if kind is InvalidInstance:
        is_short = 0 < len(example) <= _LONGEST
        return f"a right request: {example}" if is_short else "docs/predict.md says what is read"
    if kind is NotFound:
        return "Client().models() lists the models; a new one may have no version yet"
    if kind is Unavailable:
        return "see that the platform runs, and that its URL is right; a longer timeout may help"
    return "the log of the predictor may say more; knoll why MODEL says what became of the version"
