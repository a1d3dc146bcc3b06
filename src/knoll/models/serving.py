"""The fields of a Model that say how its predictors scale."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from knoll.models.dataset import Spec
from knoll.models.units import Resources, unit
from knoll.quantities import PREDICTOR_RESOURCES, resources_in_words

__all__ = ["LoggerSpec", "ServingSpec"]

_SERVED_WITH = unit("cores, bytes, GPUs", none=resources_in_words(PREDICTOR_RESOURCES))


class LoggerSpec(Spec):
    """Which requests, and which answers to them, are sent to the broker."""

    mode: Literal["all", "request", "response"] = Field(
        default="all",
        description="What is sent of a request that was answered well: `all`, the `request` alone, or the "
        "`response` alone",
    )
    share: Annotated[int, unit("percent")] = Field(
        default=100, ge=1, le=100, description="Which part of the requests is sent; their ids decide"
    )


class ServingSpec(Spec):
    """How predictors scale."""

    min_replicas: Annotated[int, unit("replicas")] = Field(
        default=0, ge=0, description="Replicas that always run; with 0 an idle model costs nothing"
    )
    max_replicas: Annotated[int, unit("replicas")] = Field(
        default=4, ge=1, le=10_000, description="The most replicas at once"
    )
    concurrency: Annotated[int, unit("requests")] = Field(
        default=8, ge=1, le=1000, description="Requests that one replica handles at once"
    )
    grpc: bool = Field(
        default=False,
        description="Whether calls of gRPC reach the predictors of a cluster, too. The gateway then asks "
        "them by HTTP/2",
    )
    logger: LoggerSpec | None = Field(
        default=None,
        description="Which requests are sent to the broker, as KServe's logger sends them",
        json_schema_extra={"none": "none"},
    )
    resources: Annotated[Resources, _SERVED_WITH] = Field(
        default_factory=dict, description="What one replica requests, which is also its limit"
    )

    @model_validator(mode="after")
    def _room_to_scale(self) -> "ServingSpec":
        if self.min_replicas > self.max_replicas:
            raise ValueError(f"minReplicas {self.min_replicas} is more than maxReplicas {self.max_replicas}")
        return self
