"""What `make deploy` puts on a cluster: admitted as it is, unchanged when applied again, and allowed to do what it must and no more."""

import re
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

HERE = Path(__file__).parent
ACCOUNTS = ("notifications", "ingest", "train", "rollout", "sweep", "dead-letters", "objects", "trainer", "predictor")


def test_applying_everything_again_changes_nothing_and_warns_of_nothing(installation: Any) -> None:
    """In a namespace that enforces the pod security standard `restricted`."""
    told = installation.kubectl("apply", "-k", str(installation.folder))
    lines = told.strip().splitlines()
    assert [line for line in lines if not line.endswith(" unchanged")] == []
    assert len(lines) > 30
    labels = installation.kubectl("get", "namespace", installation.namespace, "-o", "jsonpath={.metadata.labels}")
    assert '"pod-security.kubernetes.io/enforce":"restricted"' in labels


def test_every_pod_of_the_installation_was_admitted(installation: Any) -> None:
    """No event tells of a Pod that was refused."""
    events = installation.kubectl(
        "get", "events", "-n", installation.namespace, "-o", "jsonpath={range .items[*]}{.reason} {.message}{'\\n'}{end}"
    )
    assert [line for line in events.splitlines() if "violates PodSecurity" in line or line.startswith("FailedCreate")] == []


@pytest.mark.parametrize("account", ACCOUNTS)
def test_a_service_account_may_do_what_the_golden_file_says_and_no_more(installation: Any, account: str) -> None:
    """`kubectl auth can-i --list`, as the API server sees it: no wildcard, no secrets, nothing in another namespace."""
    who = f"--as=system:serviceaccount:{installation.namespace}:knoll-{account}"
    granted = _rules(installation.kubectl("auth", "can-i", "--list", who, "-n", installation.namespace))
    elsewhere = _rules(installation.kubectl("auth", "can-i", "--list", who, "-n", "default"))
    golden = (HERE / "roles" / f"{account}.txt").read_text()
    assert "".join(f"{line}\n" for line in granted if line not in elsewhere) == golden
    assert not [line for line in granted if "*" in line.split("  ")[0] or "secrets" in line.split()[0] or line.endswith("[*]")]


def _rules(listed: str) -> list[str]:
    """The table's rows without its heading, with single spaces between the columns."""
    rows = [re.sub(r"\s{2,}", "  ", line.strip()) for line in listed.splitlines()[1:]]
    return sorted(row for row in rows if not row.startswith("["))
