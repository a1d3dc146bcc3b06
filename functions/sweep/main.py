"""Every step that a lost event left undone is found and done."""

import functions_framework
from flask import Request, Response

from knoll.wiring.functions import answer_request


@functions_framework.http
def sweep(request: Request) -> Response:
    """Answer one delivery of the broker."""
    return answer_request("sweep", request)
