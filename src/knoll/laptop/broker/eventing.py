"""The files in eventing/ as values: the same Broker, Triggers and sources that a cluster gets.

If the laptop cannot execute a part of a file, it refuses that part by name, with its file. It ignores
nothing.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator

from knoll.errors import Rejected
from knoll.json_faults import why_not_json
from knoll.kube.kinds import BROKER_API, SOURCE_API
from knoll.laptop.broker.triggers import (
    DEFAULT_DELIVERY,
    Attributes,
    Delivery,
    Destination,
    Filter,
    Trigger,
    Value,
)
from knoll.value_faults import value_fault

__all__ = ["Eventing", "PingSource", "ResourceWatch", "read_eventing"]

_READ = {"Broker": BROKER_API, "Trigger": BROKER_API, "PingSource": SOURCE_API, "ApiServerSource": SOURCE_API}
_OF_THE_CLUSTER = {
    "Kustomization",
    "Role",
    "RoleBinding",
    "ServiceAccount",
}  # permissions and packaging: a laptop has one user


class _LegacyFilter(Value):
    attributes: Attributes = Field(default_factory=dict)


class _BrokerSpec(Value):
    delivery: Delivery = DEFAULT_DELIVERY


class _TriggerSpec(Value):
    broker: str
    subscriber: Destination
    filters: tuple[Filter, ...] = ()
    filter: _LegacyFilter = _LegacyFilter()
    delivery: Delivery | None = None


class _Overrides(Value):
    extensions: Attributes = Field(default_factory=dict)


class PingSource(Value):
    """A clock: an event by a cron schedule."""

    name: str = ""
    schedule: str = "* * * * *"
    timezone: str = ""
    content_type: str = ""
    data: str = ""
    ce_overrides: _Overrides = _Overrides()
    sink: Destination

    @field_validator("data")
    @classmethod
    def _is_json(cls, data: str) -> str:
        """A laptop's events have JSON data. Raises ValueError for other data, as pydantic wants it."""
        try:
            json.loads(data or "null")
        except (ValueError, RecursionError) as error:
            body = data.encode(errors="replace")
            raise ValueError(f"must be JSON: {why_not_json(body)}") from error
        return data


class _Selector(Value):
    match_labels: Mapping[str, str] = Field(default_factory=dict)


class ResourceWatch(Value):
    """Objects whose changes become events."""

    api_version: str
    kind: str
    selector: _Selector = _Selector()


class _ApiServerSpec(Value):
    mode: Literal["Resource"]
    service_account_name: str = ""
    resources: tuple[ResourceWatch, ...]
    sink: Destination


class Eventing(Value):
    """Everything that a folder of eventing files declares."""

    broker: str
    triggers: tuple[Trigger, ...] = ()
    tickers: tuple[PingSource, ...] = ()
    watches: tuple[ResourceWatch, ...] = ()


def read_eventing(folder: Path) -> Eventing:
    """Read every *.yaml in the folder. Raises Rejected with a list of all that the laptop cannot execute,
    each with its file."""
    faults: list[str] = []
    found: dict[str, list[Any]] = {kind: [] for kind in _READ}
    for path, document in _documents(folder, faults):
        try:
            kind = _kind(document)
            if kind in found:
                found[kind].append(_read(kind, document))
        except ValidationError as error:
            faults += [f"{path.name}: {_title(document)}: {_fault(one)}" for one in error.errors()]
        except Rejected as error:
            faults.append(f"{path.name}: {_title(document)}: {error}")
    if not faults:
        faults = _disagreements(found)
    if faults:
        raise Rejected(
            f"the laptop cannot execute {folder}:\n  " + "\n  ".join(faults),
            fix="mend these files, or set KNOLL_EVENTING to another folder",
        )
    [(broker, delivery)] = found["Broker"]
    return _joined(broker, delivery, found)


def _disagreements(found: Mapping[str, list[Any]]) -> list[str]:
    if len(found["Broker"]) != 1:
        return [f"exactly one Broker is needed, {len(found['Broker'])} found"]
    [(broker, _)] = found["Broker"]
    names = [name for name, _ in found["Trigger"]]
    faults = [
        f"there are two Triggers {name}" for name in sorted({name for name in names if names.count(name) > 1})
    ]
    faults += [
        f"Trigger {name} is of Broker {spec.broker}, not {broker}"
        for name, spec in found["Trigger"]
        if spec.broker != broker
    ]
    sinks = {spec.sink.ref.name for kind in ("PingSource", "ApiServerSource") for spec in found[kind]}
    return faults + [f"a source sends to {name}, not to Broker {broker}" for name in sorted(sinks - {broker})]


def _joined(broker: str, delivery: Delivery, found: Mapping[str, list[Any]]) -> Eventing:
    """A Trigger without a delivery gets the Broker's, and one without a dead-letter sink the Broker's."""
    triggers = []
    for name, spec in found["Trigger"]:
        own = spec.delivery or delivery
        if own.dead_letter_sink is None:
            own = own.model_copy(update={"dead_letter_sink": delivery.dead_letter_sink})
        triggers.append(
            Trigger(
                name=name,
                subscriber=spec.subscriber.ref.name,
                filters=spec.filters,
                attributes=spec.filter.attributes,
                delivery=own,
            )
        )
    return Eventing(
        broker=broker,
        triggers=tuple(triggers),
        tickers=tuple(found["PingSource"]),
        watches=tuple(watch for spec in found["ApiServerSource"] for watch in spec.resources),
    )


def _documents(folder: Path, faults: list[str]) -> Iterator[tuple[Path, Any]]:
    if not folder.is_dir():
        faults.append("there is no such folder")
    for path in sorted(folder.glob("*.yaml")):
        try:
            for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
                if document is not None:
                    yield path, document
        except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date that is none
            mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
            place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
            faults.append(f"{path.name}{place}: not YAML in UTF-8; correct the file")


def _kind(document: Any) -> str:
    if not isinstance(document, Mapping):
        raise Rejected("not a YAML object")
    kind = str(document.get("kind", ""))
    if kind not in _READ and kind not in _OF_THE_CLUSTER:
        raise Rejected(f"the laptop executes {', '.join(_READ)}, nothing else")
    if kind in _READ and document.get("apiVersion") != _READ[kind]:
        raise Rejected(f"apiVersion must be {_READ[kind]}, not {document.get('apiVersion')!r}")
    return kind


def _read(kind: str, document: Mapping[str, Any]) -> Any:
    name, spec = _name(document), document.get("spec") or {}
    if not isinstance(name, str):
        raise Rejected("metadata.name is missing")
    if not isinstance(spec, Mapping):
        raise Rejected("spec must be an object with fields")
    if kind == "Broker":
        return name, _BrokerSpec.model_validate(spec).delivery
    if kind == "Trigger":
        return name, _TriggerSpec.model_validate(spec)
    if kind == "PingSource":
        return PingSource.model_validate({**spec, "name": name})
    return _ApiServerSpec.model_validate(spec)


def _title(document: Any) -> str:
    if not isinstance(document, Mapping):
        return "document"
    return f"{document.get('kind')} {_name(document)}"


def _name(document: Mapping[str, Any]) -> Any:
    metadata = document.get("metadata")
    return metadata.get("name") if isinstance(metadata, Mapping) else None


def _fault(error: Any) -> str:
    path = ".".join(["spec", *(str(part) for part in error["loc"])])
    known = error["type"] != "extra_forbidden"
    return f"{path}: {value_fault(error) if known else 'a laptop cannot do that; leave it out'}"
