"""The fields of a Model that say how the Job trains."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from knoll.models.acceleration import AccelerateSpec
from knoll.models.dataset import Spec
from knoll.models.units import PositiveSeconds, Resources, form, unit
from knoll.quantities import DEFAULT_RESOURCES, GPU, resources_in_words

__all__ = ["CheckpointSpec", "TrainingSpec"]

_TRAINED_WITH = unit("cores, bytes, GPUs", none=resources_in_words(DEFAULT_RESOURCES))


class CheckpointSpec(Spec):
    """How often the state of a training is kept, for the next attempt if this one is killed."""

    every: PositiveSeconds = Field(
        default=60.0,
        description="Time between two checkpoints. A killed training loses at most this time, and the time "
        "that the next one takes to be written",
    )
    keep: Annotated[int, unit("checkpoints")] = Field(
        default=2, ge=1, le=10, description="The newest ones that stay. All go when the run ends"
    )


class TrainingSpec(Spec):
    """How the Job trains."""

    config: Annotated[Mapping[str, Any], form("fields of the family", none="those of the family")] = Field(
        default_factory=dict,
        description="Settings of the family, such as `epochs`; its page and `knoll families` list them. "
        "Another config leads to another version",
    )
    nodes: Annotated[int, unit("Pods")] = Field(
        default=1, ge=1, le=64, description="Pods that train together. A laptop is one node"
    )
    processes_per_node: Annotated[int, unit("processes")] = Field(
        default=1, ge=1, le=16, description="Processes of each Pod; each needs a GPU if the Pod asks for GPUs"
    )
    rank_timeout: PositiveSeconds = Field(
        default=600.0,
        description="How long the processes wait for the slowest one. If one is dead or hangs for so long, "
        "the attempt ends, and the next one goes on from the newest checkpoint",
    )
    sharding: Literal["none", "optimizer"] = Field(
        default="none",
        description="What the processes share out. With `optimizer`, each keeps the gradients and the state "
        "of optimisers for its share of the weights, which saves memory in large networks. The weights are "
        "the same",
    )
    resources: Annotated[Resources, _TRAINED_WITH] = Field(
        default_factory=dict,
        description="What one Pod requests, which is also its limit: `{cpu: 2, memory: 2Gi, "
        "nvidia.com/gpu: 1}`",
    )
    deadline: PositiveSeconds = Field(default=7200.0, description="How long the run may take, with retries")
    retries: Annotated[int, unit("attempts")] = Field(
        default=2,
        ge=0,
        le=10,
        description="Further attempts after a failure that may be temporary. Bad data is never tried again",
    )
    concurrency: Literal["Queue", "Replace", "Forbid"] = Field(
        default="Queue",
        description="What a new run does while another run of this Model trains: `Queue` waits, `Replace` "
        "ends the other, `Forbid` skips the new one",
    )

    bad_data: Literal["reject", "skip"] = Field(
        default="reject",
        description="What follows from files that cannot be read: `reject` ends the run and names them, "
        "`skip` goes on without them, unless there are more than `maxBad`",
    )
    max_bad: Annotated[float, unit("share")] = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Which part of the files may be left out, with `badData: skip`",
    )
    keep: Literal["best", "last"] = Field(
        default="last",
        description="Which weights become the version: those with the least held-out loss, or the last ones. "
        "Families with several losses, such as GANs, have only `last`",
    )
    patience: Annotated[int | None, unit("epochs", none="all epochs are trained")] = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="The training ends when the held-out loss has not fallen for so many epochs",
    )
    checkpoint: CheckpointSpec = Field(
        default_factory=CheckpointSpec, description="How the training is kept for its next attempt"
    )
    accelerate: AccelerateSpec = Field(
        default_factory=AccelerateSpec,
        description="How the training computes: in which precision, and by "
        "which of the ways in which torch is faster",
    )

    @property
    def most_bad(self) -> float:
        """The share of files that may be bad."""
        return self.max_bad if self.bad_data == "skip" else 0.0

    @model_validator(mode="after")
    def _a_gpu_for_each_process(self) -> "TrainingSpec":
        gpus = self.resources.get(GPU)
        if gpus is not None and gpus.isdecimal() and 0 < int(gpus) < self.processes_per_node:
            raise ValueError(
                f"processesPerNode is {self.processes_per_node}, so {GPU} must be at least "
                f"{self.processes_per_node}, not {gpus}"
            )
        return self
