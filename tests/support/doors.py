"""What a stranger on this machine, or a web page, tries at every port of some processes."""

import contextlib
import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

import grpc
import httpx
import psutil

__all__ = ["FOREIGN", "listeners", "opened"]

FOREIGN = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
_HOSTS: tuple[dict[str, str], ...] = ({}, FOREIGN, {**FOREIGN, "Host": "evil.example"})
_BUCKET = "knoll-models"
_ASKED = [
    *product(("GET", "DELETE"), ("/", f"/{_BUCKET}", f"/{_BUCKET}/probe.json", f"/buckets/{_BUCKET}/")),
    ("GET", f"/col/delete?collection={_BUCKET}"),
    ("POST", f"/col/delete?collection={_BUCKET}"),
    *product(("GET",), ("/dir/assign", "/dir/status", "/vol/grow?count=1", "/cluster/status", "/metrics")),
    *product(("GET",), ("/debug/pprof/cmdline", "/ui/index.html", "/status", "/api/config")),
    *product(("PUT", "POST"), (f"/{_BUCKET}/planted", f"/buckets/{_BUCKET}/planted", "/1,01")),
    *product(("POST",), ("/broker", "/functions/ingest", "/functions/sweep", "/v1/models/digits:predict")),
]
_LIVE = "inference.GRPCInferenceService/ServerLive"
_CALLED = [
    "master_pb.Seaweed/CollectionList",
    "master_pb.Seaweed/Assign",
    "filer_pb.SeaweedFiler/GetFilerConfiguration",
    "volume_server_pb.VolumeServer/VolumeServerStatus",
    "messaging_pb.SeaweedS3/Configure",
    "worker_pb.WorkerService/WorkerStream",
    _LIVE,
]
_REFUSED = (
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNIMPLEMENTED,
)


@dataclass(frozen=True)
class Listener:
    """An address on which a process takes TCP connections."""

    ip: str
    port: int


def listeners(pid: int) -> set[Listener]:
    """Where a process and all of its children listen."""
    found: set[Listener] = set()
    for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            open_ones = process.connections("inet")
            found |= {Listener(*one.laddr) for one in open_ones if one.status == psutil.CONN_LISTEN}
    return found


def opened(ports: Iterable[int], front: int = 0) -> list[str]:
    """What the ports gave without a key: one line for each request that was not refused. Whether it lives,
    the port `front`, where models are asked, tells everybody."""
    found = [line for port in sorted(ports) for line in (*_over_http(port), *_over_grpc(port))]
    return [line for line in found if line != f"gRPC at 127.0.0.1:{front}: {_LIVE}: answered"]


def _over_http(port: int) -> Iterator[str]:
    for scheme in ("http", "https"):
        with httpx.Client(trust_env=False, verify=False, timeout=10) as client:
            for (method, path), headers in product(_ASKED, _HOSTS):
                url = f"{scheme}://127.0.0.1:{port}{path}"
                try:
                    answer = client.request(
                        method, url, headers=headers, content=b"{}" if "P" in method else b""
                    )
                except httpx.TransportError:
                    break  # it does not speak so with strangers
                if answer.status_code < 400 and (answer.content or method != "GET"):
                    yield f"{method} {url} {headers}: {answer.status_code} {answer.text[:100]}"


def _over_grpc(port: int) -> Iterator[str]:
    address = f"127.0.0.1:{port}"
    channels = [grpc.insecure_channel(address)]
    with contextlib.suppress(OSError):
        shown = ssl.get_server_certificate(("127.0.0.1", port), timeout=2).encode()
        channels.append(grpc.secure_channel(address, grpc.ssl_channel_credentials(shown)))
    for channel in channels:
        yield from (f"gRPC at {address}: {one}" for one in _calls(channel))
        channel.close()


def _calls(channel: grpc.Channel) -> Iterator[str]:
    for method in _CALLED:
        try:
            channel.unary_unary(f"/{method}")(b"", timeout=2)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                return  # no channel comes about
            if error.code() not in _REFUSED:
                yield f"{method}: {error.code()} {error.details()}"
        else:
            yield f"{method}: answered"
