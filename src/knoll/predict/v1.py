"""The V1 protocol: a list of instances in, a list of predictions out."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from knoll.codecs import Array, encode, encode_picture, first_picture
from knoll.errors import InvalidInstance
from knoll.headers import ACCEPT, CONTENT_TYPE
from knoll.media_types import PNG
from knoll.predict.answer import Answer, in_json, told_in_header
from knoll.predict.cloud_events import unwrap, wrap
from knoll.predict.json_body import read_json
from knoll.records.signature import Signature

__all__ = ["answer_v1", "instances_in", "prefers_png", "read_v1", "told_warnings"]

_RIGHT = 'send {"instances": [...]} as JSON, a picture as {"b64": its base64}'
_MOST_INSTANCES = 10_000
_MOST_WARNINGS = 5
_QUALITY = re.compile(r"[01](?:\.[0-9]{0,3})?", re.ASCII)


def read_v1(body: bytes, headers: Mapping[str, str], keep: Callable[[int], None]) -> list[Any]:
    """The instances, also of a CloudEvent; `curl -d` calls the body a form, so its type is not asked. `keep`
    is told the bytes of memory that they take. Raises InvalidInstance, and what `keep` raises."""
    return instances_in(unwrap(read_json(body, _RIGHT, keep), headers))


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
) -> Answer:
    """The predictions of output batches, as JSON, or as a picture if the client prefers one. `warnings` grow
    while the batches come."""
    if prefers_png(headers.get(ACCEPT, "")):
        return _picture(batches, signature, warnings)
    predictions = [one for batch in batches for one in encode(batch, signature)]
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
