"""The Model: what the user declares, read strictly, with every fault named at once.

A misspelt field would silently train something else, so unknown fields are faults. Durations are written as
in Kubernetes: 90s, 5m, 2h.
"""

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from knoll.errors import InvalidModel, Rejected
from knoll.names import MODEL_NAME, digest, split_uri

__all__ = [
    "API_VERSION",
    "KIND",
    "DatasetSpec",
    "GateSpec",
    "LandedSpec",
    "Model",
    "RolloutSpec",
    "ServingSpec",
    "TrainingSpec",
    "parse_model",
    "readable_models",
]

API_VERSION = "knoll.dev/v1alpha1"
KIND = "Model"

_QUANTITY = re.compile(r"\d+(\.\d+)?(m|[kMGTPE]|[KMGTPE]i)?")
_RESOURCE = re.compile(
    r"cpu|memory|ephemeral-storage|[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?/[A-Za-z0-9]([-.\w]{0,61}[A-Za-z0-9])?",
    re.ASCII,
)
_DURATION = re.compile(r"(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9}(?:\.\d+)?)s)?")
# a node's host name is run id, dash and number, and the 63 characters of a label leave two for the number
# then
_LONGEST_OF_MANY = 39
_BUCKET = re.compile(r"(?!.*\.\.)(?!\d+(\.\d+){3}$)[a-z0-9][-.a-z0-9]{1,61}[a-z0-9]")


def _seconds(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("write a duration such as 90s, 5m or 2h")
    match = _DURATION.fullmatch(value)
    if not match or not value:
        raise ValueError(f"{value!r} is not a duration such as 90s, 5m or 2h")
    hours, minutes, seconds = match.groups(default="0")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _quantity(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str) or not _QUANTITY.fullmatch(str(value)):
        raise ValueError(f"{value!r} is not a quantity such as 2, 500m or 2Gi")
    return str(value)


def _resource(name: str) -> str:
    if not _RESOURCE.fullmatch(name):
        raise ValueError("write cpu, memory, ephemeral-storage or a domain and a name such as nvidia.com/gpu")
    return name


Seconds = Annotated[float, BeforeValidator(_seconds)]
SomeSeconds = Annotated[Seconds, Field(gt=0)]
Quantity = Annotated[str, BeforeValidator(_quantity)]
Resources = Annotated[Mapping[Annotated[str, AfterValidator(_resource)], Quantity], Field(max_length=16)]


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel)


class LandedSpec(_Spec):
    """When a dataset is complete.

    marker: the object `marker` lies under the prefix and nothing there is newer. manifest: all objects that
    the object `manifest` lists are there, each with its sha256. quiet: nothing has changed for `quiet`
    seconds, or the first change is `max_wait` seconds old, or `max_objects` have changed. object: each object
    is a dataset of its own.
    """

    when: Literal["marker", "manifest", "quiet", "object"] = "marker"
    marker: str = "_SUCCESS"
    manifest: str = "manifest.json"
    quiet: Seconds = 30.0
    max_wait: Seconds = 600.0
    max_objects: int | None = Field(default=None, ge=1)

    @property
    def last(self) -> str:
        """Name of the object that is written last, and is no data itself; empty where no object says that the
        data is complete."""
        return {"marker": self.marker, "manifest": self.manifest}.get(self.when, "")

    @field_validator("marker", "manifest")
    @classmethod
    def _is_right_under_the_prefix(cls, name: str) -> str:
        if not name or "/" in name:
            raise ValueError(
                "name one object right under the prefix, such as _SUCCESS or manifest.json, without a slash"
            )
        return name


class DatasetSpec(_Spec):
    """Where the data lands, and when it is complete."""

    uri: str
    landed: LandedSpec = Field(default_factory=LandedSpec)

    @field_validator("uri")
    @classmethod
    def _is_s3(cls, uri: str) -> str:
        bucket, key = _split_uri_or_fault(uri)
        if not _BUCKET.fullmatch(bucket):
            raise ValueError(
                f"S3 has no bucket {bucket!r}: a name is 3-63 lower-case letters, digits, dots and dashes"
            )
        if key and not key.endswith("/"):
            raise ValueError("end the prefix with a slash: s3://datasets/digits/")
        return uri


class TrainingSpec(_Spec):
    """How the Job trains. `deadline` is in seconds; `resources` are Kubernetes quantities of one node, used
    as request and limit.

    `concurrency` is what a new run does while another one of the Model trains: Queue waits, Replace ends the
    other, Forbid gives up.
    """

    config: Mapping[str, Any] = Field(default_factory=dict)
    nodes: int = Field(default=1, ge=1, le=64)
    processes_per_node: int = Field(default=1, ge=1, le=16)
    resources: Resources = Field(default_factory=dict)
    deadline: SomeSeconds = 7200.0
    retries: int = Field(default=2, ge=0, le=10)
    concurrency: Literal["Queue", "Replace", "Forbid"] = "Queue"

    @model_validator(mode="after")
    def _a_gpu_for_each_process(self) -> "TrainingSpec":
        gpus = self.resources.get("nvidia.com/gpu")
        if gpus is not None and gpus.isdecimal() and 0 < int(gpus) < self.processes_per_node:
            raise ValueError(
                f"processesPerNode {self.processes_per_node} needs as many nvidia.com/gpu, and {gpus} "
                "are asked for"
            )
        return self


class GateSpec(_Spec):
    """What a version must reach before it may see traffic: `at_least` or `at_most` of a held-out metric, and
    no regression beyond `max_regression` against the champion. With `at_most` smaller is better."""

    metric: str
    at_least: FiniteFloat | None = None
    at_most: FiniteFloat | None = None
    max_regression: FiniteFloat | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _one_direction(self) -> "GateSpec":
        if self.at_least is not None and self.at_most is not None:
            raise ValueError("give atLeast or atMost, not both")
        return self


class ServingSpec(_Spec):
    """How predictors scale; `concurrency` is the number of requests in flight that one replica takes."""

    min_replicas: int = Field(default=0, ge=0)
    max_replicas: int = Field(default=4, ge=1)
    concurrency: int = Field(default=8, ge=1)
    resources: Resources = Field(default_factory=dict)

    @model_validator(mode="after")
    def _room_to_scale(self) -> "ServingSpec":
        if self.min_replicas > self.max_replicas:
            raise ValueError(f"minReplicas {self.min_replicas} is more than maxReplicas {self.max_replicas}")
        return self


class RolloutSpec(_Spec):
    """How a version is tried: the traffic percentages of its steps, the requests that each step needs, and
    what to do while no requests come: `replay` sends the version's own samples to its tagged route, `hold`
    waits. Times are in seconds."""

    steps: Annotated[tuple[Annotated[int, Field(ge=1, le=99, strict=True)], ...], Field(strict=False)] = (
        5,
        25,
        50,
    )
    min_requests: int = Field(default=50, ge=1)
    bake: Seconds = 300.0
    idle: Literal["replay", "hold"] = "replay"
    progress_deadline: SomeSeconds = 600.0

    @field_validator("steps")
    @classmethod
    def _rising(cls, steps: tuple[int, ...]) -> tuple[int, ...]:
        if list(steps) != sorted(set(steps)):
            raise ValueError("steps must rise")
        return steps


class _ModelSpec(_Spec):
    family: str
    dataset: DatasetSpec
    training: TrainingSpec = Field(default_factory=TrainingSpec)
    gate: GateSpec | None = None
    serving: ServingSpec = Field(default_factory=ServingSpec)
    rollout: RolloutSpec = Field(default_factory=RolloutSpec)


class Model(_ModelSpec):
    """A declared model: its name and spec."""

    name: str

    @property
    def config_digest(self) -> str:
        """Identity of what is trained: the family and its config."""
        return digest(
            [self.family, json.dumps(dict(self.training.config), sort_keys=True, separators=(",", ":"))]
        )


def _split_uri_or_fault(uri: str) -> tuple[str, str]:
    """`split_uri` for validators, which report ValueError."""
    try:
        return split_uri(uri)
    except Rejected as error:
        raise ValueError(str(error)) from error


def parse_model(document: Any) -> Model:
    """Read a Model document. Raises InvalidModel that lists every fault with its path."""
    if not isinstance(document, Mapping):
        raise InvalidModel("a Model is a YAML object with apiVersion, kind, metadata and spec")
    faults = [
        f"{key}: must be {wanted}, not {document.get(key)!r}"
        for key, wanted in (("apiVersion", API_VERSION), ("kind", KIND))
        if document.get(key) != wanted
    ]
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    if not isinstance(name, str) or not MODEL_NAME.fullmatch(name):
        faults.append(
            f"metadata.name: {name!r} must be 1-40 lower-case letters, digits and dashes, starting with "
            "a letter"
        )
    spec = document.get("spec")
    try:
        nodes = _ModelSpec.model_validate(spec).training.nodes
        if nodes > 10 and len(str(name)) > _LONGEST_OF_MANY:
            faults.append(
                f"spec.training.nodes: with {nodes} nodes the Model's name may have {_LONGEST_OF_MANY} "
                "characters at most"
            )
    except ValidationError as error:
        faults += [_fault(one) for one in error.errors()]
    if faults:
        raise InvalidModel(
            "the Model has faults:\n  " + "\n  ".join(faults),
            fix="mend the YAML file and run knoll apply -f FILE again",
        )
    assert isinstance(spec, Mapping)
    return Model.model_validate({**spec, "name": name})


def readable_models(documents: Iterable[Any]) -> list[Model]:
    """The documents that are Models without faults. A faulty one, which somebody stored past our checks, must
    not stop the others."""
    models = []
    for document in documents:
        with suppress(InvalidModel):
            models.append(parse_model(document))
    return models


def _fault(error: Any) -> str:
    path = ".".join(["spec", *(str(part) for part in error["loc"] if part != "[key]")])
    return f"{path}: {error['msg'].removeprefix('Value error, ')}"
