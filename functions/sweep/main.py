"""Do every step that is due, or that a lost event left undone."""

import functions_framework
from flask import Request, Response

from knoll.wiring.functions import Function
from knoll.wiring.platform import probing_platform

_function = Function("sweep", probing_platform)


@functions_framework.http
def sweep(request: Request) -> Response:
    """Answer one delivery of the broker."""
    return _function(request)
