"""A real S3 server and document store, found as a running platform is found: the commands cannot tell the
difference."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from cli.declared import Knoll, Records, model_yaml
from knoll.cli import plugin
from knoll.cli.app import app
from knoll.laptop.front import Front, listen
from knoll.ports import Platform
from knoll.settings import read_settings
from knoll.wiring.platform import user_platform
from knoll.wiring.running import Running, hold_home, keep

MODELS, DATA = "cli-models", "cli-data"


@pytest.fixture(scope="session", autouse=True)
def _shared_commands() -> Iterator[None]:
    """Make click's commands of an app once, not for each run."""
    with patch("typer.testing._get_command", cache(get_command)):
        yield


@pytest.fixture
def knoll(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Knoll:
    """Run a command in a home of its own."""
    for name in [
        name for name in os.environ if name.startswith(("KNOLL_", "AWS_", "K_", "KUBECONFIG", "GATEWAY_URL"))
    ]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KNOLL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "240")

    def run(*words: str | Path, stdin: str | bytes | None = None) -> Result:
        return CliRunner().invoke(app, [str(word) for word in words], input=stdin, prog_name="knoll")

    return run


@pytest.fixture
def kn_model(knoll: Knoll) -> Knoll:
    """Run a command of kn's plugin in the same home."""

    def run(*words: str | Path) -> Result:
        return CliRunner().invoke(plugin.app, [str(word) for word in words], prog_name="kn model")

    return run


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Callable[[int], Path]:
    """Write a kubeconfig whose API server is to listen on that port of this machine."""

    def write(port: int) -> Path:
        named = {
            "cluster": {"server": f"http://127.0.0.1:{port}"},
            "user": {},
            "context": {"cluster": "it", "user": "it"},
        }
        lists = {f"{key}s": [{"name": "it", key: value}] for key, value in named.items()}
        path = tmp_path / "kubeconfig.yaml"
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "it", **lists}))
        return path

    return write


@dataclass
class Health:
    """A front that says that it is well, or what `fault` has."""

    url: str
    fault: str = ""


@pytest.fixture(scope="session")
def _front() -> Iterator[Health]:
    health = Health("")
    front = Front(
        listen(0), token="t", broker=lambda *_: (503, {}, b""), functions={}, fault=lambda: health.fault
    )
    health.url = front.url
    front.start()
    yield health
    front.stop()


@pytest.fixture
def health(_front: Health) -> Health:
    """What the platform says of itself."""
    _front.fault = ""
    return _front


@pytest.fixture
def platform(
    knoll: Knoll, s3: Any, tmp_path: Path, health: Health, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Platform]:
    """The platform that this home names: the session's S3 server with empty buckets, and a document store."""
    monkeypatch.setenv("KNOLL_MODEL_BUCKET", MODELS)
    home = tmp_path / "home"
    with hold_home(home):
        keep(
            home,
            Running(
                pid=os.getpid(),
                port=9,
                url=health.url,
                s3_endpoint=s3.endpoint,
                s3_access_key=s3.access_key,
                s3_secret_key=s3.secret_key,
                s3_region="us-east-1",
                model_bucket=MODELS,
                own_s3=s3.endpoint,
            ),
        )
        platform = user_platform(read_settings())
        for name in (MODELS, DATA):
            platform.store.ensure_bucket(name)  # type: ignore[attr-defined]
            for one in list(platform.store.list(f"s3://{name}/")):
                platform.store.delete(one.uri)
        yield platform


@pytest.fixture
def bucket() -> str:
    """Where the test's data lies; a few buckets serve all tests, because SeaweedFS gives each of them volumes
    of its own."""
    return DATA


@pytest.fixture
def model_file(tmp_path: Path, bucket: str) -> Path:
    path = tmp_path / "model.yaml"
    path.write_text(model_yaml(bucket))
    return path


@pytest.fixture
def records(platform: Platform) -> Records:
    return Records(platform)
