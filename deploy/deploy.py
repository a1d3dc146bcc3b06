"""Put knoll on the cluster of the current kubeconfig, and wait until it is ready.

This script reads the environment, writes an overlay below build/ and applies it with `kubectl apply -k`. Its
base is the overlay in deploy/overlays/ that OVERLAY names. The first run makes the keys with which trainers
sign and functions stamp; a second run changes nothing.

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

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from knoll.adapters.store_s3 import S3Store
from knoll.errors import Unavailable
from knoll.installation import SIGNING_SECRET, STAMPING_SECRET

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "deploy"))

from overlay import (  # noqa: E402 - a script beside this one, in no package
    KEYS,
    bucket,
    check_keys,
    fail,
    has_keys,
    has_roles,
    namespace,
    notifications_url,
    region,
    sources_namespace,
    write_overlay,
    write_sources,
)
from signing_key import find_or_make_verify_key  # noqa: E402 - another one

_NEEDED = (
    "brokers.eventing.knative.dev",
    "services.serving.knative.dev",
    "inferenceservices.serving.kserve.io",
)
_WAIT = "300s"
_PATIENCE = 60.0  # seconds
_WEBHOOK_PATIENCE, _PAUSE = 300.0, 3.0  # seconds
_SILENT_WEBHOOK = re.compile(
    r'failed calling webhook "([^"]+)".*'
    "(?:connection refused|deadline exceeded|no endpoints available|i/o timeout)"
)
_MESSAGE_ABOVE = "read its message above; kubectl get events -A --sort-by=.lastTimestamp says more"
_READY = ("broker", "trigger", "pingsource", "apiserversource", "ksvc")


def deploy(environment: Mapping[str, str], **more: Any) -> None:
    """Install and wait. If that fails, end the process with the reason and what helps."""
    _check(environment)
    keys = [find_or_make_verify_key(namespace(environment), one) for one in (SIGNING_SECRET, STAMPING_SECRET)]
    folder = write_overlay(environment, verify_key=keys[0], stamp_verify_key=keys[1], **more)
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
        fail(
            f"kubectl {shlex.join(arguments)} failed",
            _MESSAGE_ABOVE,
        )


def apply_when_admitted(folder: Path) -> None:
    """Apply. A webhook of a cluster that has just been set up may not answer yet: then wait for it, and apply
    again. If it stays silent, or for any other fault, end the process."""
    command, deadline = ["kubectl", "apply", "-k", str(folder)], time.monotonic() + _WEBHOOK_PATIENCE
    while True:
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        sys.stderr.write(done.stderr)
        if not done.returncode:
            return
        webhook = _SILENT_WEBHOOK.search(done.stderr)
        if not webhook:
            fail(f"{shlex.join(command)} failed", _MESSAGE_ABOVE)
        if time.monotonic() > deadline:
            what = f"the admission webhook {webhook[1]} has not answered for {_WEBHOOK_PATIENCE:g} s"
            fail(what, "look at its Pod: kubectl get pods -A; when that is ready, run make deploy again")
        _say(f"waiting until the admission webhook {webhook[1]} answers")
        time.sleep(_PAUSE)


def _apply(folder: Path, where: str, kinds: Sequence[str]) -> None:
    """Apply, and wait until all objects of these kinds are ready."""
    _say(f"kubectl apply -k {folder.relative_to(ROOT)}")
    apply_when_admitted(folder)
    _say(f"waiting until everything in {where} is ready")
    for kind in kinds:
        kubectl("wait", "-n", where, "--for=condition=Ready", kind, "--all", f"--timeout={_WAIT}")


def _check(environment: Mapping[str, str]) -> None:
    check_keys(environment)
    if not has_roles(environment) and not has_keys(environment):
        fail(
            "there are no keys of the S3 server",
            "set AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    if shutil.which("kubectl") is None:
        fail("kubectl is not on the PATH", "install it: https://kubernetes.io/docs/tasks/tools/")
    found = subprocess.run(["kubectl", "get", "crd", "-o", "name"], capture_output=True, text=True)
    if found.returncode:
        fail(
            f"no cluster answers: {found.stderr.strip()}", "set KUBECONFIG to the file that says where it is"
        )
    missing = [name for name in _NEEDED if f"/{name}" not in found.stdout]
    if missing:
        fail(
            f"the cluster lacks {', '.join(missing)}",
            "install Knative Serving, Knative Eventing and KServe first: see their sites",
        )


def _store(environment: Mapping[str, str]) -> S3Store:
    """The store as this machine reaches it. If the cluster has roles, boto3 finds the keys of this machine,
    also temporary ones."""
    keys = ("", "") if has_roles(environment) else (environment[name] for name in KEYS)
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
                fail(str(error), error.fix or "is the S3 server up?")
            time.sleep(1)


def _say(text: str) -> None:
    print(text, flush=True)


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
