"""The settings of a process. No other module reads the environment.

`make docs` makes docs/settings.md from it. The variables AWS_*, K_SINK and K_REVISION keep their names.
"""

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from knoll import installation as of
from knoll.errors import Rejected
from knoll.names import bucket_uri
from knoll.request_limits import BODIES_LIMIT, BODY_LIMIT
from knoll.setting_types import (
    BucketName,
    Device,
    Folder,
    Labels,
    Names,
    Namespace,
    ObjectName,
    Percent,
    Size,
    Url,
    Wait,
    Word,
)
from knoll.value_faults import value_fault

__all__ = ["Settings", "read_settings", "variable"]


class Settings(BaseSettings):
    """The settings of one process. Times are in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="KNOLL_", frozen=True, populate_by_name=True, extra="ignore", env_ignore_empty=True
    )

    home: Folder = Field(
        default=Path("~/.knoll"),
        validate_default=True,
        description="laptop: folder with its data, keys, logs and records",
    )
    port: int = Field(default=8080, ge=0, le=65535, description="laptop: port on 127.0.0.1; 0 is a free one")
    url: Url = Field(default="", description="URL where predict requests go; `knoll env` prints it")
    s3_endpoint: Url = Field(
        default="",
        validation_alias=AliasChoices("KNOLL_S3_ENDPOINT", of.ENDPOINT_OF_S3, of.ENDPOINT),
        description="URL of the S3 server; if empty, a laptop starts SeaweedFS",
    )
    own_s3: Url = Field(
        default="",
        description="laptop: URL of the S3 server that `knoll up` started; it tells that server from your "
        "own; `knoll env` prints it",
    )
    s3_access_key: str = Field(
        default="",
        validation_alias=AliasChoices("KNOLL_S3_ACCESS_KEY", of.ACCESS_KEY),
        description="access key of the S3 server",
    )
    s3_secret_key: str = Field(
        default="",
        validation_alias=AliasChoices("KNOLL_S3_SECRET_KEY", of.SECRET_KEY),
        description="secret key of the S3 server",
    )
    s3_region: Word = Field(
        default="us-east-1",
        validation_alias=AliasChoices("KNOLL_S3_REGION", of.REGION, of.DEFAULT_REGION),
        description="region of the S3 server",
    )
    model_bucket: BucketName = Field(default="knoll-models", description="bucket for versions and records")
    cluster: Literal["local", "kubernetes"] = Field(
        default="local",
        description="where Models, Jobs and InferenceServices are kept: `local` on this laptop, `kubernetes` "
        "behind an API server",
    )
    namespace: Namespace = Field(
        default="default",
        description="namespace of the Models; on a cluster that of the context or Pod",
    )
    kubeconfig: str = Field(
        default="",
        validation_alias=AliasChoices("KNOLL_KUBECONFIG", "KUBECONFIG"),
        description="cluster: kubeconfig file; if empty, ~/.kube/config, or the account of the Pod",
    )
    kube_context: str = Field(
        default="", description="cluster: context of the kubeconfig file; if empty, its current one"
    )
    broker: ObjectName = Field(default="default", description="cluster: Broker of the events without a sink")
    gateway_url: Url = Field(
        default="",
        validation_alias=AliasChoices("KNOLL_GATEWAY_URL", "GATEWAY_URL"),
        description="cluster: URL of Knative's gateway, if names of Services do not resolve",
    )
    prometheus: Url = Field(default="", description="URL of a Prometheus that scrapes the predictors, if any")
    sink: Url = Field(
        default="",
        validation_alias=AliasChoices("K_SINK", "KNOLL_SINK"),
        description="URL where a process posts its events; Knative sets K_SINK",
    )
    token: str = Field(
        default="",
        description="laptop: token that its broker, functions and predictors ask for; `knoll up` makes one, "
        "`knoll env` prints it",
    )
    sign_key: str = Field(
        default="",
        description="private key in PEM with which a trainer signs its versions; no other process has it",
    )
    verify_key: str = Field(
        default="",
        description="public keys in PEM, one after the other: only a version that one of them has signed is "
        "rolled out. If empty, attestations are not checked. `knoll up` and `make deploy` set it",
    )
    stamp_key: str = Field(default="", description="private key in PEM with which functions stamp records")
    stamp_verify_key: str = Field(
        default="",
        description="public keys in PEM: a run, its outcome, a report or a step counts only if it is stamped",
    )
    revision_key: str = Field(default="", description="a predictor's key to prove reports; rollout makes it")
    answer_key: str = Field(default="", description="the key of a Model's answers; rollout makes it")
    recorded_share: Percent = Field(default=0, description="percent of requests that a predictor reports")
    recorded_redact: Names = Field(default=(), description="fields it never reports, as JSON")
    log_share: Percent = Field(default=0, description="percent of requests that it sends to the log")
    log_mode: Literal["all", "request", "response"] = Field(
        default="all", description="which events of the log it sends"
    )
    source: Word = Field(default="/knoll", description="source attribute of the events that it posts")
    listen_host: Word = Field(
        default="127.0.0.1", description="where a predictor or router listens; their image sets 0.0.0.0"
    )
    listen_port: int = Field(
        default=8080,
        ge=0,
        le=65535,
        validation_alias=AliasChoices("PORT"),
        description="port of a predictor or router; Knative sets it",
    )
    body_memory: int = Field(
        default=BODIES_LIMIT,
        ge=BODY_LIMIT,
        description="bytes of request bodies that a predictor, a router or the laptop's gateway holds at "
        "once; further ones get 503. With little memory it is less",
    )
    memory: Size = Field(
        default=0, description="bytes a predictor may take; 0 means its container's limit, else 2 GiB"
    )
    revision: Word = Field(
        default="",
        validation_alias=AliasChoices("K_REVISION", "KNOLL_REVISION"),
        description="Revision of a predictor; Knative sets K_REVISION",
    )
    eventing: Path | None = Field(
        default=None,
        description="laptop: folder with the files of the Broker, Triggers and sources; if empty, eventing/",
    )
    tick: Wait = Field(
        default=5.0,
        description="laptop: seconds between sweeps; replaces the schedule in eventing/ticker.yaml",
    )
    survey: Wait = Field(
        default=30.0,
        description="seconds between two looks for stray objects in the model bucket; `make deploy` sets 600",
    )
    idle: Wait = Field(default=60.0, description="laptop: seconds until a predictor without requests ends")
    progress_deadline: Wait = Field(
        default=120.0, description="laptop: seconds that a new Revision has to become ready"
    )
    trainer_image: Word = Field(default="knoll-trainer", description="image of training Jobs")
    predictor_image: Word = Field(default="knoll-predictor", description="image of predictors")
    trainer_node_selector: Labels = Field(
        default_factory=dict, description="cluster: labels of the nodes for training Jobs, as JSON"
    )
    predictor_node_selector: Labels = Field(
        default_factory=dict, description="cluster: labels of the nodes for predictors, as JSON"
    )
    quota: int = Field(
        default=16,
        ge=1,
        description="how many training Jobs may be live at once in the namespace; further runs wait",
    )
    queue_name: ObjectName = Field(default="", description="cluster: Kueue LocalQueue of training Jobs")
    priority_class: ObjectName = Field(
        default="", description="cluster: Kueue WorkloadPriorityClass of training Jobs"
    )
    threads: Size = Field(
        default=0,
        description="CPU threads of a trainer or predictor; 0 means what the run requests, or all cores",
    )
    rank: Size | None = Field(
        default=None,
        validation_alias=AliasChoices("RANK"),
        description="number of this process among those of a training; torchrun sets it",
    )
    meeting: Word = Field(
        default="env://",
        description="URL where the processes of a training meet; on one node the trainer sets it",
    )
    event_path: Path | None = Field(
        default=None,
        validation_alias=AliasChoices("K_EVENT_PATH"),
        description="file with the event for a trainer; Knative's JobSink sets it",
    )
    device: Device = Field(
        default="", description="torch device of a trainer; if empty, CUDA if there is a GPU, else the CPU"
    )
    cache: Folder | None = Field(default=None, description="folder where a trainer keeps what it has read")
    cache_size: Size = Field(default=10 * 2**30, description="the most bytes of it; 0 keeps nothing")

    @property
    def model_root(self) -> str:
        """URI of the model bucket."""
        return bucket_uri(self.model_bucket)


def read_settings(**overrides: object) -> Settings:
    """Read the settings from the environment; `overrides` replace them by field name.

    Raises Rejected that names the variable and the value of every faulty setting.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        raise Rejected(
            "; ".join(_fault(one) for one in error.errors()),
            fix="correct the environment variable, or the option; docs/settings.md lists them",
        ) from error


def _fault(error: Any) -> str:
    """One fault with the variable that has it."""
    said, *inner = map(str, error["loc"])  # the field, or the first of its variables
    names = next(found for field in Settings.model_fields if said in (field, *(found := _names(field))))
    name = next((one for one in names if os.environ.get(one)), names[0])
    return f"{'.'.join([name, *inner])} {value_fault(error)}"


def variable(field: str) -> str:
    """The variable that a process reads a setting from: "token" -> "KNOLL_TOKEN"; the first of several."""
    return _names(field)[0]


def _names(field: str) -> tuple[str, ...]:
    alias = Settings.model_fields[field].validation_alias
    return tuple(map(str, alias.choices)) if isinstance(alias, AliasChoices) else (f"KNOLL_{field.upper()}",)
