"""The API version of each kind that knoll uses."""

from knoll.models import API_VERSION as MODEL_API

__all__ = ["BROKER_API", "INFERENCE_SERVICE_API", "JOB_API", "MODEL_API", "REVISION_API", "SOURCE_API"]

JOB_API = "batch/v1"
INFERENCE_SERVICE_API = "serving.kserve.io/v1beta1"
REVISION_API = "serving.knative.dev/v1"
BROKER_API = "eventing.knative.dev/v1"
SOURCE_API = "sources.knative.dev/v1"
