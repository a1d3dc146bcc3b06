"""Requests that knoll sends to a candidate that gets too few: its samples, sent to its tagged route, past the
users' traffic."""

import json
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from typing import Any

from knoll.ports import Answer, Platform
from knoll.records.samples import Sample, read_samples

__all__ = ["replay"]


def replay(model: str, version: str, url: str, count: int, platform: Platform) -> tuple[int, int]:
    """Send `count` samples of a version to the server at `url`; how many were sent, and how many failed."""
    samples = read_samples(model, version, platform.bucket)
    failed = sum(
        not _is_right(_ask(model, url, sample, platform), version, sample)
        for sample in islice(cycle(samples), count)
    )
    return (count if samples else 0), failed


def _ask(model: str, url: str, sample: Sample, platform: Platform) -> Answer:
    body = json.dumps({"instances": [sample.instance]}).encode()
    return platform.predictors.predict(url, model, body, is_replay=True)


def _is_right(answer: Answer, version: str, sample: Sample) -> bool:
    """200 from the right version, and for a classifier the label that its training gave."""
    if answer.status != 200 or answer.version != version:
        return False
    predictions: Sequence[Any] = json.loads(answer.body).get("predictions") or [None]
    expected = sample.prediction
    if isinstance(expected, Mapping) and "label" in expected:
        return isinstance(predictions[0], Mapping) and predictions[0].get("label") == expected["label"]
    return predictions[0] is not None
