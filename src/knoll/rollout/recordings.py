"""Requests that the champion was asked: read from the report of its predictor, and kept in the model bucket
while the Model asks for that."""

from collections.abc import Sequence
from typing import Any

from knoll.errors import InvalidModel
from knoll.events import Event, WrongField, reading
from knoll.models import Model, parse_model
from knoll.models.recorded import RecordedSpec
from knoll.names import VERSION_NAME
from knoll.ports import Bucket, Document, Platform
from knoll.proofs import RECORDED_PURPOSE, is_proven
from knoll.records.recorded import (
    MOST_OF_ONE,
    REQUEST_ID,
    RecordedRequest,
    claimed,
    drop_recorded,
    find_recorded,
    list_recorded,
    remove_recorded,
    write_recorded,
)
from knoll.rollout.disbelieved import disbelieve, read_or_disbelieve
from knoll.rollout.revision_keys import key_of_revision
from knoll.rollout.slot import Slot, slot_from_status
from knoll.rollout.world import is_observed

__all__ = ["FEWEST", "drop_unwanted", "find_usable", "keep_recorded", "read_recorded"]

FEWEST = 50  # recorded requests; with fewer of them, held-out samples are replayed
_MOST = 20  # of one report
_LATE, _EARLY = 3600, 60  # seconds that a request may lie behind the present, and before it


def read_recorded(model: str, event: Event) -> Sequence[RecordedRequest]:
    """Read the requests in the event. Raises InvalidEvent if there are too many, or if one is none."""
    with reading(f"the requests in event {event.id}"):
        data = event.data
        version, redacted, found = data["version"], data["redacted"], data["requests"]
        if not (isinstance(version, str) and VERSION_NAME.fullmatch(version)):
            raise WrongField("version is no version")
        if not (isinstance(redacted, list) and all(isinstance(one, str) for one in redacted)):
            raise WrongField("redacted is no list of names")
        if not (isinstance(found, list) and len(found) <= _MOST):
            raise WrongField(f"requests is no list of at most {_MOST}")
        return [_read_one(model, version, tuple(redacted), one) for one in found]


def keep_recorded(model: str, event: Event, platform: Platform) -> bool:
    """Keep requests that the champion was asked, if the Model asks for it; the rollout does not go on by
    them.

    What a predictor has redacted less than the Model asks for is dropped. If a report is not believed, it is
    counted as such. Raises NotFound if there is no such Model.
    """
    document = platform.cluster.get("Model", model)
    requests, policy = read_or_disbelieve(read_recorded, event, document, platform), _policy(document)
    slot = slot_from_status(document.get("status") or {})
    if not (requests and policy) or any(not _is_wanted(one, policy) for one in requests):
        return False
    if requests[0].version != slot.champion:
        return False
    now = platform.clock.now().timestamp()
    key, proof = key_of_revision(document, slot, slot.champion, platform.settings), event.data.get("proof")
    if not (key and isinstance(proof, str) and is_proven(proof, key, RECORDED_PURPOSE, claimed(requests))):
        why = "they have no proof by the key of the Revision that was asked"
        disbelieve(document, f"of requests to {slot.champion}: {why}", platform)
    elif all(now - _LATE <= one.at <= now + _EARLY for one in requests):
        write_recorded(requests, policy.keep, now, platform.bucket)
    return False


def find_usable(
    model: Model, first: int, number: int, now: float, bucket: Bucket
) -> Sequence[tuple[str, RecordedRequest]]:
    """That many recorded requests behind the `first` ones, and after the last one anew, each with its URI;
    none if too few are kept. Those that are gone, or not redacted as the Model asks now, are left out."""
    policy = model.rollout.recorded
    if policy is None:
        return []
    fresh = [one.info.uri for one in list_recorded(bucket, model.name) if not one.is_old(now)]
    if len(fresh) < FEWEST:
        return []
    uris = [fresh[index % len(fresh)] for index in range(first, first + number)]
    found = ((uri, find_recorded(uri, bucket)) for uri in uris)
    return [(uri, one) for uri, one in found if one and _is_wanted(one, policy)]


def drop_unwanted(document: Document, model: Model, slot: Slot, bucket: Bucket) -> None:
    """After a change of the Model, remove the recorded requests that it does not ask for any more."""
    if is_observed(document) or not slot.champion:
        return
    policy = model.rollout.recorded
    if policy is None:
        remove_recorded(model.name, bucket)
        return
    for one in list_recorded(bucket, model.name):
        found = find_recorded(one.info.uri, bucket) if policy.redact else None
        if found and not _is_wanted(found, policy):
            drop_recorded(one.info.uri, bucket)


def _is_wanted(one: RecordedRequest, policy: RecordedSpec) -> bool:
    """Whether it is redacted as the Model asks."""
    return {*policy.redact} <= {*one.redacted}


def _read_one(model: str, version: str, redacted: tuple[str, ...], found: Any) -> RecordedRequest:
    id, at, body = found["id"], found["at"], found["body"]
    if not (isinstance(id, str) and REQUEST_ID.fullmatch(id)):
        raise WrongField("id is no number in the id of an answer")
    if not (type(at) is int and isinstance(body, str) and len(body) <= MOST_OF_ONE):
        raise WrongField("at is no time, or body is no short text")
    return RecordedRequest(model, version, id, at, body, redacted)


def _policy(document: Document) -> RecordedSpec | None:
    """What the Model says of recorded requests; None if nothing, or if it has faults."""
    try:
        return parse_model(document).rollout.recorded
    except InvalidModel:
        return None
