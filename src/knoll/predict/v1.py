"""The V1 protocol: a list of instances in, a list of predictions out."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from knoll.codecs import Array, encode, encode_picture, first_picture
from knoll.errors import InvalidInstance
from knoll.headers import ACCEPT, CONTENT_TYPE
from knoll.media_types import PNG
from knoll.predict.answer import Answer, in_json, told_in_header
from knoll.predict.cloud_events import unwrap, wrap
from knoll.predict.json_body import read_json
from knoll.predict.texts import is_plain, plain_text
from knoll.records.signature import Signature

__all__ = ["V1Request", "answer_v1", "instances_in", "prefers_png", "read_v1", "told_warnings"]

_RIGHT = 'send {"instances": [...]} as JSON, a picture as {"b64": its base64}'
_MOST_INSTANCES = 10_000
_MOST_WARNINGS = 5
_QUALITY = re.compile(r"[01](?:\.[0-9]{0,3})?", re.ASCII)


@dataclass(frozen=True)
class V1Request:
    """The instances of a request, and whether the answers are to be explained."""

    instances: list[Any]
    explains: bool = False


def read_v1(
    body: bytes, headers: Mapping[str, str], signature: Signature, keep: Callable[[int], None]
) -> V1Request:
    """The request, also in a CloudEvent; `curl -d` calls the body a form, so its type says only whether it is
    a text for a model of texts. `keep` is told the bytes of memory that JSON takes. Raises InvalidInstance,
    and what `keep` raises."""
    if is_plain(headers, signature):
        return V1Request([unwrap(plain_text(body, headers), headers)])
    payload = unwrap(read_json(body, _RIGHT, keep), headers)
    instances = instances_in(payload)
    explains = payload.get("explain", False)
    if not isinstance(explains, bool):
        raise InvalidInstance("explain is neither true nor false")
    return V1Request(instances, explains)


def instances_in(payload: Any) -> list[Any]:
    """The instances of a request. Raises InvalidInstance."""
    instances = payload.get("instances") if isinstance(payload, dict) else None
    if not isinstance(instances, list) or not instances:
        raise InvalidInstance('a V1 request is {"instances": [...]}, a list with at least one instance')
    if len(instances) > _MOST_INSTANCES:
        raise InvalidInstance(
            f"the request has {len(instances):,} instances, more than {_MOST_INSTANCES:,}",
            fix="send fewer at a time",
        )
    return instances


def answer_v1(
    batches: Iterable[Mapping[str, Array]],
    signature: Signature,
    headers: Mapping[str, str],
    model: str,
    warnings: list[str],
    weights: Iterable[Any] = (),
) -> Answer:
    """The predictions of output batches, as JSON, or as a picture if the client prefers one. `warnings` grow
    while the batches come. `weights` explain each prediction, if there are any."""
    if prefers_png(headers.get(ACCEPT, "")):
        return _picture(batches, signature, warnings)
    predictions = [one for batch in batches for one in encode(batch, signature)]
    for one, why in zip(predictions, weights, strict=False):
        one["weights"] = why
    told = told_warnings(warnings)
    body = {"predictions": predictions, "warnings": told} if told else {"predictions": predictions}
    return wrap(in_json(200, body, told_in_header(told)), model, headers)


def _picture(batches: Iterable[Mapping[str, Array]], signature: Signature, warnings: list[str]) -> Answer:
    first_picture(signature)  # before the graph runs
    parts = list(batches)
    outputs = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    headers = {CONTENT_TYPE: PNG, **told_in_header(told_warnings(warnings))}
    return Answer(200, encode_picture(outputs, signature), headers)


def told_warnings(warnings: list[str]) -> list[str]:
    """The first of them, and how many more there are."""
    more = len(warnings) - _MOST_WARNINGS
    return warnings[:_MOST_WARNINGS] + ([f"and {more} more"] if more > 0 else [])


def prefers_png(accept: str) -> bool:
    """Whether an Accept header names image/png, and prefers nothing to it; see RFC 9110, 12.5.1."""
    weights: dict[str, float] = {}
    for one in accept.split(","):
        media_type, *parameters = (part.strip().lower() for part in one.split(";"))
        quality = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        weights[media_type] = float(quality) if _QUALITY.fullmatch(quality) else 0.0
    return weights.get(PNG, 0.0) > 0 and weights[PNG] >= max(weights.values())
