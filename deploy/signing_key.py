"""The keys with which trainers sign versions and functions stamp records: two Secrets, each made once."""

import json
import subprocess
import sys
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from knoll.installation import SIGN_FILE, SIGNING_SECRET, VERIFY_FILE
from knoll.keys import make_key, read_signer

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "deploy"))

from overlay import fail  # noqa: E402 - a script beside this one, in no package

_NAMESPACE = ROOT / "deploy" / "base" / "namespace.yaml"


def find_or_make_verify_key(namespace: str, secret: str = SIGNING_SECRET) -> str:
    """The public keys in the Secret, which stand beside the private one. If there is no Secret, it is made;
    one that is there is never written.

    Raises SystemExit if it can be neither read nor made.
    """
    data = _find_secret(namespace, secret)
    if data is None:
        print(f"making a key: the Secret {secret}", flush=True)
        place = yaml.safe_load(_NAMESPACE.read_text())
        place["metadata"]["name"] = namespace
        _kubectl("apply", "-f", "-", document=place)
        # another deployment may be faster: what counts is the Secret that is there afterwards
        made = _kubectl("create", "-n", namespace, "-f", "-", document=_new_secret(secret))
        data = _find_secret(namespace, secret)
        if data is None:
            fail(
                f"the Secret {secret} cannot be made: {made.stderr.strip()}",
                "ask for the right to make it",
            )
    public, private = (b64decode(data.get(name, "")).decode() for name in (VERIFY_FILE, SIGN_FILE))
    return public or read_signer(private).public.pem


def _find_secret(namespace: str, name: str) -> dict[str, str] | None:
    found = _kubectl("get", "secret", name, "-n", namespace, "-o", "json")
    if found.returncode == 0:
        return dict(json.loads(found.stdout).get("data") or {})
    if "NotFound" not in found.stderr:
        fail(
            f"the Secret {name} cannot be read: {found.stderr.strip()}",
            "ask for the right to read it",
        )
    return None


def _new_secret(name: str) -> dict[str, Any]:
    private = make_key()
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "knoll"}},
        "stringData": {SIGN_FILE: private, VERIFY_FILE: read_signer(private).public.pem},
    }


def _kubectl(
    *arguments: str, document: Mapping[str, Any] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run kubectl. A document goes to its input, so that no key stands in a file or on a command line."""
    text = json.dumps(document) if document else None
    return subprocess.run(["kubectl", *arguments], input=text, capture_output=True, text=True)
