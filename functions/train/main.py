"""Give each landed dataset exactly one training Job."""

import functions_framework
from flask import Request, Response

from knoll.wiring.functions import Function
from knoll.wiring.platform import function_platform

_function = Function("train", function_platform)


@functions_framework.http
def train(request: Request) -> Response:
    """Answer one delivery of the broker."""
    return _function(request)
