"""The annotations that knoll writes and reads."""

__all__ = [
    "ATTEMPT",
    "COMPLETION_INDEX",
    "DEPLOYMENT_MODE",
    "LAST_APPLIED",
    "MAX_SCALE",
    "MIN_SCALE",
    "PROGRESS_DEADLINE",
    "RELEASE",
    "ROLLOUT_DURATION",
    "ROLLOUT_WISH",
    "TAG_ROUTING",
]

# of knoll
ATTEMPT = "knoll.dev/attempt"
RELEASE = "knoll.dev/release"
ROLLOUT_WISH = "knoll.dev/rollout-wish"

# of KServe and Knative
DEPLOYMENT_MODE = "serving.kserve.io/deploymentMode"
TAG_ROUTING = "serving.kserve.io/enable-tag-routing"
PROGRESS_DEADLINE = "serving.knative.dev/progress-deadline"
ROLLOUT_DURATION = "serving.knative.dev/rollout-duration"
MIN_SCALE = "autoscaling.knative.dev/min-scale"
MAX_SCALE = "autoscaling.knative.dev/max-scale"

# of Kubernetes
COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
