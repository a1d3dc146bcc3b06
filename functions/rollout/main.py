"""Bring a trained version to users, canary first, or roll it back."""

import functions_framework
from flask import Request, Response

from knoll.wiring.functions import Function
from knoll.wiring.platform import function_platform

_function = Function("rollout", function_platform)


@functions_framework.http
def rollout(request: Request) -> Response:
    """Answer one delivery of the broker."""
    return _function(request)
