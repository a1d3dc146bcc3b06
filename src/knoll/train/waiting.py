"""Why a run does not start. Train writes that as the run's progress, because the trainer does not run yet."""

import re
from datetime import UTC, datetime

from knoll.errors import InvalidEvent
from knoll.events import TRAINING_PROGRESSED, Event, new_event, reading
from knoll.kube.labels import JOB_LABEL, MODEL_LABEL
from knoll.ports import Platform
from knoll.records.progress import WAITING, Progress, find_progress, write_progress
from knoll.train.pods import obstacle

__all__ = ["note_obstacle", "note_waiting"]

_JOB_NAME = re.compile(r"[-a-z0-9]{1,63}")


def note_obstacle(event: Event, platform: Platform) -> None:
    """Write and publish why the Pod of this event does not start, if it does not.

    Raises InvalidEvent if the Pod is malformed, or if its labels name no run.
    """
    pod = event.data if isinstance(event.data, dict) else {}
    with reading(f"the Pod in event {event.id}"):
        labels = (pod.get("metadata") or {}).get("labels") or {}
        run, model, reason = labels.get(JOB_LABEL), labels.get(MODEL_LABEL), obstacle(pod)
    if not (run and model and reason):
        return
    if not isinstance(run, str) or not _JOB_NAME.fullmatch(run) or not run.startswith(f"{model}-"):
        raise InvalidEvent(f"event {event.id} is of a Pod whose labels name no run of a model")
    note_waiting(run, model, WAITING, reason, event, platform)


def note_waiting(run: str, model: str, state: str, reason: str, event: Event, platform: Platform) -> None:
    """Write and publish that a run is BLOCKED or WAITING, and why.

    Nothing is written if the record says so already, or if it is newer than the event.
    """
    before = find_progress(run, platform.bucket)
    attempt = before.attempt if before else 0
    progress = Progress(state, 0, None, {}, platform.clock.now().isoformat(), reason, attempt=attempt)
    if not _is_news(progress, event, before):
        return
    write_progress(run, progress, platform.bucket)
    data = {
        "runId": run,
        "model": model,
        "state": state,
        "reason": reason,
        "progressPercentage": 0,
        "estimatedRemainingSeconds": None,
        "metrics": {},
    }
    time, source = platform.clock.now(), platform.settings.source
    platform.events.publish(
        new_event(TRAINING_PROGRESSED, source=source, time=time, subject=model, data=data, cause=event)
    )


def _is_news(progress: Progress, event: Event, known: Progress | None) -> bool:
    """Whether the record says something else and is older than the event: events arrive late and out of
    order."""
    if known is None:
        return True
    says_more = (known.state, known.reason) != (progress.state, progress.reason)
    return says_more and _instant(known.updated_at) <= _instant(event.time)


def _instant(text: str) -> datetime:
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)
    return read if read.tzinfo else read.replace(tzinfo=UTC)
