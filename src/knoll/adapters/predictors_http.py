"""Requests to predictors over HTTP; each waits long enough for a replica that has to start first."""

import time
from urllib.parse import urlsplit

import httpx

from knoll.adapters.http_faults import why_no_answer
from knoll.headers import ACCEPT, CONTENT_TYPE, HOST, PREDICTION, REPLAY, VERSION
from knoll.media_types import JSON, TEXT
from knoll.paths import feedback_path, predict_path
from knoll.ports import PredictAnswer, PredictRequest

__all__ = ["HttpPredictors"]

_CONNECT_SECONDS = 10.0


class HttpPredictors:
    """`ports.Predictors` over HTTP. Threads may share it.

    With a `gateway`, such as http://127.0.0.1:31080, every request goes there, and its Host header names the
    predictor. Use it where the names of a cluster's Services do not resolve.
    """

    def __init__(self, gateway: str = "") -> None:
        self._gateway = gateway
        self._client = httpx.Client(trust_env=False)

    def predict(self, request: PredictRequest) -> PredictAnswer:
        """See `ports.Predictors.predict`. If there is no answer, the body says why."""
        headers = {CONTENT_TYPE: JSON, ACCEPT: request.accept}
        if request.replay:
            headers[REPLAY] = request.replay
        if self._gateway:
            headers[HOST] = urlsplit(request.url).netloc
        path = (predict_path if request.verb == "predict" else feedback_path)(request.model)
        started = time.perf_counter()
        try:
            answer = self._client.post(
                (self._gateway or request.url).rstrip("/") + path,
                content=request.body,
                headers=headers,
                timeout=httpx.Timeout(request.seconds, connect=min(request.seconds, _CONNECT_SECONDS)),
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = why_no_answer(error).encode()
            return PredictAnswer(0, time.perf_counter() - started, reason, TEXT, "")
        return PredictAnswer(
            status=answer.status_code,
            seconds=time.perf_counter() - started,
            body=answer.content,
            content_type=answer.headers.get(CONTENT_TYPE, ""),
            version=answer.headers.get(VERSION, ""),
            id=answer.headers.get(PREDICTION, ""),
        )
