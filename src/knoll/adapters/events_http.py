"""Sends events to a broker over HTTP: structured CloudEvents, posted to the sink that Knative or the laptop
names."""

import time

import httpx

from knoll.adapters.http_faults import why_no_answer
from knoll.errors import Unavailable
from knoll.events import Event
from knoll.events.http import event_to_http
from knoll.headers import AUTHORIZATION

__all__ = ["HttpEvents"]

_PAUSES = (0.1, 0.5, 2.0)  # seconds before the second, third and last try
_LATER = {404, 408, 409, 425, 429}  # Knative tries again after these and after 5xx


class HttpEvents:
    """`ports.Events` on one sink. Threads may share it. `token` is shown to the sink, `timeout` is in
    seconds, per try."""

    def __init__(self, sink: str, token: str = "", *, timeout: float = 10.0) -> None:
        self._sink = sink
        shown = {AUTHORIZATION: f"Bearer {token}"} if token else {}
        self._client = httpx.Client(timeout=timeout, trust_env=False, headers=shown)

    def publish(self, event: Event) -> None:
        """See `ports.Events.publish`; four tries in about three seconds."""
        headers, body = event_to_http(event)
        for pause in (*_PAUSES, None):
            reason, is_final = self._send(headers, body)
            if not reason:
                return
            if is_final or pause is None:
                break
            time.sleep(pause)
        raise Unavailable(
            f"the broker did not take {event.type} {event.id}: {reason}",
            fix=f"check that {self._sink or 'K_SINK'} is the broker's URL, and that the broker is up",
        )

    def _send(self, headers: dict[str, str], body: bytes) -> tuple[str, bool]:
        """Why the broker did not take it, "" if it did; and whether another try is useless."""
        try:
            answer = self._client.post(self._sink, headers=headers, content=body)
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            return why_no_answer(error), True
        except httpx.HTTPError as error:
            return why_no_answer(error), False
        if answer.is_success:
            return "", True
        return (
            f"it answered {answer.status_code}",
            answer.status_code < 500 and answer.status_code not in _LATER,
        )
