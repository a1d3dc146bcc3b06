"""How replicas run, and what command a Revision becomes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from knoll.laptop.containers import Unrunnable, command_of, environment_of
from knoll.laptop.serving.replica import Command
from knoll.paths import READY
from knoll.ports import Document
from knoll.settings import variable

__all__ = ["ServingOptions", "replica_command"]


@dataclass(frozen=True)
class ServingOptions:
    """How replicas run.

    `url` is the base URL of the gateway, `logs` the folder of their logs. `entry_points` has the command of
    each image, `secrets` the variables of each secret; every replica gets `environment`. A replica stops
    after `idle` seconds without a request. A new Revision must be ready after `progress_deadline` seconds.
    Each request to a replica shows `token`.
    """

    url: str
    logs: Path
    entry_points: Mapping[str, Sequence[str]]
    secrets: Mapping[str, Mapping[str, str]]
    environment: Mapping[str, str]
    idle: float = 60.0
    progress_deadline: float = 120.0
    token: str = ""


def replica_command(revision: Document, options: ServingOptions) -> Command:
    """The command of a Revision's replica. Raises Unrunnable or Rejected if there can be none."""
    name, spec = revision["metadata"]["name"], revision["spec"]
    if not spec.get("containers"):
        raise Unrunnable(
            "InvalidSpec", "spec.predictor has no containers: a laptop does not know predictor.model"
        )
    container = spec["containers"][0]
    given = {**options.environment, variable("revision"): name}
    return Command(
        revision=name,
        argv=tuple(command_of(container, options.entry_points)),
        environment=environment_of(container, given, options.secrets, ()),
        log=options.logs / f"{name}.log",
        probe=((container.get("readinessProbe") or {}).get("httpGet") or {}).get("path", READY),
        concurrency=int(spec.get("containerConcurrency") or 0),
    )
