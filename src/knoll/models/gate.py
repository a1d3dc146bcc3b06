"""What a version must reach before it gets traffic."""

from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from knoll.models.dataset import Spec
from knoll.models.places import Prefix
from knoll.models.units import form, unit

__all__ = ["BoundSpec", "GateSpec"]

_METRIC = unit("the metric's", none="no bound")
_SHARE = unit("share", none="no bound")


class BoundSpec(Spec):
    """The bounds of one metric, on held-out data. With `at_most` less is better."""

    metric: Annotated[str, form("a metric of the family")] = Field(
        description="A metric of the family; its page lists them"
    )
    at_least: Annotated[FiniteFloat | None, _METRIC] = Field(
        default=None,
        description="The least value that passes. Give `atLeast` or `atMost`, not both. A bound that no "
        "version can reach is refused. `knoll apply` warns of a bound that every version reaches",
    )
    at_most: Annotated[FiniteFloat | None, _METRIC] = Field(
        default=None,
        description="The greatest value that passes, for metrics where less is better. Such a metric needs "
        "`atMost` even if `maxRegression` is set",
    )
    max_regression: Annotated[FiniteFloat | None, _METRIC] = Field(
        default=None,
        ge=0,
        description="How much worse than the champion the version may be on the same held-out examples",
    )

    @model_validator(mode="after")
    def _one_direction(self) -> Self:
        if self.at_least is not None and self.at_most is not None:
            raise ValueError("give atLeast or atMost, not both")
        return self


class GateSpec(BoundSpec):
    """The bounds of the metric that counts most, of others, and of parts of the examples."""

    also: Annotated[tuple[BoundSpec, ...], Field(strict=False, max_length=20)] = Field(
        default=(),
        description="Bounds of other metrics",
        json_schema_extra={"unit": "metrics", "range": "see below", "none": "the one metric alone"},
    )
    slice_at_least: Annotated[FiniteFloat | None, _SHARE] = Field(
        default=None,
        ge=0,
        le=1,
        description="The least value that passes on each part of the examples: in the recall of each class",
    )
    max_slice_regression: Annotated[FiniteFloat | None, _SHARE] = Field(
        default=None,
        ge=0,
        le=1,
        description="How much worse it may be on one part of them: in the recall of one class",
    )
    beat_baseline: bool = Field(
        default=True,
        description="Whether a version that is worse than the naive baseline in `metric` is refused. The "
        "model card says what the baseline is. Families without a baseline are not asked",
    )
    approval: Literal["agreement", "manual"] = Field(
        default="agreement",
        description="Which versions wait for `knoll rollout approve` before they get traffic: those that "
        "agree too little with the champion, or with `manual` all",
    )
    min_agreement: Annotated[FiniteFloat, unit("share")] = Field(
        default=0.8,
        ge=0,
        le=1,
        description="On which part of the champion's held-out samples the version must give the champion's "
        "answer. If it agrees on less, it waits for `knoll rollout approve`; with 0 it never waits. Without "
        "a gate the default holds",
    )
    golden_set: Annotated[Prefix | None, form("s3://bucket/prefix/", none="held-out data alone")] = Field(
        default=None,
        description="Bucket and prefix of files that score each version beside the held-out data: "
        "`s3://exams/digits/`. The bounds of the gate apply to both scores",
    )

    @model_validator(mode="after")
    def _each_metric_once(self) -> Self:
        names = [one.metric for one in self.bounds]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the bounds of {twice[0]} are given twice: give each metric once")
        return self

    @property
    def bounds(self) -> tuple[BoundSpec, ...]:
        """The bounds of all metrics, that of the gate first."""
        return (self, *self.also)
