"""What a client is told of an exception in a user's class: the statuses of kserve's own server."""

import logging

from kserve.errors import InvalidInput, ModelNotFound, ModelNotReady
from starlette.exceptions import HTTPException

from knoll.errors import InvalidInstance, NotFound, Unavailable
from knoll.headers import RETRY_AFTER
from knoll.predict.answer import Answer, refusal
from knoll.request_limits import RETRY_SECONDS

__all__ = ["refusal_of"]

_log = logging.getLogger(__name__)
_LEAST = 400


def refusal_of(error: Exception, named: str) -> Answer:
    """The answer. What is not a refusal is logged, and a fault of the class with that name."""
    match error:
        case InvalidInput():
            return refusal(400, str(error))
        case InvalidInstance():
            return refusal(400, f"{error}; {error.fix}" if error.fix else str(error))
        case ModelNotFound() | NotFound():
            return refusal(404, str(error))
        case ModelNotReady() | Unavailable():
            answer = refusal(503, str(error))
            return Answer(answer.status, answer.body, {**answer.headers, RETRY_AFTER: str(RETRY_SECONDS)})
        case HTTPException() if error.status_code >= _LEAST:
            return refusal(error.status_code, str(error.detail))
        case NotImplementedError():
            return refusal(501, f"{named}: {error}")
    _log.error("%s failed", named, exc_info=error)
    return refusal(500, f"{named} failed with {type(error).__name__}; the log of the predictor says why")
