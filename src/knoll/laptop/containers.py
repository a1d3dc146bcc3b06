"""The command and the environment of a container, for a child process.

An image is a name in a table of entry points. If a laptop cannot do what the container asks for, it refuses
the container with the reason that a Pod would show.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from knoll.laptop.resources import memory_limit, thread_limit
from knoll.settings import variable

__all__ = ["Unrunnable", "command_of", "container_of", "environment_of", "image_name"]


class Unrunnable(Exception):
    """The container cannot start as it is written. `reason` is the one that Kubernetes would show on the
    waiting Pod."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class _Source:
    """The values that a document refers to by name."""

    secrets: Mapping[str, Mapping[str, str]]

    def secret(self, reference: Mapping[str, Any]) -> Mapping[str, str]:
        name = reference["name"]
        if name not in self.secrets and not reference.get("optional"):
            raise Unrunnable("CreateContainerConfigError", f'secret "{name}" not found')
        return self.secrets.get(name, {})


def image_name(image: str) -> str:
    """The last part of an image's name: "ghcr.io/knoll/knoll-trainer:0.1@sha256:..." -> "knoll-trainer"."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def container_of(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    """The container of a Pod's spec. Raises Unrunnable unless there is exactly one."""
    containers = [*(pod.get("initContainers") or []), *(pod.get("containers") or [])]
    if len(containers) != 1:
        raise Unrunnable(
            "CreateContainerConfigError", f"a laptop runs Pods of one container, not of {len(containers)}"
        )
    return containers[0]  # type: ignore[no-any-return]


def command_of(container: Mapping[str, Any], entry_points: Mapping[str, Sequence[str]]) -> list[str]:
    """The command line of a container. Raises Unrunnable if its image has no entry point here, or if it sets
    `command`."""
    image = container["image"]
    entry_point = entry_points.get(image_name(image))
    if entry_point is None:
        known = ", ".join(sorted(entry_points))
        raise Unrunnable("ErrImagePull", f'image "{image}" is not known on this machine, which has: {known}')
    if container.get("command"):
        raise Unrunnable(
            "CreateContainerConfigError",
            "a laptop does not support command: every image runs its entry point",
        )
    return [*entry_point, *(str(one) for one in container.get("args") or [])]


def environment_of(
    container: Mapping[str, Any],
    environment: Mapping[str, str],
    secrets: Mapping[str, Mapping[str, str]],
    gpus: Sequence[int],
) -> dict[str, str]:
    """The variables of a container: `environment`, then envFrom, then env, where the later ones win; and the
    threads, the memory and the GPUs that it may use.

    Raises Unrunnable for a value that does not come from a secret. There are no ConfigMaps: `environment`
    takes their place.
    """
    source = _Source(secrets)
    values = {"CUDA_VISIBLE_DEVICES": ",".join(str(one) for one in gpus), **environment}
    threads = thread_limit(container)
    if threads is not None:
        values |= {"OMP_NUM_THREADS": str(threads), variable("threads"): str(threads)}
    memory = memory_limit(container)
    if memory is not None:
        values[variable("memory")] = str(memory)
    for one in container.get("envFrom") or []:
        if "secretRef" not in one:
            raise Unrunnable(
                "CreateContainerConfigError", f"envFrom: a laptop reads secretRef only, not {sorted(one)}"
            )
        prefix = one.get("prefix", "")
        values |= {prefix + name: value for name, value in source.secret(one["secretRef"]).items()}
    for one in container.get("env") or []:
        values |= _variable(one, source)
    return values


def _variable(variable: Mapping[str, Any], source: _Source) -> dict[str, str]:
    name, value_from = variable["name"], variable.get("valueFrom")
    if value_from is None:
        return {name: str(variable.get("value", ""))}
    if (value_from.get("configMapKeyRef") or {}).get("optional"):
        return {}
    reference = value_from.get("secretKeyRef")
    if reference is None:
        raise Unrunnable(
            "CreateContainerConfigError",
            f"{name}: a laptop reads valueFrom.secretKeyRef only, not {sorted(value_from)}",
        )
    values = source.secret(reference)
    if reference["key"] in values:
        return {name: values[reference["key"]]}
    if reference.get("optional"):
        return {}
    raise Unrunnable(
        "CreateContainerConfigError", f"couldn't find key {reference['key']} in Secret {reference['name']}"
    )
