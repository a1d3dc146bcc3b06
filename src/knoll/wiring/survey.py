"""The survey of the model bucket: now and then, a tick looks for strays, and names each of them once, in the
log and in a condition of its Model.

One listing shows all names. The objects that are new since the last survey are read, too; the first survey
reads some of all. `knoll doctor` reads each.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice

from knoll.errors import Conflict, NotFound
from knoll.events import Event
from knoll.kube.times import timestamp
from knoll.ports import Document, ObjectInfo, Platform
from knoll.quoting import escaped, some_of
from knoll.records.strays import find_strays, model_of_key
from knoll.records.survey import Survey, find_survey, write_survey

__all__ = ["CONDITION", "survey"]

CONDITION = "BucketClean"
_LOG = logging.getLogger(__name__)
_MOST_READ, _MOST_NAMED = 5_000, 1_000
_OVERLAP = timedelta(minutes=2)  # between the clocks of the store and of this process


def survey(event: Event, platform: Platform) -> None:  # noqa: ARG001 - the signature of every stage's sweep
    """Look for strays, if the last look was long enough ago. The first tick only notes its time."""
    bucket, now = platform.bucket, platform.clock.now()
    last = find_survey(bucket)
    if last is None:
        write_survey(Survey(now.isoformat()), bucket)
        return
    passed = now - datetime.fromisoformat(last.at)
    if timedelta(0) <= passed < timedelta(seconds=platform.settings.survey):
        return
    damage = (one for one in find_strays(bucket, _Budget(last)) if not one.fix)  # else a newer knoll reads it
    found = islice(damage, _MOST_NAMED)
    strays = {one.key: one.why for one in found}
    for key in sorted(strays.keys() - last.strays.keys()):
        _LOG.warning("ignored in the model bucket: %s: %s", escaped(key), escaped(strays[key]))
    _tell_models(strays, now, platform)
    write_survey(Survey(now.isoformat(), (now - _OVERLAP).isoformat(), strays), bucket)


class _Budget:
    """Says whether an object is read: if it is new since the last survey, or was a stray then."""

    def __init__(self, last: Survey) -> None:
        self._last, self._left = last, _MOST_READ

    def __call__(self, one: ObjectInfo) -> bool:
        is_new = one.modified.isoformat() >= self._last.since
        wanted = is_new or any(one.uri.endswith(f"/{key}") for key in self._last.strays)
        self._left -= wanted
        return wanted and self._left >= 0


def _tell_models(strays: Mapping[str, str], now: datetime, platform: Platform) -> None:
    documents = platform.cluster.list("Model")
    of_model: dict[str, list[str]] = {one["metadata"]["name"]: [] for one in documents}
    for key in sorted(strays):
        of_model.setdefault(model_of_key(key, of_model), []).append(key)
    for document in documents:
        keys = of_model[document["metadata"]["name"]]
        told = with_condition(document, keys, timestamp(now))
        if told != document:
            with suppress(Conflict, NotFound):  # the next survey says it
                platform.cluster.update(told, status=True)


def with_condition(document: Document, keys: Sequence[str], at: str) -> Document:
    """The Model with the condition that names its strays; without one, if there are none."""
    status = document.get("status") or {}
    before = [one for one in status.get("conditions") or [] if isinstance(one, dict)]
    others = [one for one in before if one.get("type") != CONDITION]
    if not keys:
        return (
            document
            if len(others) == len(before)
            else {**document, "status": {**status, "conditions": others}}
        )
    message = f"ignored in the model bucket: {some_of(keys)}; knoll doctor says why"
    told = {"type": CONDITION, "status": "False", "reason": "Strays", "message": message}
    if any({**one, "lastTransitionTime": ""} == {**told, "lastTransitionTime": ""} for one in before):
        return document
    since = next((one.get("lastTransitionTime") for one in before if one.get("type") == CONDITION), None)
    conditions = [*others, {**told, "lastTransitionTime": since or at}]
    return {**document, "status": {**status, "conditions": conditions}}
