"""Turn what a store posts into events, in Pods of its own."""

import functions_framework
from flask import Request, Response

from knoll.ingest.webhook import consent
from knoll.wiring.functions import Function
from knoll.wiring.platform import function_platform

_function = Function("notifications", function_platform, consent)


@functions_framework.http
def notifications(request: Request) -> Response:
    """Answer one notification of a bucket, or one delivery of the broker."""
    return _function(request)
