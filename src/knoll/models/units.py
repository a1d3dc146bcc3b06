"""How a Model writes durations and amounts: as Kubernetes does.

A duration is a text such as 90s, 5m or 2h, and becomes seconds. A quantity such as 2, 500m or 2Gi stays a
text. The JSON schema of each says in `kind` which of them it is.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from knoll.quantities import is_quantity, parse_quantity
from knoll.quoting import shown

__all__ = ["PositiveSeconds", "Quantity", "Resources", "Seconds", "as_duration", "form", "unit"]

_RESOURCE = re.compile(
    r"cpu|memory|ephemeral-storage"
    r"|[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?/[A-Za-z0-9]([-.\w]{0,61}[A-Za-z0-9])?",
    re.ASCII,
)
_DURATION = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,8})m)?(?:(\d{1,9}(?:\.\d+)?)s)?", re.ASCII)
_LONG = re.compile(r"(\d+h)?(\d+m)?(\d+(\.\d+)?s)?", re.ASCII)
_SAID = re.compile(
    r"(\d{1,9}(?:\.\d+)?) *(?:(ms|milli\w*)|(m|min\w*)|(h|hr|hours?)|(d|days?)|s|sec\w*|)",
    re.ASCII | re.IGNORECASE,
)
_LARGEST = 2**63  # in the base unit
_SECONDS = (0.001, 60, 3600, 86_400)  # of the units of _SAID that are no seconds
_BYTES = re.compile(r"([0-9]+(?:\.[0-9]+)?) *([KMGTPE])i?b?", re.IGNORECASE)


def unit(name: str, *, none: str = "") -> Any:
    """The unit of a number, as `Annotated[int, unit("pixels")]`; "none" if it has none. `none` says what
    happens without a value."""
    return Field(json_schema_extra={"unit": name, "none": none})


def form(words: str, *, none: str = "") -> Any:
    """The same for a text or map: which values it may have."""
    return Field(json_schema_extra={"range": words, "none": none})


def as_duration(seconds: float) -> str:
    """Seconds as a Model has them: 30 -> "30s", 5400 -> "1h30m"."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{number:.10g}{unit}" for number, unit in parts if number) or "0s"


def _read_seconds(value: Any) -> Any:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if not match or not value:
        longest = ", or longer than 999999h" if value and _LONG.fullmatch(str(value)) else ""
        what = f"{shown(value)} is not a duration such as 90s, 5m or 2h"
        raise ValueError(f"{what}{longest}{_meant_seconds(value)}")
    hours, minutes, seconds = match.groups(default="0")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _meant_seconds(value: Any) -> str:
    match = None if isinstance(value, bool) else _SAID.fullmatch(str(value))
    if not match or not float(match[1]):
        return ""
    factor = next((one for one, unit in zip(_SECONDS, match.groups()[1:], strict=True) if unit), 1)
    return f"; did you mean {as_duration(float(match[1]) * factor)}?"


def _read_quantity(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str) or not is_quantity(str(value)):
        raise ValueError(f"{shown(value)} is not a quantity such as 2, 500m or 2Gi{_meant_bytes(value)}")
    if parse_quantity(value) >= _LARGEST:
        raise ValueError(f"{shown(value)} is more than Kubernetes takes, which is 8Ei")
    return str(value)


def _meant_bytes(value: Any) -> str:
    match = _BYTES.fullmatch(str(value))
    if not match:
        return ""
    letter = match[2].upper()
    plain = "k" if letter == "K" else letter
    return f"; did you mean {match[1]}{plain} or {match[1]}{letter}i?"


def _check_resource(name: str) -> str:
    if not _RESOURCE.fullmatch(name):
        raise ValueError("write cpu, memory, ephemeral-storage or a domain and a name such as nvidia.com/gpu")
    return name


def _check_amounts(resources: Mapping[str, str]) -> Mapping[str, str]:
    for name in ("cpu", "memory"):
        if name in resources and not parse_quantity(resources[name]):
            raise ValueError(f"{name} must be more than 0: no Pod runs without any")
    for name, amount in resources.items():
        if "/" in name and parse_quantity(amount) % 1:
            raise ValueError(f"{name} must be a whole number: no cluster gives {amount} of a device")
    return resources


Seconds = Annotated[
    float, BeforeValidator(_read_seconds), Field(json_schema_extra={"kind": "duration", "unit": "h, m, s"})
]
PositiveSeconds = Annotated[Seconds, Field(gt=0)]
Quantity = Annotated[str, BeforeValidator(_read_quantity)]
Resources = Annotated[
    Mapping[Annotated[str, AfterValidator(_check_resource)], Quantity],
    Field(max_length=16, json_schema_extra={"kind": "quantities", "unit": "cores, bytes, GPUs"}),
    AfterValidator(_check_amounts),
]
