"""Paths of URLs that more than one part knows."""

from urllib.parse import quote

__all__ = [
    "BROKER",
    "FEEDBACK",
    "FUNCTIONS",
    "LABELLED",
    "LIVE",
    "MODELS",
    "MODEL_INFER",
    "MODEL_READY",
    "POSTED",
    "PREDICTED",
    "READ",
    "READY",
    "SERVER",
    "V1_MODEL",
    "V2_MODEL",
    "feedback_path",
    "path_of",
    "predict_path",
]

BROKER = "/broker"  # of the laptop: it takes events
FEEDBACK = ":feedback"  # behind the path of a model: true labels for its answers
FUNCTIONS = "/functions/"  # of the laptop: below it, each function takes what it would get on a cluster
LIVE = "/v2/health/live"  # of a predictor, a router, and of the laptop's gateway
READY = "/v2/health/ready"  # of a predictor, and of the laptop's gateway
SERVER = "/v2"  # what V2 says of a server
MODELS = ("/v1/models", "/v2/models")  # of V1 and V2: the names of all models
V1_MODEL, V2_MODEL = (f"{path}/{{model}}" for path in MODELS)
MODEL_READY = f"{V2_MODEL}/ready"
PREDICTED = (f"{V1_MODEL}:predict", f"{V2_MODEL}/infer")  # of V1 and V2: predict requests
MODEL_INFER = "/inference.GRPCInferenceService/ModelInfer"  # of gRPC: the same as infer of V2
LABELLED = f"{V1_MODEL}{FEEDBACK}"
POSTED = (*PREDICTED, f"{V1_MODEL}:explain", LABELLED)  # requests with a body
READ = (V1_MODEL, V2_MODEL, MODEL_READY)  # what is said of a model


def predict_path(model: str) -> str:
    """Where V1 requests for a model go, below the URL of a predictor or gateway."""
    return path_of(PREDICTED[0], model)


def feedback_path(model: str) -> str:
    """Where true labels for answers of a model go, below the same URL."""
    return path_of(LABELLED, model)


def path_of(template: str, model: str) -> str:
    """One of the paths above, for a model."""
    return template.format(model=quote(model, safe=""))
