"""The settings of a process. No other module reads the environment.

`make docs` makes docs/settings.md from this module. Variables that AWS and Knative define keep their names:
AWS_*, K_SINK, K_REVISION.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from knoll.errors import Rejected
from knoll.request_limits import BODIES_LIMIT, BODY_LIMIT

__all__ = [
    "CONFIG_MAP",
    "SIGNING_SECRET",
    "SIGN_FILE",
    "STAMPING_SECRET",
    "STORE_SECRET",
    "STORE_VARIABLES",
    "VERIFY_FILE",
    "Settings",
    "read_settings",
    "store_variables",
    "variable",
]

CONFIG_MAP = "knoll"  # cluster: the settings of the installation
STORE_SECRET = "knoll-s3"  # the Secret with the keys of the store
SIGNING_SECRET = "knoll-signing"  # the Secret with the two halves of the key that signs versions
STAMPING_SECRET = "knoll-stamping"  # the Secret with the two halves of the key that stamps records
SIGN_FILE, VERIFY_FILE = "private.pem", "public.pem"  # the entries of both
# variables in the Secret of the store, as S3 clients read them, by the fields of Settings
STORE_VARIABLES = {
    "AWS_ENDPOINT_URL": "s3_endpoint",
    "AWS_ACCESS_KEY_ID": "s3_access_key",
    "AWS_SECRET_ACCESS_KEY": "s3_secret_key",
    "AWS_REGION": "s3_region",
}


class Settings(BaseSettings):
    """The settings of one process. Times are in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="KNOLL_", frozen=True, populate_by_name=True, extra="ignore", env_ignore_empty=True
    )

    home: Path = Field(
        default=Path("~/.knoll"), description="laptop: folder with its data, keys, logs and records"
    )
    port: int = Field(
        default=8080, ge=0, le=65535, description="laptop: its one port on 127.0.0.1; 0 takes a free one"
    )
    url: str = Field(default="", description="URL where predict requests go; `knoll env` prints it")
    s3_endpoint: str = Field(
        default="",
        validation_alias=AliasChoices("KNOLL_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
        description="URL of the S3 server; if empty, a laptop starts SeaweedFS",
    )
    own_s3: str = Field(
        default="",
        description="laptop: URL of the S3 server that `knoll up` started; it tells that server from your "
        "own; `knoll env` prints it",
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
    model_bucket: str = Field(default="knoll-models", description="bucket for versions and records")
    cluster: Literal["local", "kubernetes"] = Field(
        default="local",
        description="where Models, Jobs and InferenceServices are kept: `local` on this laptop, `kubernetes` "
        "behind an API server",
    )
    namespace: str = Field(
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
    broker: str = Field(
        default="default", description="cluster: Broker that gets the events if no sink is set"
    )
    gateway_url: str = Field(
        default="",
        validation_alias=AliasChoices("KNOLL_GATEWAY_URL", "GATEWAY_URL"),
        description="cluster: URL of Knative's gateway, if names of Services do not resolve",
    )
    prometheus: str = Field(default="", description="URL of a Prometheus that scrapes the predictors, if any")
    sink: str = Field(
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
        description="private key in PEM with which a trainer signs the versions that it makes; no other "
        "process has it",
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
    recorded_share: int = Field(default=0, description="percent of requests that a predictor reports")
    recorded_redact: tuple[str, ...] = Field(default=(), description="fields it never reports, as JSON")
    source: str = Field(default="/knoll", description="source attribute of the events that the process posts")
    listen_host: str = Field(
        default="127.0.0.1", description="where a predictor or router listens; their image sets 0.0.0.0"
    )
    listen_port: int = Field(
        default=8080,
        validation_alias=AliasChoices("PORT"),
        description="port of a predictor or router; Knative sets it",
    )
    body_memory: int = Field(
        default=BODIES_LIMIT,
        ge=BODY_LIMIT,
        description="bytes of request bodies that a predictor, a router or the laptop's gateway holds at "
        "once; further ones get 503. With little memory it is less",
    )
    memory: int = Field(
        default=0, ge=0, description="bytes a predictor may take; 0 means its container's limit, else 2 GiB"
    )
    revision: str = Field(
        default="",
        validation_alias=AliasChoices("K_REVISION", "KNOLL_REVISION"),
        description="Revision of a predictor; Knative sets K_REVISION",
    )
    eventing: Path | None = Field(
        default=None,
        description="laptop: folder with the files of the Broker, Triggers and sources; if empty, eventing/",
    )
    tick: float = Field(
        default=5.0,
        description="laptop: seconds between sweeps; replaces the schedule in eventing/ticker.yaml",
    )
    survey: float = Field(
        default=30.0,
        description="seconds between two looks for stray objects in the model bucket; `make deploy` sets 600",
    )
    idle: float = Field(default=60.0, description="laptop: seconds until a predictor without requests ends")
    progress_deadline: float = Field(
        default=120.0, description="laptop: seconds that a new Revision has to become ready"
    )
    trainer_image: str = Field(default="knoll-trainer", description="image of training Jobs")
    predictor_image: str = Field(default="knoll-predictor", description="image of predictors")
    trainer_node_selector: Mapping[str, str] = Field(
        default_factory=dict, description="cluster: labels of the nodes for training Jobs, as JSON"
    )
    predictor_node_selector: Mapping[str, str] = Field(
        default_factory=dict, description="cluster: labels of the nodes for predictors, as JSON"
    )
    quota: int = Field(
        default=16,
        ge=1,
        description="how many training Jobs may be live at once in the namespace; further runs wait",
    )
    queue_name: str = Field(default="", description="cluster: Kueue LocalQueue of training Jobs")
    priority_class: str = Field(
        default="", description="cluster: Kueue WorkloadPriorityClass of training Jobs"
    )
    threads: int = Field(
        default=0,
        description="CPU threads of a trainer or predictor; 0 means the cores that the run requests, "
        "or all cores for a predictor",
    )
    rank: int | None = Field(
        default=None,
        validation_alias=AliasChoices("RANK"),
        description="number of this process among those of a training; torchrun sets it",
    )
    meeting: str = Field(
        default="env://",
        description="URL where the processes of a training find each other; the trainer sets it when all are "
        "on one node",
    )
    event_path: Path | None = Field(
        default=None,
        validation_alias=AliasChoices("K_EVENT_PATH"),
        description="file with the event for a trainer; Knative's JobSink sets it",
    )
    device: str = Field(
        default="", description="torch device of a trainer; if empty, CUDA if there is a GPU, else the CPU"
    )

    @property
    def model_root(self) -> str:
        """URI of the model bucket."""
        return f"s3://{self.model_bucket}"


def read_settings(**overrides: object) -> Settings:
    """Read the settings from the environment; `overrides` replace them by field name.

    Raises Rejected that names every faulty setting.
    """
    try:
        settings = Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        faults = "; ".join(f"{one['loc'][0]}: {one['msg']}" for one in error.errors())
        raise Rejected(
            f"the settings have faults: {faults}",
            fix="correct the environment variables KNOLL_...; docs/settings.md lists them",
        ) from error
    return settings.model_copy(update={"home": settings.home.expanduser().absolute()})


def variable(field: str) -> str:
    """The variable that a process reads a setting from: "token" -> "KNOLL_TOKEN"; the first of several."""
    alias = Settings.model_fields[field].validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"KNOLL_{field.upper()}"


def store_variables(settings: Settings) -> dict[str, str]:
    """The variables with which an S3 client reaches the store of these settings."""
    return {name: str(getattr(settings, field)) for name, field in STORE_VARIABLES.items()}
