"""Names of HTTP headers, and of the extensions that brokers add to events, in lower case."""

from collections.abc import Iterable

__all__ = [
    "ACCEPT",
    "ACCEPT_ENCODING",
    "ALLOW",
    "ARRIVAL",
    "ASKED",
    "ATTRIBUTE",
    "AUTHORIZATION",
    "COMPARE",
    "CONNECTION",
    "CONTENT_ENCODING",
    "CONTENT_LENGTH",
    "CONTENT_TYPE",
    "COOKIE",
    "DATE",
    "DIGEST",
    "ERROR_CODE",
    "ERROR_DATA",
    "ERROR_DESTINATION",
    "FEEDBACK_COPY",
    "HEADERS_OF_AIOHTTP",
    "HOP_BY_HOP",
    "HOST",
    "IDEMPOTENCY_KEY",
    "LENGTH_OF_JSON",
    "OF_THE_BROKER",
    "ORIGIN",
    "PREDICTION",
    "REPLAY",
    "REQUEST_ID",
    "REQUEST_TIMEOUT",
    "RETRY_AFTER",
    "REVISION",
    "SEC_FETCH",
    "SEC_FETCH_MODE",
    "SEC_FETCH_SITE",
    "SERVER",
    "SERVER_TIMING",
    "SESSION",
    "TOKEN",
    "UPGRADE",
    "VERSION",
    "WARNINGS",
    "WEBHOOK_ALLOWED_ORIGIN",
    "WEBHOOK_ALLOWED_RATE",
    "WEBHOOK_ORIGIN",
    "WWW_AUTHENTICATE",
    "RawHeaders",
    "header_of",
]

RawHeaders = list[tuple[bytes, bytes]]  # as ASGI has them, with names in lower case

ACCEPT = "accept"
ACCEPT_ENCODING = "accept-encoding"
ALLOW = "allow"
AUTHORIZATION = "authorization"
CONNECTION = "connection"
CONTENT_ENCODING = "content-encoding"
CONTENT_LENGTH = "content-length"
CONTENT_TYPE = "content-type"
COOKIE = "cookie"
DATE = "date"
HOST = "host"
IDEMPOTENCY_KEY = "idempotency-key"  # in a question to a hook: the same question has the same one
LENGTH_OF_JSON = "inference-header-content-length"  # in V2: the bytes of JSON before those of tensors
ORIGIN = "origin"
REQUEST_ID = "x-request-id"  # the name that a client or a proxy gives to a request: its answer has it, too
REQUEST_TIMEOUT = "x-request-timeout"  # in a request: after so many seconds nobody waits for its answer
RETRY_AFTER = "retry-after"
SEC_FETCH = "sec-fetch-"  # so begin the headers in which a browser says what sends a request
SEC_FETCH_MODE = "sec-fetch-mode"
SEC_FETCH_SITE = "sec-fetch-site"
SERVER = "server"
SERVER_TIMING = "server-timing"  # in the first answers of a predictor: how long the parts of its start took
UPGRADE = "upgrade"
WEBHOOK_ALLOWED_ORIGIN = "webhook-allowed-origin"
WEBHOOK_ALLOWED_RATE = "webhook-allowed-rate"
WEBHOOK_ORIGIN = "webhook-request-origin"
WWW_AUTHENTICATE = "www-authenticate"

HEADERS_OF_AIOHTTP = (ACCEPT, ACCEPT_ENCODING, "user-agent", CONTENT_TYPE)  # which its client adds by itself
HOP_BY_HOP = frozenset(  # what a proxy hands to nobody (RFC 9110, 7.6.1), and what it writes itself
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer "
    b"transfer-encoding upgrade content-length host".split()
)

ATTRIBUTE = "ce-"  # so begin the headers that carry attributes of a CloudEvent
VERSION = "x-model-version"  # in every answer of a predictor: the version that answered
COMPARE = "x-knoll-compare"  # in the copy of a request: the id of the answer that another version gave to it
FEEDBACK_COPY = "feedback-copy"  # the same header in a copy of feedback
DIGEST = "x-model-digest"  # in every answer of a predictor: the sha256 of the version's manifest, in hex
PREDICTION = "x-knoll-prediction"  # in an answer with classes: the id with which feedback comes back
REPLAY = "x-knoll-replay"  # in a request of a rollout: the proof that it is none of a user
REVISION = "x-knoll-revision"  # in every answer through the laptop's gateway: the Revision that answered
SESSION = (
    "x-knoll-session"  # in a request by way of a router: the session of its visitor, by `rollout.sticky`
)
TOKEN = "x-knoll-token"  # in every request of the laptop's gateway to a predictor, which refuses others
WARNINGS = "x-model-warnings"  # in an answer of a predictor: what it converted of the request, such as a size

OF_THE_BROKER = "knative"  # so begin the extensions that brokers add
ASKED = "knollasked"  # in a report on a laptop: how many requests the gateway has sent to that Revision
ARRIVAL = "knativearrivaltime"  # when the event came to the broker
ERROR_DESTINATION = "knativeerrordest"  # of a dead letter: the subscriber that did not take it
ERROR_CODE = "knativeerrorcode"  # of a dead letter: the status of the subscriber's last answer
ERROR_DATA = "knativeerrordata"  # of a dead letter: the body of that answer


def header_of(headers: Iterable[tuple[bytes, bytes]], name: str) -> bytes:
    """The value of a header; of several the last, of none the empty one."""
    wanted, found = name.encode(), b""
    for one, value in headers:
        if one == wanted:
            found = value
    return found
