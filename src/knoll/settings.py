"""Everything that can be set from outside: the only module that reads the environment.

Each setting is one variable, named in the README; the AWS variables, K_SINK and K_REVISION keep the names
that AWS and Knative give them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from knoll.errors import Rejected

__all__ = ["Settings", "read_settings"]


class Settings(BaseSettings):
    """The settings of one process. Times are in seconds unless a name says otherwise."""

    model_config = SettingsConfigDict(
        env_prefix="KNOLL_", frozen=True, populate_by_name=True, extra="ignore", env_ignore_empty=True
    )

    home: Path = Field(
        default=Path("~/.knoll"),
        description="where the laptop platform keeps its data, keys, logs and records",
    )
    port: int = Field(
        default=8080,
        ge=0,
        le=65535,
        description="port of the laptop platform: predict, broker ingress and functions; 0 takes a free one",
    )
    url: str = Field(default="", description="base URL for predict requests; `knoll env` prints it")
    s3_endpoint: str = Field(
        default="",
        validation_alias=AliasChoices("KNOLL_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
        description="S3 server to use; on the laptop empty means: start SeaweedFS",
    )
    own_s3: str = Field(
        default="",
        description="S3 endpoint of a laptop platform, from `knoll env`: a server of ours, which "
        "stands in for nobody's own",
    )
    s3_access_key: str = Field(
        default="",
        validation_alias=AliasChoices("KNOLL_S3_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
        description="access key of the S3 server",
    )
    s3_secret_key: str = Field(
        default="",
        validation_alias=AliasChoices("KNOLL_S3_SECRET_KEY", "AWS_SECRET_ACCESS_KEY"),
        description="secret key of the S3 server",
    )
    s3_region: str = Field(
        default="us-east-1",
        validation_alias=AliasChoices("KNOLL_S3_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"),
        description="region of the S3 server",
    )
    model_bucket: str = Field(
        default="knoll-models", description="bucket for versions, run records and rollout records"
    )
    cluster: Literal["local", "kubernetes"] = Field(
        default="local",
        description="where Models, Jobs and InferenceServices lie: on the laptop (local), or behind a "
        "Kubernetes API server",
    )
    namespace: str = Field(
        default="default",
        description="namespace of Models, Jobs and InferenceServices; on a cluster the context's own",
    )
    kubeconfig: str = Field(
        default="",
        validation_alias=AliasChoices("KNOLL_KUBECONFIG", "KUBECONFIG"),
        description="cluster: file that says where it is",
    )
    kube_context: str = Field(
        default="", description="cluster: context of that file; default: its current one"
    )
    broker: str = Field(
        default="default",
        description="cluster: Broker of the namespace to which events go when no sink is set",
    )
    gateway_url: str = Field(
        default="",
        validation_alias=AliasChoices("KNOLL_GATEWAY_URL", "GATEWAY_URL"),
        description="cluster: Knative gateway for predict requests where the names of services do not "
        "resolve",
    )
    sink: str = Field(
        default="",
        validation_alias=AliasChoices("K_SINK", "KNOLL_SINK"),
        description="URL to which events are posted; Knative sets K_SINK",
    )
    source: str = Field(
        default="/knoll", description="source attribute of the events that this process emits"
    )
    listen_host: str = Field(
        default="127.0.0.1", description="address on which a predictor listens; its image sets 0.0.0.0"
    )
    listen_port: int = Field(
        default=8080,
        validation_alias=AliasChoices("PORT"),
        description="port of a predictor; Knative sets PORT",
    )
    revision: str = Field(
        default="",
        validation_alias=AliasChoices("K_REVISION", "KNOLL_REVISION"),
        description="revision that a predictor belongs to; Knative sets it",
    )
    eventing: Path | None = Field(
        default=None,
        description="folder of the Broker, Trigger and source files that the laptop platform reads; "
        "default: eventing/",
    )
    tick: float = Field(
        default=5.0,
        description="laptop: seconds between sweeps, in place of the schedule in eventing/ticker.yaml",
    )
    idle: float = Field(
        default=60.0, description="laptop: seconds without a request after which a model server is stopped"
    )
    progress_deadline: float = Field(
        default=120.0, description="laptop: seconds that a new revision may take to become ready"
    )
    trainer_image: str = Field(default="knoll-trainer", description="image of training Jobs")
    predictor_image: str = Field(default="knoll-predictor", description="image of predictors")
    trainer_node_selector: Mapping[str, str] = Field(
        default_factory=dict, description="cluster: labels of nodes for training Jobs, as JSON"
    )
    predictor_node_selector: Mapping[str, str] = Field(
        default_factory=dict, description="cluster: labels of nodes for predictors, as JSON"
    )
    quota: int = Field(
        default=16,
        ge=1,
        description="how many training Jobs may be live at once in the namespace; the others wait",
    )
    queue_name: str = Field(default="", description="cluster: Kueue LocalQueue of training Jobs")
    priority_class: str = Field(
        default="", description="cluster: Kueue WorkloadPriorityClass of training Jobs"
    )
    threads: int = Field(
        default=0,
        description="CPU threads of a trainer or predictor; 0 means: the cores that a run asks for, "
        "all cores of a predictor",
    )
    rank: int | None = Field(
        default=None,
        validation_alias=AliasChoices("RANK"),
        description="number of a trainer's process among several; torchrun sets it",
    )
    event_path: Path | None = Field(
        default=None,
        validation_alias=AliasChoices("K_EVENT_PATH"),
        description="file with the event for a trainer; a Knative JobSink sets it",
    )
    device: str = Field(
        default="", description="torch device of a trainer; empty means: CUDA if there is one, else CPU"
    )

    @property
    def model_root(self) -> str:
        """URI of the model bucket."""
        return f"s3://{self.model_bucket}"


def read_settings(**overrides: object) -> Settings:
    """The settings from the environment, with overrides by field name. Raises Rejected that names every
    setting with a fault."""
    try:
        settings = Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        faults = "; ".join(f"{one['loc'][0]}: {one['msg']}" for one in error.errors())
        raise Rejected(
            f"settings have faults: {faults}",
            fix="mend the environment variables KNOLL_...; the README lists them",
        ) from error
    return settings.model_copy(update={"home": settings.home.expanduser().absolute()})
