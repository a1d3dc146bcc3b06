"""Errors for answers that hold none."""

import json
from typing import TYPE_CHECKING, Any

from knoll.errors import InvalidInstance, KnollError, NotFound, Rejected, Unavailable
from knoll.quoting import escaped

if TYPE_CHECKING:
    from knoll.client.steps import Heard

__all__ = ["checked", "document_of", "example_in", "told_in"]

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
    kind = _KINDS.get(heard.status, InvalidInstance if 400 <= heard.status < 500 else KnollError)
    if not heard.status:
        kind = Unavailable
    raise kind(f"{what}: {told_in(heard.status, heard.body, heard.code)}", fix=_fix(kind, heard.body))


def document_of(heard: "Heard") -> Any:
    """The JSON of an answer; None if it is none."""
    return _read(heard.body)


def told_in(status: int, body: bytes, code: str = "", place: str = "") -> str:
    """The status, or the code of gRPC, of an answer that refuses, and the place that it is from; and what its
    body says is wrong, or else its first characters. In one line."""
    said = _read(body)
    error = said.get("error") if isinstance(said, dict) else None
    told = error if isinstance(error, str) else body[:_LONGEST].decode(errors="replace")
    what = code or (f"HTTP {status}" if status else "no answer")
    short = escaped(told if len(told) <= _LONGEST else f"{told[:_LONGEST]}…")
    return f"{what} from {place}: {short}" if place else f"{what}: {short}"


def example_in(body: bytes) -> str:
    """The right request that the body of an answer shows, as JSON; "" if it shows none, or a long one."""
    said = _read(body)
    example = json.dumps(said["example"]) if isinstance(said, dict) and said.get("example") else ""
    return example if len(example) <= _LONGEST else ""


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _fix(kind: type[KnollError], body: bytes) -> str:
    if kind is InvalidInstance:
        example = example_in(body)
        return f"a right request: {example}" if example else "docs/predict.md says what is read"
    if kind is NotFound:
        return "Client().models() lists the models; a new one may have no version yet"
    if kind is Unavailable:
        return "see that the platform runs, and that its URL is right; a longer timeout may help"
    return "the log of the predictor may say more; knoll why MODEL says what became of the version"
