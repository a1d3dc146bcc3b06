"""The API version of each kind that knoll uses, and the names of the containers in its Pods."""

from knoll.models import API_VERSION as MODEL_API

__all__ = [
    "BROKER_API",
    "INFERENCE_SERVICE_API",
    "JOB_API",
    "MODEL_API",
    "PREDICTOR_CONTAINER",
    "REVISION_API",
    "SECRET_API",
    "SOURCE_API",
    "TRAINER_CONTAINER",
]

JOB_API = "batch/v1"
INFERENCE_SERVICE_API = "serving.kserve.io/v1beta1"
REVISION_API = "serving.knative.dev/v1"
SECRET_API = "v1"
BROKER_API = "eventing.knative.dev/v1"
SOURCE_API = "sources.knative.dev/v1"
TRAINER_CONTAINER = "trainer"
PREDICTOR_CONTAINER = "kserve-container"  # as KServe names it
