"""The overlay of an installation: what the environment says of it, and its files below build/."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import yaml

from knoll.installation import CONFIG_MAP, STORE_SECRET, VERIFY_FILE

ROOT = Path(__file__).parents[1]
_VERIFY_FILES = {"KNOLL_VERIFY_KEY": VERIFY_FILE, "KNOLL_STAMP_VERIFY_KEY": f"stamping-{VERIFY_FILE}"}
sys.path.insert(0, str(ROOT / "images"))

from build import NAMES, image  # noqa: E402 - a script beside the Dockerfiles, which must run without knoll

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_NO_HASH = {"disableNameSuffixHash": True}


def namespace(environment: Mapping[str, str]) -> str:
    """The namespace of the installation."""
    return environment.get("KNOLL_NAMESPACE") or "knoll"


def bucket(environment: Mapping[str, str]) -> str:
    """The model bucket of the installation."""
    return environment.get("KNOLL_MODEL_BUCKET") or "knoll-models"


def kustomization(environment: Mapping[str, str], folder: Path, **more: Any) -> dict[str, Any]:
    """The overlay for this environment. It will lie in `folder`. `more` has further fields of a
    kustomization, such as patches."""
    overlay = ROOT / "deploy" / "overlays" / _overlay(environment)
    images = {name: image(name, environment) for name in NAMES}
    config = {
        "KNOLL_MODEL_BUCKET": bucket(environment),
        "KNOLL_TRAINER_IMAGE": images["trainer"],
        "KNOLL_PREDICTOR_IMAGE": images["predictor"],
    }
    literals = [f"{name}={value}" for name, value in config.items()]
    files = [f"{name}={file}" for name, file in _VERIFY_FILES.items() if (folder / file).exists()]
    document: dict[str, Any] = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": namespace(environment),
        "resources": [os.path.relpath(overlay, folder)],
        "images": [_renamed(f"knoll-{name}", full) for name, full in images.items()],
        "configMapGenerator": [
            {"name": CONFIG_MAP, "behavior": "merge", "options": _NO_HASH, "literals": literals}
            | ({"files": files} if files else {})
        ],
    }
    return document | secret_generator(environment) | more


def secret_generator(environment: Mapping[str, str]) -> dict[str, Any]:
    """The field secretGenerator: the keys from s3.env, or only the region if roles give access. {} if neither
    is known."""
    if has_roles(environment) and region(environment):
        ours = {"behavior": "merge", "options": _NO_HASH, "literals": [f"AWS_REGION={region(environment)}"]}
    elif has_keys(environment):
        ours = {"options": _NO_HASH | {"annotations": store_annotations(environment)}, "envs": ["s3.env"]}
    else:
        return {}
    return {"secretGenerator": [{"name": STORE_SECRET} | ours]}


def has_roles(environment: Mapping[str, str]) -> bool:
    """Whether roles give access to the store. Then the cluster gets no keys."""
    return _overlay(environment) == "aws"


def has_keys(environment: Mapping[str, str]) -> bool:
    """Whether the cluster gets keys."""
    return not has_roles(environment) and bool(environment.get("AWS_ACCESS_KEY_ID"))


def region(environment: Mapping[str, str]) -> str:
    """The region of the store, or "" if the environment names none."""
    return environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or ""


def store_access(environment: Mapping[str, str]) -> dict[str, str]:
    """Address and keys of the store inside the cluster."""
    endpoint = environment.get("S3_ENDPOINT_IN_CLUSTER") or environment.get("AWS_ENDPOINT_URL") or ""
    keys = {name: environment[name] for name in KEYS}
    return (
        keys
        | {"AWS_REGION": region(environment) or "us-east-1"}
        | ({"AWS_ENDPOINT_URL": endpoint} if endpoint else {})
    )


def store_annotations(environment: Mapping[str, str]) -> dict[str, str]:
    """The same for KServe's storage initializer, which reads annotations of the Secret."""
    access = store_access(environment)
    scheme, _, host = access.get("AWS_ENDPOINT_URL", "https://s3.amazonaws.com").partition("://")
    return {
        "serving.kserve.io/s3-endpoint": host.rstrip("/"),
        "serving.kserve.io/s3-usehttps": "1" if scheme == "https" else "0",
        "serving.kserve.io/s3-region": access["AWS_REGION"],
    }


def write_overlay(
    environment: Mapping[str, str],
    *,
    root: Path = ROOT,
    verify_key: str = "",
    stamp_verify_key: str = "",
    **more: Any,
) -> Path:
    """Write the overlay below build/ in `root`, and return its folder. Only its owner can read the keys.
    `verify_key` has the public keys of versions, `stamp_verify_key` those of records; "" leaves those of the
    last call.

    Raises SystemExit if the keys cannot work on the cluster.
    """
    check_keys(environment)
    folder = root / "build" / "deploy" / namespace(environment)
    folder.mkdir(parents=True, exist_ok=True)
    if has_keys(environment):
        keys = folder / "s3.env"
        keys.touch(mode=0o600)
        keys.write_text("".join(f"{name}={value}\n" for name, value in store_access(environment).items()))
    for file, public in zip(_VERIFY_FILES.values(), (verify_key, stamp_verify_key), strict=True):
        if public:
            (folder / file).write_text(public)
    (folder / "kustomization.yaml").write_text(
        yaml.safe_dump(kustomization(environment, folder, **more), sort_keys=False)
    )
    return folder


def write_sources(environment: Mapping[str, str], folder: Path) -> Path:
    """Write the overlay for the queue of notifications, below the installation's `folder`, and return its
    folder.

    It has its own namespace, because the installation's namespace refuses its Pod.
    """
    sources = folder / "sources"
    sources.mkdir(exist_ok=True)
    to = json.dumps([{"op": "replace", "path": "/spec/sink/ref/namespace", "value": namespace(environment)}])
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": sources_namespace(environment),
        "resources": [os.path.relpath(ROOT / "eventing" / "sources", sources)],
        "patches": [{"target": {"kind": "IntegrationSource"}, "patch": to}],
    }
    (sources / "kustomization.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    return sources


def sources_namespace(environment: Mapping[str, str]) -> str:
    """The namespace of the source that reads the queue."""
    return f"{namespace(environment)}-sources"


def notifications_url(environment: Mapping[str, str]) -> str:
    """The URL inside the cluster to which the store posts its notifications."""
    return f"http://knoll-notifications.{namespace(environment)}.svc.cluster.local/"


def _renamed(name: str, full: str) -> dict[str, str]:
    new, _, tag = full.rpartition(":")
    return {"name": name, "newName": new, "newTag": tag}


def _overlay(environment: Mapping[str, str]) -> str:
    return environment.get("OVERLAY") or "cluster"


def check_keys(environment: Mapping[str, str]) -> None:
    """Keys must come in pairs and must not expire: the cluster takes no session token."""
    if has_keys(environment) and not environment.get("AWS_SECRET_ACCESS_KEY"):
        fail("AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not", "set both")
    if has_keys(environment) and environment.get("AWS_SESSION_TOKEN"):
        fail(
            "the keys are temporary (AWS_SESSION_TOKEN is set), and would expire on the cluster",
            "set lasting keys and unset AWS_SESSION_TOKEN, or let roles give access: OVERLAY=aws",
        )


def fail(what: str, fix: str) -> NoReturn:
    """End the process with the reason and what helps."""
    sys.exit(f"Error: {what}\nFix: {fix}")
