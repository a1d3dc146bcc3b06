"""A whole platform for a test: `knoll up` as a process of its own, with a real S3 server, and what a user can
do with it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from typer.testing import CliRunner

from knoll.cli.app import app
from knoll.ports import Document, Platform
from knoll.records.manifest import versions_uri
from knoll.records.outcome import outcomes_uri
from knoll.records.rollout import rollouts_uri
from knoll.records.run import runs_uri
from knoll.settings import Settings
from knoll.wiring.platform import user_platform
from knoll.wiring.running import running

ROOT = Path(__file__).parents[2]
Until = Callable[..., None]


@dataclass
class Laptop:
    """One home, and the platform in it while it is up."""

    home: Path
    until: Until
    environment: Mapping[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None
    ports: Platform | None = None

    def up(self) -> None:
        """Start the platform and wait until it is ready."""
        own = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "KNOLL_HOME": str(self.home),
            "KNOLL_PORT": "0",
            "KNOLL_TICK": "2",
        }
        self.home.mkdir(exist_ok=True)
        self.ports = None
        with (self.home / "up.log").open("ab") as log:
            command = [sys.executable, "-m", "knoll.cli", "up"]
            self.process = subprocess.Popen(
                command, env={**own, **self.environment}, stdout=log, stderr=log, start_new_session=True
            )
        self.until(lambda: self._is_alive() and running(self._settings()) is not None, 60)

    def kill(self) -> None:
        """Kill the platform with kill -9, now."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def down(self) -> None:
        """Stop the platform as Ctrl-C does."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)

    @property
    def platform(self) -> Platform:
        """Ports to the running platform."""
        self.ports = self.ports or user_platform(self._settings())
        return self.ports

    def knoll(self, *command: str, code: int = 0) -> str:
        """Run a command, which must end with this exit code. Returns what it prints. It runs in the process
        of the tests: a new one would need longer to start than it works."""
        ended = CliRunner().invoke(app, ["--home", str(self.home), *command], prog_name="knoll")
        assert ended.exit_code == code, f"{command}: exit code {ended.exit_code}\n{ended.output}"
        return ended.stdout

    def declare(self, example: str, name: str = "", **changes: Any) -> None:
        """Apply an example's Model with other values, by dotted path with `__`. With a name of its own it has
        data of its own, too."""
        document = yaml.safe_load((ROOT / "examples" / example / "model.yaml").read_text())
        if name:
            document["metadata"]["name"] = name
            document["spec"]["dataset"]["uri"] = f"s3://datasets/{name}/"
        for path, value in changes.items():
            *folders, last = path.split("__")
            place = document["spec"]
            for name in folders:
                place = place.setdefault(name, {})
            place[last] = value
        file = self.home / "model.yaml"
        file.write_text(yaml.safe_dump(document))
        self.knoll("apply", "-f", str(file))

    def model(self, name: str = "digits") -> Document:
        """The status of a Model."""
        status: Document = self.platform.cluster.get("Model", name).get("status") or {}
        return status

    def wait_for_champion(self, version: str, name: str = "digits", seconds: float = 150) -> None:
        """Wait until the version is the champion and no rollout is in progress."""
        self.until(
            lambda: (self.model(name).get("champion"), self.model(name).get("phase")) == (version, "Idle"),
            seconds,
        )

    def names(self, uri: Callable[..., str], *about: str) -> list[str]:
        """Names of the records below a place of the model bucket."""
        place = uri(self.root, *about)
        return [one.uri.removeprefix(place) for one in self.platform.store.list(place)]

    @property
    def root(self) -> str:
        """URI of the model bucket."""
        return self.platform.settings.model_root

    def runs(self, name: str = "digits") -> list[str]:
        """Names of the run records of a Model."""
        return [one for one in self.names(runs_uri) if one.startswith(f"{name}-")]

    def outcomes(self, name: str = "digits") -> list[dict[str, Any]]:
        """How the ended runs of a Model ended."""
        return [
            json.loads(self.platform.store.get(outcomes_uri(self.root) + one))
            for one in self.names(outcomes_uri)
            if one.startswith(f"{name}-")
        ]

    def versions(self, name: str = "digits") -> list[str]:
        """The versions that exist: those with a manifest."""
        return [
            one.removesuffix("/manifest.json")
            for one in self.names(versions_uri, name)
            if one.endswith("/manifest.json")
        ]

    def steps(self, version: str, name: str = "digits") -> list[str]:
        """Actions and percentages of a rollout, from its records."""
        place = rollouts_uri(self.root, name)
        records = [
            json.loads(self.platform.store.get(place + one))
            for one in self.names(rollouts_uri, name)
            if one.startswith(version)
        ]
        return [f"{one['action']} {one['percent']}" for one in records]

    def predict(self, name: str, instances: Sequence[Any], **headers: str) -> httpx.Response:
        """Ask as a user does. The answer may wait for a cold start."""
        url = f"{self.platform.settings.url}/v1/models/{name}:predict"
        body = {"instances": list(instances)}
        # without TLS, and so without 20 ms in which certificates are read
        return httpx.post(url, json=body, headers=headers, timeout=60, verify=False)

    def children(self, what: str) -> list[int]:
        """Processes of this home's platform that have `what` in their command line."""
        listed = subprocess.run(
            ["ps", "-ewwo", "pid=,sid=,args="], capture_output=True, text=True
        ).stdout.splitlines()
        rows = [line.split(None, 2) for line in listed]
        return [
            int(pid)
            for pid, _, args in rows
            if what in args and "guard" not in args and self._is_ours(int(pid))
        ]

    def _is_ours(self, pid: int) -> bool:
        try:
            return f"KNOLL_HOME={self.home}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(
                b"\0"
            )
        except OSError:
            return False

    def _is_alive(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.home / "up.log").read_text()
        return True

    def _settings(self) -> Settings:
        return Settings(home=self.home, s3_endpoint="")


@pytest.fixture
def laptops(tmp_path: Path, until: Until) -> Iterator[Callable[..., Laptop]]:
    """A function that starts a platform with these variables in its environment."""
    started: list[Laptop] = []

    def start(**environment: str) -> Laptop:
        started.append(Laptop(tmp_path / f"home-{len(started)}", until, environment))
        started[-1].up()
        return started[-1]

    yield start
    for one in started:
        one.down()


@pytest.fixture
def laptop(laptops: Callable[..., Laptop]) -> Laptop:
    """A platform that is up."""
    return laptops()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, until: Until) -> Iterator[Laptop]:
    """One platform for all tests whose Models have names of their own."""
    yield from _until_down(tmp_path_factory, until)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, until: Until) -> Iterator[Laptop]:
    """One platform for the tests of a module."""
    yield from _until_down(tmp_path_factory, until)


def _until_down(folders: pytest.TempPathFactory, until: Until) -> Iterator[Laptop]:
    laptop = Laptop(folders.mktemp("platform") / "home", until)
    laptop.up()
    yield laptop
    laptop.down()


@pytest.fixture(scope="session")
def digits(every_digit: Path) -> Callable[..., Path]:
    """A function that makes a folder of real digits: `count` of each class, starting with number `start`."""

    def some(folder: Path, classes: str = "017", start: int = 0, count: int = 40) -> Path:
        for label in classes:
            (folder / label).mkdir(parents=True, exist_ok=True)
            for picture in sorted((every_digit / label).iterdir())[start : start + count]:
                (folder / label / picture.name).write_bytes(picture.read_bytes())
        return folder

    return some
