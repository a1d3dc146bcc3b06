"""Triggers as values: which events a subscriber wants, and how they are delivered to it.

The rules are those of Knative Eventing 1.21, so that a Trigger does on the laptop what it does on a cluster:
filters as in pkg/eventfilter/subscriptionsapi, delivery as in pkg/kncloudevents/retries.go.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from knoll.events import Event
from knoll.media_types import JSON

__all__ = ["DEFAULT_DELIVERY", "Attributes", "Delivery", "Destination", "Filter", "Trigger", "Value"]

_DIALECTS = ("exact", "prefix", "suffix", "all", "any", "not")
_ATTRIBUTE = re.compile(r"[a-z][a-z0-9]*")


def _seconds(value: Any) -> float:
    told = "write an ISO 8601 duration such as PT0.2S or PT1M"
    if not isinstance(value, str) or not value.startswith("P"):
        raise ValueError(told)
    try:
        return TypeAdapter(timedelta).validate_python(value).total_seconds()
    except ValidationError as error:
        raise ValueError(told) from error


def _attributes(value: Mapping[str, str]) -> Mapping[str, str]:
    wrong = [name for name in value if not _ATTRIBUTE.fullmatch(name)]
    if wrong:
        raise ValueError(
            f"attribute names are lower-case letters and digits, not {', '.join(map(repr, wrong))}"
        )
    return value


_Seconds = Annotated[float, BeforeValidator(_seconds)]
_Attributes = Annotated[Mapping[str, Annotated[str, Field(min_length=1)]], AfterValidator(_attributes)]
Attributes = Annotated[Mapping[str, str], AfterValidator(_attributes)]


class Value(BaseModel):
    """A part of a document: frozen, in YAML's camelCase, and strict: a misspelt field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)


class Filter(Value):
    """One filter of a Trigger, in one dialect. All attributes must match; an attribute that the event lacks
    does not match."""

    exact: _Attributes = Field(default_factory=dict)
    prefix: _Attributes = Field(default_factory=dict)
    suffix: _Attributes = Field(default_factory=dict)
    all: tuple["Filter", ...] = ()
    any: tuple["Filter", ...] = ()
    not_: "Filter | None" = Field(default=None, alias="not")

    @model_validator(mode="before")
    @classmethod
    def _one_dialect(cls, value: Any) -> Any:
        named = [name for name in value if value[name]] if isinstance(value, Mapping) else []
        unknown = [str(name) for name in named if name not in _DIALECTS]
        if unknown:
            raise ValueError(
                f"the laptop cannot execute {', '.join(unknown)}; it knows the dialects "
                f"{', '.join(_DIALECTS)}"
            )
        if len(named) > 1:
            raise ValueError(f"a filter has one dialect, not {', '.join(named)}; wrap them in all")
        return value

    def verdict(self, attributes: Mapping[str, str]) -> bool | None:
        """Whether the attributes pass; None if the filter has no condition: Knative then neither passes nor
        fails it."""
        if self.not_ is not None:
            inner = self.not_.verdict(attributes)
            return None if inner is None else not inner
        nested = {one.verdict(attributes) for one in self.all or self.any} - {None}
        if nested:
            return False not in nested if self.all else True in nested
        checks = [
            *(attributes.get(name) == wanted for name, wanted in self.exact.items()),
            *(attributes.get(name, "").startswith(wanted) for name, wanted in self.prefix.items()),
            *(attributes.get(name, "").endswith(wanted) for name, wanted in self.suffix.items()),
        ]
        return all(checks) if checks else None


class _Reference(Value):
    kind: Literal["Service", "Broker"]
    name: str
    api_version: str


class Destination(Value):
    """Where events are sent: an object of the same namespace."""

    ref: _Reference


class Delivery(Value):
    """How often and when a delivery is tried again, in seconds. `timeout` holds on a cluster only: a call in
    this process cannot be cut off."""

    retry: int = Field(default=0, ge=0)
    backoff_policy: Literal["linear", "exponential"] = "exponential"
    backoff_delay: _Seconds = 0.0
    timeout: _Seconds | None = None
    format: Literal["json", "binary"] | None = None
    dead_letter_sink: Destination | None = None

    def pause(self, attempts: int) -> float | None:
        """Seconds to wait after so many failed attempts; None if there is no further attempt.

        Retry n, counted from 0 as go-retryablehttp does, waits delay · n (linear) or delay · 2^n
        (exponential).
        """
        number = attempts - 1
        if number >= self.retry:
            return None
        return self.backoff_delay * (number if self.backoff_policy == "linear" else 2**number)

    @property
    def sink(self) -> str:
        """Name of the dead-letter sink; empty: none."""
        return self.dead_letter_sink.ref.name if self.dead_letter_sink else ""


DEFAULT_DELIVERY = Delivery.model_validate(
    {"retry": 10, "backoffPolicy": "exponential", "backoffDelay": "PT0.2S"}
)  # config-br-defaults


class Trigger(Value):
    """Which events a subscriber wants, and how they are delivered to it."""

    name: str
    subscriber: str
    filters: tuple[Filter, ...] = ()
    attributes: Mapping[str, str] = Field(default_factory=dict)
    delivery: Delivery = DEFAULT_DELIVERY

    def matches(self, event: Event) -> bool:
        """Whether the event passes all `filters`. If there are none, the legacy attributes decide, where ""
        means any value."""
        carried = _carried(event)
        if self.filters:
            return all(one.verdict(carried) is not False for one in self.filters)
        return all(
            name in carried and wanted in ("", carried[name]) for name, wanted in self.attributes.items()
        )


def _carried(event: Event) -> dict[str, str]:
    attributes = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "time": event.time,
        "subject": event.subject,
        "datacontenttype": "" if event.data is None else JSON,
    }
    return {name: value for name, value in {**event.extensions, **attributes}.items() if value}
