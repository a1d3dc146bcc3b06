"""What `make deploy` puts on a cluster: it is admitted as it is, it is unchanged when applied again, and it
may do what it must and no more."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

ROLES = Path(__file__).parent / "roles"
ACCOUNTS = sorted(one.stem for one in ROLES.iterdir())


def test_everything_is_admitted_without_a_warning(installation: Any) -> None:
    """The objects get other names, so that there is something to admit. The namespace enforces the pod
    security standard `restricted`."""
    folder = installation.folder.with_name(f"{installation.namespace}-again")
    folder.mkdir(exist_ok=True)
    other = json.dumps([{"op": "replace", "path": "/spec/supportedModelFormats/0/name", "value": "again"}])
    document = {
        "nameSuffix": "-again",
        "resources": [f"../{installation.folder.name}"],
        "patches": [{"target": {"kind": "ServingRuntime"}, "patch": other}],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(document))
    told = installation.kubectl("apply", "--dry-run=server", "--warnings-as-errors", "-k", str(folder))
    created = [line.split()[0] for line in told.splitlines() if line.endswith(" created (server dry run)")]
    rendered = list(yaml.safe_load_all(installation.kubectl("kustomize", str(installation.folder))))
    assert len(created) == len(
        [one for one in rendered if one["kind"] not in ("Namespace", "CustomResourceDefinition")]
    )
    labels = installation.kubectl(
        "get", "namespace", installation.namespace, "-o", "jsonpath={.metadata.labels}"
    )
    assert '"pod-security.kubernetes.io/enforce":"restricted"' in labels


def test_applying_everything_again_changes_nothing(installation: Any) -> None:
    told = installation.kubectl("apply", "--warnings-as-errors", "-k", str(installation.folder))
    lines = told.strip().splitlines()
    assert [line for line in lines if not line.endswith(" unchanged")] == []
    assert len(lines) > 30


def test_every_pod_of_the_installation_was_admitted(installation: Any) -> None:
    """No event says that a Pod was refused, but by the quota for GPUs that another test sets."""
    events = installation.kubectl(
        "get",
        "events",
        "-n",
        installation.namespace,
        "-o",
        "jsonpath={range .items[*]}{.reason} {.message}{'\\n'}{end}",
    )
    assert [
        line
        for line in events.splitlines()
        if "violates PodSecurity" in line
        or (line.startswith("FailedCreate") and "exceeded quota: gpus" not in line)
    ] == []


def test_every_service_account_has_a_golden_file(installation: Any) -> None:
    ours = ("-n", installation.namespace, "-l", "app.kubernetes.io/part-of=knoll")
    found = installation.kubectl("get", "serviceaccount", *ours, "-o", "jsonpath={.items[*].metadata.name}")
    assert sorted(found.split()) == [f"knoll-{account}" for account in ACCOUNTS]


@pytest.mark.parametrize("account", ACCOUNTS)
def test_a_service_account_may_do_what_the_golden_file_says_and_no_more(
    installation: Any, account: str
) -> None:
    """The rights as the API server sees them, without those of an account that has no Role: no wildcard, no
    secrets that can be read, nothing in another namespace."""
    granted, anybodys = (
        _rules(installation, who, installation.namespace) for who in (f"knoll-{account}", "default")
    )
    assert (
        "".join(f"{line}\n" for line in granted if line not in anybodys)
        == (ROLES / f"{account}.txt").read_text()
    )
    assert not [
        line
        for line in granted
        if "*" in line.split("  ")[0]
        or ("secrets" in line.split()[0] and not line.endswith("[create]"))
        or line.endswith("[*]")
    ]
    assert _rules(installation, f"knoll-{account}", "default") == _rules(installation, "default", "default")


def _rules(installation: Any, account: str, where: str) -> list[str]:
    """The rows of `kubectl auth can-i --list` without those of URLs, with two spaces between the columns."""
    who = f"--as=system:serviceaccount:{installation.namespace}:{account}"
    listed = installation.kubectl("auth", "can-i", "--list", who, "-n", where)
    rows = [re.sub(r"\s{2,}", "  ", line.strip()) for line in listed.splitlines()[1:]]
    return sorted(row for row in rows if not row.startswith("["))
