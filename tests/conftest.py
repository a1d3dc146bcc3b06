"""What several test folders share: a real S3 server, the cluster, and waiting for other processes.

With `-n`, pytest runs tests in several worker processes. Each worker has its own S3 server. Tests of one
group run in one worker, one after the other.
"""

import gc
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import Mock, patch

import hypothesis
import pytest
import yaml
from botocore.loaders import Loader

from knoll.adapters import s3_client
from knoll.laptop.seaweed import SeaweedFS, find_or_make_keys

# without bytecode, each worker and each process that a test starts compiles all modules again
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# a busy machine is no fault of an example
hypothesis.settings.register_profile(
    "any-speed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any-speed")

# folders whose tests need the whole machine, or share what is expensive to make
_GROUPS = {"loop": "machine", "predict": "predict", "trainer": "trainer"}


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays until the end, so the garbage collector need not look at it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of such a folder into one group. The longest group begins first, so that no worker waits
    for its end."""
    for item in items:
        if group := _GROUPS.get(item.path.parent.name):
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: "machine" not in [one.args[0] for one in item.iter_markers("xdist_group")])


@pytest.fixture(scope="session", autouse=True)
def _shared_loader() -> Iterator[None]:
    """boto3 parses two megabytes of JSON for each client. All clients of a worker share what was parsed."""
    loader = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    made = Mock(return_value=loader, BUILTIN_DATA_PATH=Loader.BUILTIN_DATA_PATH)
    with patch.object(s3_client, "Loader", made):
        yield


@dataclass(frozen=True)
class S3:
    """Address and keys of the S3 server."""

    endpoint: str
    access_key: str
    secret_key: str


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """The S3 server of this worker. Each test takes its own buckets."""
    home = tmp_path_factory.mktemp("s3")
    keys = find_or_make_keys(home / "keys.json")
    server = SeaweedFS(home / "s3", keys, home / "weed.log")
    try:
        server.wait_ready()
        yield S3(server.endpoint, keys.access, keys.secret)
    finally:
        server.stop()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own with 200 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200M", "tmpfs", folder], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture(scope="session")
def every_digit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the UCI digits, as the example writes them: real data. That takes seconds, so it is done
    once."""
    folder = tmp_path_factory.mktemp("digits")
    example = Path(__file__).parents[1] / "examples" / "digits" / "data.py"
    subprocess.run([sys.executable, str(example), str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def kubectl() -> Callable[..., str]:
    """A function that runs kubectl on the cluster of the current kubeconfig and returns its output. Without
    a cluster the test is skipped."""

    def run(*arguments: str, stdin: str = "", check: bool = True) -> str:
        ended = subprocess.run(
            ["kubectl", *arguments], input=stdin, capture_output=True, text=True, timeout=600
        )
        assert ended.returncode == 0 or not check, f"kubectl {' '.join(arguments)}: {ended.stderr}"
        return ended.stdout + ended.stderr

    if shutil.which("kubectl") is None:
        pytest.skip("no cluster: kubectl is not on the PATH")
    found = subprocess.run(
        ["kubectl", "get", "crd", "-o", "name", "--request-timeout=10s"], capture_output=True, text=True
    )
    if found.returncode:
        pytest.skip(f"no cluster answers, set KUBECONFIG: {found.stderr.strip()}")
    if (
        "brokers.eventing.knative.dev" not in found.stdout
        or "inferenceservices.serving.kserve.io" not in found.stdout
    ):
        pytest.skip("the cluster has no Knative or no KServe")
    run("apply", "-k", str(Path(__file__).parents[1] / "deploy" / "crd"))
    run("wait", "--for=condition=Established", "crd/models.knoll.dev", "--timeout=30s")
    return run


@pytest.fixture
def namespace(kubectl: Callable[..., str]) -> Iterator[str]:
    """A namespace for one test, deleted afterwards."""
    name = f"knoll-test-{uuid.uuid4().hex[:8]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    kubectl("create", "-f", "-", stdin=yaml.safe_dump(document))
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def until() -> Callable[..., None]:
    """A function that returns soon after `condition()` is true: the longer it has waited, the rarer it asks.
    After `seconds` it fails the test."""

    def wait(condition: Callable[[], object], seconds: float = 20.0) -> None:
        began = time.monotonic()
        while not condition():
            waited = time.monotonic() - began
            assert waited < seconds, "waited in vain"
            time.sleep(min(0.02 + waited / 50, 0.25))

    return wait


@pytest.fixture(scope="session")
def is_gone() -> Callable[[int], bool]:
    """A function that says whether a process has ended. A zombie has ended, too."""

    def check(pid: int) -> bool:
        state = subprocess.run(
            ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True
        ).stdout.strip()
        return not state or state.startswith("Z")

    return check
