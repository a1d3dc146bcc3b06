"""Names of HTTP headers, in lower case."""

__all__ = ["ATTRIBUTE", "DIGEST", "REPLAY", "REVISION", "TOKEN", "VERSION", "WARNINGS"]

ATTRIBUTE = "ce-"  # so begin the headers that carry attributes of a CloudEvent
VERSION = "x-model-version"  # in every answer of a predictor: the version that answered
DIGEST = "x-model-digest"  # in every answer of a predictor: the sha256 of the version's manifest, in hex
REPLAY = "x-knoll-replay"  # in a request that a rollout sends: the predictor does not count it
REVISION = "x-knoll-revision"  # in every answer through the laptop's gateway: the Revision that answered
TOKEN = "x-knoll-token"  # in every request of the laptop's gateway to a predictor, which refuses others
WARNINGS = "x-model-warnings"  # in an answer of a predictor: what it converted of the request, such as a size
