"""Put knoll on the cluster of the current kubeconfig, and wait until it is ready.

This script reads the environment, writes an overlay below build/ and applies it with `kubectl apply -k`. Its
base is the overlay in deploy/overlays/ that OVERLAY names. A second run changes nothing.

    KUBECONFIG                where the cluster is
    KNOLL_NAMESPACE           default knoll
    OVERLAY                   cluster (default), gpu or aws
    IMAGE_REGISTRY, IMAGE_TAG prefix and tag of the images, as for make images
    AWS_ENDPOINT_URL          the S3 server, as it is reached from here; empty for AWS
    S3_ENDPOINT_IN_CLUSTER    the same from inside, where that differs
    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION
                              lasting keys; with OVERLAY=aws roles take their place,
                              and only the region goes to the cluster
    KNOLL_MODEL_BUCKET        default knoll-models; made if it is not there
    NOTIFY_COMMAND            called with the URL to which the store must post its notifications
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from knoll.adapters.store_s3 import S3Store
from knoll.errors import Unavailable

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "images"))

from build import NAMES, image  # noqa: E402 - a script beside the Dockerfiles, which must run without knoll

_NEEDED = (
    "brokers.eventing.knative.dev",
    "services.serving.knative.dev",
    "inferenceservices.serving.kserve.io",
)
_WAIT = "300s"
_PATIENCE = 60.0  # seconds
_READY = ("broker", "trigger", "pingsource", "apiserversource", "ksvc")
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
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
    document: dict[str, Any] = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": namespace(environment),
        "resources": [os.path.relpath(overlay, folder)],
        "images": [_renamed(f"knoll-{name}", full) for name, full in images.items()],
        "configMapGenerator": [
            {"name": "knoll", "behavior": "merge", "options": _NO_HASH, "literals": literals}
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
    return {"secretGenerator": [{"name": "knoll-s3"} | ours]}


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
    keys = {name: environment[name] for name in _KEYS}
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


def write_overlay(environment: Mapping[str, str], *, root: Path = ROOT, **more: Any) -> Path:
    """Write the overlay below build/ in `root`, and return its folder. Only its owner can read the keys.

    Raises SystemExit if the keys cannot work on the cluster.
    """
    _check_keys(environment)
    folder = root / "build" / "deploy" / namespace(environment)
    folder.mkdir(parents=True, exist_ok=True)
    if has_keys(environment):
        keys = folder / "s3.env"
        keys.touch(mode=0o600)
        keys.write_text("".join(f"{name}={value}\n" for name, value in store_access(environment).items()))
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


def deploy(environment: Mapping[str, str], **more: Any) -> None:
    """Install and wait. If that fails, end the process with the reason and what helps."""
    _check(environment)
    folder = write_overlay(environment, **more)
    _apply(folder, namespace(environment), _READY)
    if has_roles(environment):
        _apply(write_sources(environment, folder), sources_namespace(environment), ("integrationsource",))
    if environment.get("NOTIFY_COMMAND"):
        _say(f"notifications of the store go to {notifications_url(environment)}")
        subprocess.run(
            [*shlex.split(environment["NOTIFY_COMMAND"]), notifications_url(environment)], check=True
        )
    _make_bucket(environment)


def kubectl(*arguments: str) -> None:
    """Run kubectl. If it fails, end the process."""
    if subprocess.run(["kubectl", *arguments]).returncode:
        _fail(
            f"kubectl {shlex.join(arguments)} failed",
            "read its message above; kubectl get events -A --sort-by=.lastTimestamp says more",
        )


def _apply(folder: Path, where: str, kinds: Sequence[str]) -> None:
    """Apply, and wait until all objects of these kinds are ready."""
    _say(f"kubectl apply -k {folder.relative_to(ROOT)}")
    kubectl("apply", "-k", str(folder))
    _say(f"waiting until everything in {where} is ready")
    for kind in kinds:
        kubectl("wait", "-n", where, "--for=condition=Ready", kind, "--all", f"--timeout={_WAIT}")


def _renamed(name: str, full: str) -> dict[str, str]:
    new, _, tag = full.rpartition(":")
    return {"name": name, "newName": new, "newTag": tag}


def _overlay(environment: Mapping[str, str]) -> str:
    return environment.get("OVERLAY") or "cluster"


def _check(environment: Mapping[str, str]) -> None:
    _check_keys(environment)
    if not has_roles(environment) and not has_keys(environment):
        _fail(
            "there are no keys of the S3 server",
            "set AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    if shutil.which("kubectl") is None:
        _fail("kubectl is not on the PATH", "install it: https://kubernetes.io/docs/tasks/tools/")
    found = subprocess.run(["kubectl", "get", "crd", "-o", "name"], capture_output=True, text=True)
    if found.returncode:
        _fail(
            f"no cluster answers: {found.stderr.strip()}", "set KUBECONFIG to the file that says where it is"
        )
    missing = [name for name in _NEEDED if f"/{name}" not in found.stdout]
    if missing:
        _fail(
            f"the cluster lacks {', '.join(missing)}",
            "install Knative Serving, Knative Eventing and KServe first: see their sites",
        )


def _check_keys(environment: Mapping[str, str]) -> None:
    """Keys must come in pairs and must not expire: the cluster takes no session token."""
    if has_keys(environment) and not environment.get("AWS_SECRET_ACCESS_KEY"):
        _fail("AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not", "set both")
    if has_keys(environment) and environment.get("AWS_SESSION_TOKEN"):
        _fail(
            "the keys are temporary (AWS_SESSION_TOKEN is set), and would expire on the cluster",
            "set lasting keys and unset AWS_SESSION_TOKEN, or let roles give access: OVERLAY=aws",
        )


def _store(environment: Mapping[str, str]) -> S3Store:
    """The store as this machine reaches it. If the cluster has roles, boto3 finds the keys of this machine,
    also temporary ones."""
    keys = ("", "") if has_roles(environment) else (environment[name] for name in _KEYS)
    return S3Store(environment.get("AWS_ENDPOINT_URL", ""), *keys, region(environment))


def _make_bucket(environment: Mapping[str, str]) -> None:
    """Wait for the store: it may restart after it was told where to post."""
    store = _store(environment)
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return store.ensure_bucket(bucket(environment))
        except Unavailable as error:
            if time.monotonic() > deadline:
                _fail(str(error), error.fix or "is the S3 server up?")
            time.sleep(1)


def _say(text: str) -> None:
    print(text, flush=True)


def _fail(what: str, fix: str) -> None:
    sys.exit(f"Error: {what}\nFix: {fix}")


def main(arguments: Sequence[str]) -> None:
    """Install. With --render, only write the overlays and print their folders."""
    if arguments == ["--render"]:
        folder = write_overlay(os.environ)
        _say(
            "\n".join(
                map(str, [folder, *([write_sources(os.environ, folder)] if has_roles(os.environ) else [])])
            )
        )
    elif arguments:
        sys.exit(f"{__doc__}\nusage: deploy.py [--render]")
    else:
        deploy(os.environ)
        _say(
            f"knoll is on the cluster, in namespace {namespace(os.environ)}. Next: kubectl apply -f "
            f"MODEL.yaml -n {namespace(os.environ)}"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
