"""Events: CloudEvents as values, their types, and how JSON becomes an event."""

from knoll.events.event import Event, new_event, object_changed, run_asked_for
from knoll.events.foreign import read_json, reading
from knoll.events.structured import event_from_json, event_to_json, is_timestamp
from knoll.events.types import (
    DATASET_LANDED,
    OBJECT_CHANGED,
    OBJECT_CREATED,
    PREDICTOR_OBSERVED,
    ROLLOUT_CONTINUED,
    ROLLOUT_DAMAGED,
    ROLLOUT_FELLBACK,
    ROLLOUT_HELD,
    ROLLOUT_PROMOTED,
    ROLLOUT_ROLLEDBACK,
    ROLLOUT_SHIFTED,
    ROLLOUT_STARTED,
    TICK,
    TRAINING_FAILED,
    TRAINING_PROGRESSED,
    TRAINING_STARTED,
    TRAINING_SUCCEEDED,
)

__all__ = [
    "DATASET_LANDED",
    "OBJECT_CHANGED",
    "OBJECT_CREATED",
    "PREDICTOR_OBSERVED",
    "ROLLOUT_CONTINUED",
    "ROLLOUT_DAMAGED",
    "ROLLOUT_FELLBACK",
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
    "Event",
    "event_from_json",
    "event_to_json",
    "is_timestamp",
    "new_event",
    "object_changed",
    "read_json",
    "reading",
    "run_asked_for",
]
