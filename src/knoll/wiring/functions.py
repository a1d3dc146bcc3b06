"""The deployable functions, for Knative and the laptop alike: each answers POSTs as its stage does.

docs/events.md says what a function answers, and what a broker does then.
"""

import threading
from collections.abc import Callable

from flask import Request
from flask import Response as FlaskResponse
from werkzeug.exceptions import RequestEntityTooLarge

from knoll.errors import Unavailable
from knoll.events.http import Response, refusal, respond
from knoll.ports import Platform
from knoll.settings import Settings, read_settings
from knoll.wiring.logs import escape_logs
from knoll.wiring.stages import STAGES, Headers

__all__ = ["Function", "answer"]


def answer(name: str, headers: Headers, body: bytes, platform: Platform) -> Response:
    """What the function `name` answers to one POST."""
    return respond(lambda: STAGES[name].receive(headers, body, platform))


class Function:
    """One function in a process of its own, which answers Flask's requests, and the health paths that Knative
    and func probe.

    `make` makes its platform at the first request, and again until it succeeds. `options` turns the headers
    of an OPTIONS request into those of the answer.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[Settings], Platform],
        options: Callable[[Headers], Headers] | None = None,
    ) -> None:
        escape_logs()
        self._name, self._make, self._options = name, make, options
        self._lock = threading.Lock()
        self._made: Platform | None = None

    def __call__(self, request: Request) -> FlaskResponse:
        """Answer one request."""
        headers = dict(request.headers)
        if request.method == "GET" and request.path.startswith("/health/"):
            return FlaskResponse(status=200)
        if request.method == "OPTIONS" and self._options:
            return FlaskResponse(status=200, headers=dict(self._options(headers)))
        try:
            platform = self._platform()
        except Unavailable as error:
            return _in_flask(refusal(503, str(error)))
        request.max_content_length = STAGES[self._name].limit
        try:
            body = request.get_data()
        except RequestEntityTooLarge:
            return _in_flask(refusal(413, f"the body is longer than {request.max_content_length:,} bytes"))
        return _in_flask(answer(self._name, headers, body, platform))

    def _platform(self) -> Platform:
        with self._lock:
            if self._made is None:
                self._made = self._make(read_settings())
            return self._made


def _in_flask(answered: Response) -> FlaskResponse:
    return FlaskResponse(answered.body, answered.status, headers=dict(answered.headers))
