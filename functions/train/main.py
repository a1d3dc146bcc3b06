"""A landed dataset becomes exactly one training Job."""

import functions_framework
from flask import Request, Response

from knoll.wiring.functions import answer_request


@functions_framework.http
def train(request: Request) -> Response:
    """Answer one delivery of the broker."""
    return answer_request("train", request)
