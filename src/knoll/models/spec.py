"""The fields of a Model, with their types, ranges, defaults and meanings; `make docs` makes tables."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, field_validator, model_validator
from pydantic.alias_generators import to_camel

from knoll.errors import Rejected
from knoll.models.units import PositiveSeconds, Resources, Seconds
from knoll.names import config_digest, split_uri
from knoll.quantities import GPU

__all__ = [
    "DatasetSpec",
    "GateSpec",
    "LandedSpec",
    "Model",
    "ModelSpec",
    "RolloutSpec",
    "ServingSpec",
    "TrainingSpec",
]

_BUCKET = re.compile(r"(?!.*\.\.)(?!\d+(\.\d+){3}$)[a-z0-9][-.a-z0-9]{1,61}[a-z0-9]")


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel)


class LandedSpec(_Spec):
    """When a dataset is complete."""

    when: Literal["marker", "manifest", "quiet", "object"] = Field(
        default="marker",
        description="The rule that says when the data is complete; the rules are explained below",
    )
    marker: str = Field(
        default="_SUCCESS",
        description="Name of the marker object, right under the prefix. For the rule `marker`",
    )
    manifest: str = Field(
        default="manifest.json",
        description="Name of the list of objects, right under the prefix. For the rule `manifest`",
    )
    quiet: Seconds = Field(
        default=30.0, description="The data is complete after this time without a write. For the rule `quiet`"
    )
    max_wait: Seconds = Field(
        default=600.0,
        description="The data is complete when the oldest of the changed objects is this old, even if others "
        "still change; an overwritten object counts from its last write. For the rule `quiet`",
    )
    max_objects: int | None = Field(
        default=None,
        ge=1,
        description="The data is complete when this many objects have changed. For the rule `quiet`",
        json_schema_extra={"none": "no limit"},
    )

    @property
    def last(self) -> str:
        """Name of the object that is written last, and is no data itself; "" if the rule has none."""
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

    uri: str = Field(
        description="Bucket and prefix, with a slash at the end: `s3://datasets/digits/`. knoll only reads "
        "there"
    )
    landed: LandedSpec = Field(default_factory=LandedSpec, description="When the data is complete")

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
    """How the Job trains."""

    config: Mapping[str, Any] = Field(
        default_factory=dict,
        description="Settings of the family, such as `epochs`; its page lists them. Another config leads to "
        "another version",
    )
    nodes: int = Field(default=1, ge=1, le=64, description="Pods that train together. A laptop is one node")
    processes_per_node: int = Field(
        default=1, ge=1, le=16, description="Processes of each Pod; each needs a GPU if the Pod asks for GPUs"
    )
    resources: Resources = Field(
        default_factory=dict,
        description="What one Pod requests, which is also its limit: `{cpu: 2, memory: 2Gi, "
        "nvidia.com/gpu: 1}`",
    )
    deadline: PositiveSeconds = Field(default=7200.0, description="How long the run may take, with retries")
    retries: int = Field(
        default=2,
        ge=0,
        le=10,
        description="Further attempts after a failure that may pass. Bad data is never tried again",
    )
    concurrency: Literal["Queue", "Replace", "Forbid"] = Field(
        default="Queue",
        description="What a new run does while another run of this Model trains: `Queue` waits, `Replace` "
        "ends the other, `Forbid` skips the new one",
    )

    @model_validator(mode="after")
    def _a_gpu_for_each_process(self) -> "TrainingSpec":
        gpus = self.resources.get(GPU)
        if gpus is not None and gpus.isdecimal() and 0 < int(gpus) < self.processes_per_node:
            raise ValueError(
                f"processesPerNode is {self.processes_per_node}, so {GPU} must be at least "
                f"{self.processes_per_node}, not {gpus}"
            )
        return self


class GateSpec(_Spec):
    """What a version must reach on held-out data before it gets traffic. With `at_most` less is better."""

    metric: str = Field(description="A metric of the family; its page lists them")
    at_least: FiniteFloat | None = Field(
        default=None, description="The least value that passes. Give `atLeast` or `atMost`, not both"
    )
    at_most: FiniteFloat | None = Field(
        default=None, description="The greatest value that passes, for metrics where less is better"
    )
    max_regression: FiniteFloat | None = Field(
        default=None,
        ge=0,
        description="How much worse than the champion the version may be, in the unit of the metric",
    )

    @model_validator(mode="after")
    def _one_direction(self) -> "GateSpec":
        if self.at_least is not None and self.at_most is not None:
            raise ValueError("give atLeast or atMost, not both")
        return self


class ServingSpec(_Spec):
    """How predictors scale."""

    min_replicas: int = Field(
        default=0, ge=0, description="Replicas that always run; with 0 an idle model costs nothing"
    )
    max_replicas: int = Field(default=4, ge=1, description="The most replicas at once")
    concurrency: int = Field(default=8, ge=1, description="Requests that one replica handles at once")
    resources: Resources = Field(
        default_factory=dict, description="What one replica requests, which is also its limit"
    )

    @model_validator(mode="after")
    def _room_to_scale(self) -> "ServingSpec":
        if self.min_replicas > self.max_replicas:
            raise ValueError(f"minReplicas {self.min_replicas} is more than maxReplicas {self.max_replicas}")
        return self


class RolloutSpec(_Spec):
    """How a version is tried on a part of the traffic."""

    steps: Annotated[tuple[Annotated[int, Field(ge=1, le=99, strict=True)], ...], Field(strict=False)] = (
        Field(
            default=(5, 25, 50),
            description="Percentages of the traffic that the version gets, step by step, rising; after the "
            "last one 100",
        )
    )
    min_requests: int = Field(
        default=50, ge=1, description="Requests that the version must answer in each step"
    )
    bake: Seconds = Field(
        default=300.0, description="How long the version serves all traffic before it becomes the champion"
    )
    idle: Literal["replay", "hold"] = Field(
        default="replay",
        description="What a step does when no requests come: `replay` sends the version's own held-out "
        "samples to it, `hold` waits",
    )
    progress_deadline: PositiveSeconds = Field(
        default=600.0, description="How long the version may take to become ready; then it is rolled back"
    )

    allow_signature_change: bool = Field(
        default=False, description="Whether a version may have other classes or inputs than the champion"
    )

    @field_validator("steps")
    @classmethod
    def _rising(cls, steps: tuple[int, ...]) -> tuple[int, ...]:
        if list(steps) != sorted(set(steps)):
            raise ValueError("steps must rise")
        return steps


class ModelSpec(_Spec):
    """What is written under `spec`."""

    family: str = Field(description="What kind of model is trained; each family has a page")
    dataset: DatasetSpec = Field(description="Where the data lands")
    training: TrainingSpec = Field(default_factory=TrainingSpec, description="How it is trained")
    gate: GateSpec | None = Field(
        default=None,
        description="What a version must reach before it gets traffic; without a gate every version passes",
    )
    serving: ServingSpec = Field(default_factory=ServingSpec, description="How predictors scale")
    rollout: RolloutSpec = Field(default_factory=RolloutSpec, description="How a version is tried")


class Model(ModelSpec):
    """A declared Model: its name and spec."""

    name: str

    @property
    def config_digest(self) -> str:
        """Identity of what is trained: the family and its config."""
        return config_digest(self.family, self.training.config)


def _split_uri_or_fault(uri: str) -> tuple[str, str]:
    """`split_uri` for validators, which report ValueError."""
    try:
        return split_uri(uri)
    except Rejected as error:
        raise ValueError(str(error)) from error
