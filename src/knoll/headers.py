"""Names of HTTP headers, and of the extensions that brokers add to events, in lower case."""

__all__ = [
    "ARRIVAL",
    "ASKED",
    "ATTRIBUTE",
    "COMPARE",
    "DIGEST",
    "ERROR_CODE",
    "ERROR_DATA",
    "ERROR_DESTINATION",
    "OF_THE_BROKER",
    "PREDICTION",
    "REPLAY",
    "REVISION",
    "SESSION",
    "TOKEN",
    "VERSION",
    "WARNINGS",
]

ATTRIBUTE = "ce-"  # so begin the headers that carry attributes of a CloudEvent
VERSION = "x-model-version"  # in every answer of a predictor: the version that answered
COMPARE = "x-knoll-compare"  # in the copy of a request: the id of the answer that another version gave to it
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
