"""What makes reports of predictors on a laptop trustworthy: keys of their own, and the gateway's count."""

import stat
from base64 import b64encode
from pathlib import Path

import pytest

from knoll.adapters.clock import SystemClock
from knoll.adapters.cluster_local import LocalCluster
from knoll.events import PREDICTOR_OBSERVED, TICK, new_event
from knoll.laptop.private import keep_private
from knoll.laptop.secrets import Secrets
from knoll.laptop.serving.asked import with_asked
from knoll.ports import Document
from laptop.running import Laptop

REFERENCE = {"name": "digits-v000001-0", "key": "key", "optional": True}
ENV: list[Document] = [{"name": "KNOLL_REVISION_KEY", "valueFrom": {"secretKeyRef": REFERENCE}}]


def secret(name: str, value: str) -> Document:
    data = {"key": b64encode(value.encode()).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}


@pytest.mark.parametrize("key", ["of the Revision", None])
def test_a_predictor_gets_the_key_in_the_secret_that_its_document_names(
    laptop: Laptop, key: str | None
) -> None:
    """And serves without one, if it is not there."""
    if key:
        laptop.cluster.create(secret("digits-v000001-0", key))
    laptop.serve(env=ENV)
    assert laptop.predict().json()["key"] == key


def test_no_document_takes_the_place_of_the_platforms_own_secret(tmp_path: Path) -> None:
    cluster = LocalCluster(tmp_path / "knoll.db", "default", SystemClock())
    for name in ("knoll-s3", "other"):
        cluster.create(secret(name, "a stranger's"))
    secrets = Secrets({"knoll-s3": {"key": "ours"}}, cluster)
    assert {name: dict(secrets[name]) for name in secrets} == {
        "knoll-s3": {"key": "ours"},
        "other": {"key": "a stranger's"},
    }


def test_the_documents_are_for_their_owner_alone(tmp_path: Path) -> None:
    """Also those of an older platform, which had no keys in them."""
    path = tmp_path / "knoll.db"
    LocalCluster(path, "default", SystemClock())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    keep_private(path)
    assert {stat.S_IMODE(one.stat().st_mode) for one in tmp_path.glob("knoll.db*")} == {0o600}


def test_a_report_comes_with_the_number_of_requests_that_the_gateway_has_sent(laptop: Laptop) -> None:
    """Whatever its sender says of that. Other events stay as they are."""
    laptop.serve("--version", "v1")
    for _ in range(3):
        laptop.predict()
    asked, now = laptop.gateway.asked, SystemClock().now()

    def told(revision: object) -> str:
        event = new_event(PREDICTOR_OBSERVED, source="/x", time=now, data={"revision": revision})
        event.extensions["knollasked"] = "5000"  # type: ignore[index]
        return with_asked(event, asked).extensions["knollasked"]

    assert [told(one) for one in ("digits-predictor-00001", "another", 7, None)] == ["3", "0", "0", "0"]
    tick = new_event(TICK, source="/x", time=now)
    assert with_asked(tick, asked) == tick
