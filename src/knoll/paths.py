"""Paths of URLs that more than one part knows."""

from urllib.parse import quote

__all__ = [
    "BROKER",
    "FEEDBACK",
    "FUNCTIONS",
    "LABELLED",
    "LIVE",
    "POSTED",
    "PREDICTED",
    "READ",
    "READY",
    "feedback_path",
    "predict_path",
]

BROKER = "/broker"  # of the laptop: it takes events
FEEDBACK = ":feedback"  # behind the path of a model: true labels for its answers
FUNCTIONS = "/functions/"  # of the laptop: below it, each function takes what it would get on a cluster
LIVE = "/v2/health/live"  # of a predictor, a router, and of the laptop's gateway
READY = "/v2/health/ready"  # of a predictor, and of the laptop's gateway
PREDICTED = ("/v1/models/{model}:predict", "/v2/models/{model}/infer")  # of V1 and V2: predict requests
LABELLED = f"/v1/models/{{model}}{FEEDBACK}"
POSTED = (*PREDICTED, "/v1/models/{model}:explain", LABELLED)  # requests with a body
READ = ("/v1/models/{model}", "/v2/models/{model}", "/v2/models/{model}/ready")  # what is said of a model


def predict_path(model: str) -> str:
    """Where V1 requests for a model go, below the URL of a predictor or gateway."""
    return f"/v1/models/{quote(model, safe='')}:predict"


def feedback_path(model: str) -> str:
    """Where true labels for answers of a model go, below the same URL."""
    return f"/v1/models/{quote(model, safe='')}{FEEDBACK}"
