"""The fields of a Model, with their types, ranges, defaults and meanings; `make docs` makes tables."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from knoll.models.card import CardSpec
from knoll.models.compression import CompressionSpec
from knoll.models.dataset import DatasetSpec, LandedSpec, Spec
from knoll.models.gate import GateSpec
from knoll.models.hooks import HookSpec
from knoll.models.recorded import RecordedSpec
from knoll.models.serving import LoggerSpec, ServingSpec
from knoll.models.sticky import StickyKey
from knoll.models.training import TrainingSpec
from knoll.models.units import PositiveSeconds, Seconds, form, unit
from knoll.names import config_digest

__all__ = [
    "CardSpec",
    "CompressionSpec",
    "DatasetSpec",
    "GateSpec",
    "HookSpec",
    "LandedSpec",
    "LoggerSpec",
    "Model",
    "ModelSpec",
    "RecordedSpec",
    "RolloutSpec",
    "ServingSpec",
    "TrainingSpec",
]


class RolloutSpec(Spec):
    """How a version is tried on a part of the traffic."""

    mode: Literal["canary", "shadow"] = Field(
        default="canary",
        description="`canary`: the version answers a part of the requests. `shadow`: the champion answers "
        "all of them, and the version gets a copy of a part; its answers are thrown away, but counted",
    )
    shadow: Annotated[int, unit("percent")] = Field(
        default=10,
        ge=1,
        le=100,
        description="Which part of the requests is copied, with `mode: shadow`",
    )
    sticky: Annotated[StickyKey | None, form("header:NAME or cookie:NAME", none="at random")] = Field(
        default=None,
        description="The header or cookie that identifies a visitor. Requests with the same value go to the "
        "same version, and while the share of the version on trial grows, no visitor goes back. A request "
        "without a value is routed at random",
    )
    steps: Annotated[tuple[Annotated[int, Field(ge=1, le=99, strict=True)], ...], Field(strict=False)] = (
        Field(
            default=(5, 25, 50),
            description="Percentages of the traffic that the version gets, step by step, rising; after the "
            "last one 100. None with `strategy: resource`, and one of 0 % with `mode: shadow`",
            json_schema_extra={"unit": "percent"},
        )
    )
    min_requests: Annotated[int, unit("requests")] = Field(
        default=50,
        ge=1,
        description="Requests that the version must answer in each step; refused ones do not count",
    )
    margin: Annotated[float, unit("share")] = Field(
        default=0.02,
        ge=0.001,
        le=1,
        description="How much more often than the champion the version may fail. It gets all traffic only "
        "when its requests show that it stays below; with `1` nothing must be shown",
    )
    bake: Seconds = Field(
        default=300.0, description="How long the version serves all traffic before it becomes the champion"
    )
    idle: Literal["replay", "hold", "promote"] = Field(
        default="replay",
        description="What a step does when no requests come: `replay` sends recorded requests, or the "
        "version's held-out samples, to it and to the champion, `hold` waits, `promote` goes on after a "
        "minute without any",
    )
    recorded: RecordedSpec | None = Field(
        default=None,
        description="Which requests of users are kept, to be replayed to versions that come later",
        json_schema_extra={"none": "none"},
    )
    compare: Annotated[int, unit("percent")] = Field(
        default=0,
        ge=0,
        le=100,
        description="Which part of the requests both versions answer, so that their answers are compared: "
        "the version is rolled back if clearly more answers differ than `gate.minAgreement` permits, and "
        "gets all traffic only after it has been shown to agree. No client waits for the other answer",
    )
    labels: bool = Field(
        default=False,
        description="Whether feedback decides, too: the version is rolled back if it was clearly more often "
        "wrong than the champion, and gets all traffic only after true labels have shown that it was not. "
        "Everybody who may ask the model may send labels",
    )
    progress_deadline: PositiveSeconds = Field(
        default=600.0, description="How long the version may take to become ready; then it is rolled back"
    )
    quarantine: PositiveSeconds | None = Field(
        default=None,
        description="How long a version that was refused or rolled back is not tried again",
        json_schema_extra={"none": "for ever"},
    )
    strategy: Literal["availability", "resource"] = Field(
        default="availability",
        description="With `availability`, version and champion run side by side. With `resource`, only one "
        "of them runs: the version starts while the champion sleeps, and gets all traffic at once",
    )
    allow_signature_change: bool = Field(
        default=False,
        description="Whether a version may have other classes, inputs or outputs than the champion, or "
        "other shapes or datatypes of them",
    )

    hooks: Annotated[tuple[HookSpec, ...], Field(strict=False, max_length=10)] = Field(
        default=(),
        description="Hooks that are asked during a rollout, in this order",
        json_schema_extra={"unit": "hooks", "range": "see below", "none": "nobody is asked"},
    )

    @model_validator(mode="before")
    @classmethod
    def _no_steps_for_one(cls, given: Any) -> Any:
        """Two versions that take turns on one GPU cannot share traffic, and a shadow has none to share."""
        if not isinstance(given, Mapping):
            return given
        if given.get("mode") == "shadow" and given.get("strategy") == "resource":
            raise ValueError("mode shadow needs room for two versions: leave out strategy resource")
        if given.get("mode") == "shadow" and given.get("steps"):
            raise ValueError("mode shadow has one step without traffic: leave out steps")
        if given.get("strategy") != "resource":
            return given
        if given.get("steps"):
            raise ValueError("strategy resource gives a version all traffic at once: leave out steps")
        return {**given, "steps": ()}

    @field_validator("steps")
    @classmethod
    def _rising(cls, steps: tuple[int, ...]) -> tuple[int, ...]:
        if list(steps) != sorted(set(steps)):
            raise ValueError("steps must rise")
        return steps

    @property
    def shares(self) -> tuple[int, ...]:
        """Percentages of the traffic that a version gets beside a champion, step by step."""
        return (0,) if self.mode == "shadow" else self.steps


class ModelSpec(Spec):
    """What is written under `spec`."""

    family: Annotated[str, form("a family")] = Field(
        description="What kind of model is trained; each family has a page"
    )
    dataset: DatasetSpec = Field(description="Where the data lands")
    training: TrainingSpec = Field(default_factory=TrainingSpec, description="How it is trained")
    compression: CompressionSpec | None = Field(
        default=None,
        description="Which smaller or faster graphs may be served in place of the exported one",
        json_schema_extra={"none": "the exported one is served"},
    )
    gate: GateSpec | None = Field(
        default=None,
        description="What a version must reach before it gets traffic",
        json_schema_extra={"none": "every version passes"},
    )
    serving: ServingSpec = Field(default_factory=ServingSpec, description="How predictors scale")
    rollout: RolloutSpec = Field(default_factory=RolloutSpec, description="How a version is tried")
    card: CardSpec = Field(default_factory=CardSpec, description="What its model cards say of it")

    @model_validator(mode="after")
    def _one_at_a_time(self) -> "ModelSpec":
        if self.rollout.strategy == "resource" and self.serving.min_replicas:
            raise ValueError(
                "with rollout.strategy resource the champion must be able to sleep: serving.minReplicas must "
                f"be 0, not {self.serving.min_replicas}"
            )
        return self

    @property
    def golden_set(self) -> str:
        """Where the golden set lies; "" if there is none."""
        return (self.gate.golden_set if self.gate else None) or ""

    @property
    def min_agreement(self) -> float:
        """How much a version must agree with the champion to need no approval."""
        default: float = GateSpec.model_fields["min_agreement"].default
        return self.gate.min_agreement if self.gate else default

    @property
    def compressed(self) -> Mapping[str, Any]:
        """The graphs that are tried, as a run keeps it; empty if there are none."""
        return self.compression.asked() if self.compression else {}

    @property
    def asks_approval(self) -> bool:
        """Whether each version waits until a human approves it."""
        return self.gate is not None and self.gate.approval == "manual"


class Model(ModelSpec):
    """A declared Model: its name and spec."""

    name: str

    @property
    def config_digest(self) -> str:
        """Identity of what is trained and scored, apart from the data."""
        how = self.training
        rest = how.keep, how.patience, self.compressed, how.accelerate.given()
        return config_digest(self.family, how.config, self.golden_set, how.most_bad, *rest)
