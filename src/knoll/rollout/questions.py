"""What is replayed: recorded requests, if enough are kept, else the held-out samples of the candidate; and
what the answers of both versions say.

To a sample, the training of the candidate has said what is right. A recorded request is held against what the
champion answers now, beside the candidate. If the champion refuses it, it says nothing and is removed: as
after a change of the inputs, or if the zeros for what was redacted make no sense.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

from knoll.errors import InvalidVersion, Rejected
from knoll.models import Model
from knoll.ports import Bucket, Platform, PredictAnswer
from knoll.records.samples import Sample, find_samples
from knoll.rollout.comparison import agrees, compared_samples, label_of, spreads
from knoll.rollout.found_change import find_change
from knoll.rollout.recordings import find_usable
from knoll.rollout.slot import Slot

__all__ = ["BUSY", "ReplayQuestion", "body_of", "is_refused", "prediction_of", "questions_of"]

BUSY = (408, 429)  # statuses that a try later may not have


@dataclass(frozen=True)
class ReplayQuestion:
    """A V1 request. `expected` is the prediction that training gave. A recorded one has none, but a `uri`,
    and the `spread` of each number of the champion's answers."""

    body: bytes
    expected: Any = None
    uri: str = ""
    spread: tuple[float, ...] = ()

    def is_right(self, answer: PredictAnswer, version: str) -> bool:
        """Whether that version has answered with 200, and for a classifier with the label that its training
        gave."""
        if answer.status != 200 or answer.version != version:
            return False
        prediction, expected = prediction_of(answer.body), self.expected
        if isinstance(expected, Mapping) and "label" in expected:
            return isinstance(prediction, Mapping) and prediction.get("label") == expected["label"]
        return prediction is not None

    def agree(self, mine: PredictAnswer, theirs: PredictAnswer) -> bool | None:
        """Whether both versions answer a recorded request alike; None if that cannot be compared."""
        ours, other = prediction_of(mine.body), prediction_of(theirs.body)
        if not self.uri or {mine.status, theirs.status} != {200}:
            return None
        is_known = label_of(other) is not None or (self.spread and compared_samples([Sample(None, other)]))
        return agrees(ours, other, self.spread) if is_known else None


def questions_of(
    model: Model, slot: Slot, number: int, platform: Platform, *, is_beside: bool
) -> Sequence[ReplayQuestion]:
    """That many questions behind those that were sent, and after the last one anew. They are recorded
    requests only if the champion is asked beside the candidate, and both have the same signature.

    Raises InvalidVersion if the samples are gone or spoilt.
    """
    bucket, first = platform.bucket, slot.evidence.replayed[0]
    may_differ = model.rollout.allow_signature_change
    if is_beside and not (may_differ and find_change(model.name, slot, slot.candidate, bucket)):
        found = find_usable(model, first, number, platform.clock.now().timestamp(), bucket)
        if found:
            spread = _spread(model.name, slot.champion, bucket)
            return [ReplayQuestion(one.body.encode(), None, uri, spread) for uri, one in found]
    samples = islice(cycle(_samples(model.name, slot.candidate, bucket)), first, first + number)
    return [ReplayQuestion(body_of(one), one.prediction) for one in samples]


def body_of(sample: Sample) -> bytes:
    """The sample as a V1 request."""
    return json.dumps({"instances": [sample.instance]}).encode()


def is_refused(answer: PredictAnswer, version: str) -> bool:
    """Whether the version itself has refused a request, and would do so again."""
    return answer.version == version and 400 <= answer.status < 500 and answer.status not in BUSY


def prediction_of(body: bytes) -> object:
    """The first prediction of an answer; None if there is none."""
    try:
        predictions = json.loads(body)["predictions"]
        return predictions[0]
    except (ValueError, TypeError, LookupError, RecursionError):
        return None


def _spread(model: str, champion: str, bucket: Bucket) -> tuple[float, ...]:
    """How far the numbers of the champion's answers lie apart; empty for labels, or if that is not known."""
    with suppress(Rejected):
        return spreads(compared_samples(find_samples(model, champion, bucket) or ()))
    return ()


def _samples(model: str, version: str, bucket: Bucket) -> Sequence[Sample]:
    try:
        samples = find_samples(model, version, bucket)
    except Rejected as error:
        raise InvalidVersion(f"its samples cannot be read: {error}") from error
    if samples is None:
        raise InvalidVersion("its samples cannot be read: they are gone")
    return samples
