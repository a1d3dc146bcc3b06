"""Turn bucket notifications into events, and a complete dataset into `dataset.landed`."""

import functions_framework
from flask import Request, Response

from knoll.ingest.webhook import consent
from knoll.wiring.functions import Function
from knoll.wiring.platform import function_platform

_function = Function("ingest", function_platform, consent)


@functions_framework.http
def ingest(request: Request) -> Response:
    """Answer one delivery of the broker, or one notification of a bucket."""
    return _function(request)
