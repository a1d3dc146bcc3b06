"""Why a run does not start, written where its progress is: the trainer itself cannot tell before it runs."""

import re
from datetime import UTC, datetime

from knoll.errors import InvalidEvent, NotFound
from knoll.events import TRAINING_PROGRESSED, Event, new_event, reading
from knoll.kube.labels import MODEL_LABEL
from knoll.ports import Platform
from knoll.records.progress import Progress, load_progress, progress_uri
from knoll.train.pods import JOB_LABEL, obstacle

__all__ = ["note_obstacle", "note_waiting"]

_JOB_NAME = re.compile(r"[-a-z0-9]{1,63}")


def note_obstacle(event: Event, platform: Platform) -> None:
    """Write and publish what keeps the Pod of this event from starting, unless that is known, or the trainer
    has spoken since.

    Raises Rejected when the Pod is of no form that Kubernetes knows, or claims to be of a run that cannot be.
    """
    pod = event.data if isinstance(event.data, dict) else {}
    with reading(f"the Pod in event {event.id}"):
        labels = (pod.get("metadata") or {}).get("labels") or {}
        run, model, reason = labels.get(JOB_LABEL), labels.get(MODEL_LABEL), obstacle(pod)
    if not (run and model and reason):
        return
    if not isinstance(run, str) or not _JOB_NAME.fullmatch(run) or not run.startswith(f"{model}-"):
        raise InvalidEvent(f"event {event.id} is of a Pod whose labels name no run of a model")
    note_waiting(run, model, f"waiting: {reason}", platform, event)


def note_waiting(run: str, model: str, state: str, platform: Platform, event: Event) -> None:
    """Write and publish why a run does not go on, unless that is known, or the trainer has spoken since."""
    uri = progress_uri(platform.settings.model_root, run)
    if not _is_news(state, event, _known(uri, platform)):
        return
    progress = Progress(state, 0, None, {}, platform.clock.now().isoformat())
    platform.store.put(uri, progress.encode(), content_type="application/json")
    data = {
        "runId": run,
        "model": model,
        "state": state,
        "progressPercentage": 0,
        "estimatedRemainingSeconds": None,
        "metrics": {},
    }
    time = platform.clock.now()
    platform.events.publish(
        new_event(
            TRAINING_PROGRESSED,
            source=platform.settings.source,
            time=time,
            subject=model,
            data=data,
            cause=event,
        )
    )


def _known(uri: str, platform: Platform) -> Progress | None:
    try:
        return load_progress(platform.store.get(uri))
    except NotFound:
        return None


def _is_news(state: str, event: Event, known: Progress | None) -> bool:
    """Whether the record says something else, and is not from after the event: events arrive late, and out of
    order."""
    return known is None or (known.state != state and _instant(known.updated_at) <= _instant(event.time))


def _instant(text: str) -> datetime:
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)
    return read if read.tzinfo else read.replace(tzinfo=UTC)
