"""A trained version becomes the champion, canary first, or is rolled back."""

import functions_framework
from flask import Request, Response

from knoll.wiring.functions import answer_request


@functions_framework.http
def rollout(request: Request) -> Response:
    """Answer one delivery of the broker."""
    return answer_request("rollout", request)
