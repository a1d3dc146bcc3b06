"""The types of events; `docs/events.md` says who sends which of them, and with what data."""

__all__ = [
    "DATASET_LANDED",
    "OBJECT_CHANGED",
    "OBJECT_CREATED",
    "PREDICTOR_OBSERVED",
    "ROLLOUT_CONTINUED",
    "ROLLOUT_HELD",
    "ROLLOUT_PROMOTED",
    "ROLLOUT_ROLLEDBACK",
    "ROLLOUT_SHIFTED",
    "ROLLOUT_STARTED",
    "TICK",
    "TRAINING_FAILED",
    "TRAINING_PROGRESSED",
    "TRAINING_STARTED",
    "TRAINING_SUCCEEDED",
]

OBJECT_CREATED = "com.amazonaws.s3.ObjectCreated:"  # a prefix: Put, Post, Copy, CompleteMultipartUpload
OBJECT_CHANGED = "dev.knative.apiserver.resource.update"
DATASET_LANDED = "dev.knoll.dataset.landed"
TRAINING_STARTED = "dev.knoll.training.started"
TRAINING_PROGRESSED = "dev.knoll.training.progressed"
TRAINING_SUCCEEDED = "dev.knoll.training.succeeded"
TRAINING_FAILED = "dev.knoll.training.failed"
PREDICTOR_OBSERVED = "dev.knoll.predictor.observed"
ROLLOUT_CONTINUED = "dev.knoll.rollout.continued"
ROLLOUT_STARTED = "dev.knoll.rollout.started"
ROLLOUT_SHIFTED = "dev.knoll.rollout.shifted"
ROLLOUT_HELD = "dev.knoll.rollout.held"
ROLLOUT_PROMOTED = "dev.knoll.rollout.promoted"
ROLLOUT_ROLLEDBACK = "dev.knoll.rollout.rolledback"
TICK = "dev.knoll.tick"
