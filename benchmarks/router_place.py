"""Where the router is measured: two predictors with a tiny version, and a router in a process of its own.

The predictors have the same port on two addresses of the loopback interface. The router finds them by the
host names of a cluster, as it would there; only the API server is in memory.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import numpy as np
from aiohttp.abc import AbstractResolver, ResolveResult
from onnx import TensorProto, helper, numpy_helper

import knoll.adapters.cluster_kubernetes  # noqa: F401 - a router on a cluster needs its memory and its time
from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.cluster import MemoryCluster
from knoll.kube.labels import part_labels
from knoll.models import API_VERSION, KIND
from knoll.records.manifest import Manifest, entry_of
from knoll.request_limits import BODIES_LIMIT, ByteBudget
from knoll.router.app import Router
from knoll.router.known import KnownCluster
from knoll.wiring.router import serve

__all__ = ["ADDRESSES", "MODEL", "free_port", "resident", "running", "write_version"]

MODEL, SIDE = "shade", 28
ADDRESSES = {"prev": "127.0.0.1", "latest": "127.0.0.2"}  # of champion and candidate
_WITHIN = 60.0  # seconds


class _Loopback(AbstractResolver):
    """The candidate's tag leads to one address, every other name to another."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = ADDRESSES["latest" if host.startswith("latest-") else "prev"]
        return [ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        pass


def write_version(folder: Path, version: str) -> None:
    """The files of a version that tells dark pictures from light ones."""
    pixels = SIDE * SIDE
    weights = np.stack([-np.ones(pixels), np.ones(pixels)], axis=1).astype(np.float32) / pixels
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, SIDE, SIDE])
    classes = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 2])
    constants = [numpy_helper.from_array(weights, "weights")]
    graph = helper.make_graph(nodes, "shade", [image], [classes], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = {"mode": "L", "width": SIDE, "height": SIDE}
    signature = {
        "inputs": [_tensor("image", [-1, 1, SIDE, SIDE], "image", options)],
        "outputs": [_tensor("probabilities", [-1, 2], "classes", {"labels": ["dark", "light"]})],
    }
    files = {
        "model.onnx": made.SerializeToString(),
        "model.safetensors": b"",
        "signature.json": json.dumps(signature).encode(),
        "samples.json": b"[]",
        "README.md": b"",
    }
    entries = {name: entry_of(body) for name, body in files.items()}
    manifest = Manifest(MODEL, version, "tiny", "run", "0" * 64, {}, {}, "2026-01-01T00:00:00Z", "", entries)
    for name, body in {**files, "manifest.json": manifest.encode()}.items():
        (folder / name).write_bytes(body)


def _tensor(name: str, shape: Sequence[int], codec: str, options: Mapping[str, object]) -> dict[str, object]:
    return {"name": name, "datatype": "FP32", "shape": shape, "codec": codec, "options": options}


def free_port() -> int:
    """A port that is free on both addresses."""
    with socket.create_server((ADDRESSES["prev"], 0)) as one:
        port: int = one.getsockname()[1]
    with socket.create_server((ADDRESSES["latest"], port)):
        return port


@contextmanager
def running(arguments: Sequence[str], url: str, **environment: str) -> Iterator[tuple[int, float]]:
    """A Python process, until the block is left: its id, and the seconds until `url` answered."""
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, *arguments], env={**os.environ, **environment})
    try:
        while not _answers(url):
            if process.poll() is not None or time.monotonic() > began + _WITHIN:
                sys.exit(f"Error: {' '.join(arguments)} does not answer")
            time.sleep(0.02)
        yield process.pid, time.monotonic() - began
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def resident(process: int) -> float:
    """The memory that a process holds, in MiB."""
    (line,) = (one for one in Path(f"/proc/{process}/status").read_text().splitlines() if "VmRSS" in one)
    return int(line.split()[1]) / 1024


def main() -> None:
    """Be the router of one Model, whose predictors have the port `--predictors`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--predictors", type=int, required=True)
    parser.add_argument("--rollout", type=json.loads, default={}, help="rollout of the Model, in JSON")
    given = parser.parse_args()
    cluster = MemoryCluster("knoll", MemoryClock())
    dataset, meta = {"uri": "s3://data/shade/"}, {"name": MODEL}
    spec = {"family": "image-classifier", "dataset": dataset, "rollout": given.rollout}
    made = cluster.create({"apiVersion": API_VERSION, "kind": KIND, "metadata": meta, "spec": spec})
    cluster.update({**made, "status": {"phase": "Canary"}}, status=True)
    isvc = cluster.create(
        {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": MODEL, "labels": part_labels(MODEL)},
            "spec": {},
        }
    )
    newest = {"revisionName": "new", "percent": 0, "tag": "latest", "latestRevision": True}
    older = {"revisionName": "old", "percent": 100, "tag": "prev", "latestRevision": False}
    address = {"url": f"http://{MODEL}-predictor.knoll.test:{given.predictors}"}
    predictor = {"traffic": [newest, older], "address": address}
    cluster.update({**isvc, "status": {"components": {"predictor": predictor}}}, status=True)
    router = Router(KnownCluster(cluster), ByteBudget(BODIES_LIMIT), resolver=_Loopback())
    serve(router, "127.0.0.1", given.port)


if __name__ == "__main__":
    main()
