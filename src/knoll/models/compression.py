"""The fields of a Model that say which smaller or faster graphs are tried in place of the exported one."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from knoll.models.dataset import Spec
from knoll.models.units import form, unit

__all__ = ["CompressionSpec", "GraphName"]

GraphName = Literal["fp16", "int8", "int8-weights", "pruned", "distilled"]


class PruningSpec(Spec):
    """How `pruned` is made."""

    share: Annotated[float, unit("share")] = Field(
        default=0.5,
        ge=0.05,
        le=0.95,
        description="Which part of the channels of each layer goes: the smallest ones",
    )
    epochs: Annotated[int, unit("passes")] = Field(
        default=2, ge=1, le=1_000_000, description="How long the rest learns on"
    )


class DistillationSpec(Spec):
    """How `distilled` is made."""

    teacher: Literal["trained", "champion"] = Field(
        default="trained",
        description="Whose answers the smaller network learns: those of the network that was trained, which "
        "is wider, or those of the champion",
    )
    epochs: Annotated[int | None, unit("passes", none="those of the training")] = Field(
        default=None, ge=1, le=1_000_000, description="How long it learns"
    )


class CompressionSpec(Spec):
    """Which graphs are tried, and how much worse the one that is served may be."""

    candidates: Annotated[tuple[GraphName, ...], Field(strict=False, min_length=1, max_length=8)] = Field(
        default=("fp16", "int8", "int8-weights"),
        description="The graphs that are tried beside the exported one, `fp32`; see below",
        json_schema_extra={"unit": "names", "range": "`fp16`, `int8`, `int8-weights`, `pruned`, `distilled`"},
    )
    max_loss: Annotated[float, unit("share")] = Field(
        default=0.01,
        ge=0,
        le=1,
        description="How much worse than `fp32` a graph may be on the held-out examples, and on the golden "
        "set: a share of the range of the metric, or of the value of `fp32` if the metric has no range",
    )
    metric: Annotated[str | None, form("a metric of the family", none="its first one")] = Field(
        default=None, description="The metric that is compared"
    )

    pruning: PruningSpec = Field(default_factory=PruningSpec, description="How `pruned` is made")
    distillation: DistillationSpec = Field(
        default_factory=DistillationSpec, description="How `distilled` is made"
    )

    def asked(self) -> Mapping[str, Any]:
        """What a run keeps of it: the graphs, and what differs from the defaults."""
        return {**self.given(), "candidates": sorted({*self.candidates})}
