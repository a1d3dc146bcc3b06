"""Keep each event that no function took in the model bucket, until a person looks at it."""

import functions_framework
from flask import Request, Response

from knoll.wiring.functions import Function
from knoll.wiring.platform import process_platform

_function = Function("dead-letters", process_platform)


@functions_framework.http
def dead_letters(request: Request) -> Response:
    """Answer one delivery of the broker to its dead-letter sink."""
    return _function(request)
