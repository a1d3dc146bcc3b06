"""How a Model writes durations and amounts: as Kubernetes does.

A duration is a text such as 90s, 5m or 2h, and becomes seconds. A quantity such as 2, 500m or 2Gi stays a
text. The JSON schema of each says in `kind` which of them it is.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from knoll.quantities import is_quantity, parse_quantity

__all__ = ["PositiveSeconds", "Quantity", "Resources", "Seconds", "as_duration", "form", "unit"]

_RESOURCE = re.compile(
    r"cpu|memory|ephemeral-storage"
    r"|[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?/[A-Za-z0-9]([-.\w]{0,61}[A-Za-z0-9])?",
    re.ASCII,
)
_DURATION = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,8})m)?(?:(\d{1,9}(?:\.\d+)?)s)?")
_LONG = re.compile(r"(\d+h)?(\d+m)?(\d+(\.\d+)?s)?")


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
    if not isinstance(value, str):
        raise ValueError("write a duration such as 90s, 5m or 2h")
    match = _DURATION.fullmatch(value)
    if not match or not value:
        longest = ", or longer than 999999h" if _LONG.fullmatch(value) else ""
        raise ValueError(f"{value!r} is not a duration such as 90s, 5m or 2h{longest}")
    hours, minutes, seconds = match.groups(default="0")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _read_quantity(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str) or not is_quantity(str(value)):
        raise ValueError(f"{value!r} is not a quantity such as 2, 500m or 2Gi")
    return str(value)


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
