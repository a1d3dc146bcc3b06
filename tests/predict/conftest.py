"""Tiny versions, made without torch, and predictors that serve them as processes of their own."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from knoll.codecs import decode, encode
from knoll.predict.graph import Graph
from knoll.predict.loading import Version
from knoll.records.manifest import Manifest, entry_of
from knoll.records.signature import Signature, Tensor

CLASSIFIER = Signature(
    (Tensor("image", "FP32", (-1, 1, 4, 4), "image", {"mode": "L", "width": 4, "height": 4}),),
    (Tensor("probabilities", "FP32", (-1, 2), "classes", {"labels": ["dark", "light"]}),),
)
GENERATOR = Signature(
    (Tensor("latent", "FP32", (-1, 3), "latent", {"size": 3}),),
    (Tensor("image", "FP32", (-1, 3, 2, 5), "image", {"low": -1, "high": 1}),),
)


@dataclass(frozen=True)
class Recipe:
    """The parts of a version, before its predictions are known."""

    model: str
    signature: Signature
    graph: bytes
    instances: tuple[Any, ...]


@dataclass
class Predictor:
    """A predictor process and its address."""

    url: str
    process: "subprocess.Popen[str]"

    def wait_ready(self, path: str, deadline: float = 120.0) -> bool:
        """Whether the path answered 200 before the process ended."""
        end = time.monotonic() + deadline
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if httpx.get(self.url + path, trust_env=False).status_code == 200:
                    return True
            except httpx.HTTPError:
                time.sleep(0.02)
        return False

    def stop(self) -> str:
        """End the process as Kubernetes does, and return what it wrote."""
        self.process.terminate()
        return self.process.communicate(timeout=30)[0]


@pytest.fixture(scope="session")
def classifier() -> Recipe:
    """Tells dark pictures of 4 x 4 pixels from light ones."""
    weights = np.stack([-np.ones(16), np.ones(16)], axis=1).astype(np.float32) / 4
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    constants = {"weights": weights, "bias": np.array([2, -2], np.float32)}
    return Recipe(
        "shade", CLASSIFIER, graph_of(nodes, CLASSIFIER, constants), ([[250] * 4] * 4, [[3] * 4] * 4)
    )


@pytest.fixture(scope="session")
def generator() -> Recipe:
    """Makes pictures of 5 x 2 pixels from three numbers."""
    weights = np.linspace(-1, 1, 90, dtype=np.float32).reshape(3, 30)
    nodes = [
        helper.make_node("MatMul", ["latent", "weights"], ["flat"]),
        helper.make_node("Tanh", ["flat"], ["bounded"]),
        helper.make_node("Reshape", ["bounded", "shape"], ["image"]),
    ]
    constants = {"weights": weights, "shape": np.array([-1, 3, 2, 5], np.int64)}
    return Recipe("art", GENERATOR, graph_of(nodes, GENERATOR, constants), ({"latent": [0.5, -1.0, 0.25]},))


@pytest.fixture(scope="session")
def roots() -> Recipe:
    """Square roots of two numbers: NaN for a negative one."""
    signature = Signature((Tensor("x", "FP32", (-1, 2)),), (Tensor("y", "FP32", (-1, 2)),))
    graph = graph_of([helper.make_node("Sqrt", ["x"], ["y"])], signature, {})
    return Recipe("roots", signature, graph, ([4.0, 9.0], [9.0, 4.0]))


def graph_of(nodes: list[Any], signature: Signature, constants: Mapping[str, Any]) -> bytes:
    """An ONNX model with the inputs and outputs of the signature."""
    inputs, outputs = (
        [
            helper.make_tensor_value_info(one.name, TensorProto.FLOAT, ["batch", *one.shape[1:]])
            for one in side
        ]
        for side in (signature.inputs, signature.outputs)
    )
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    body: bytes = model.SerializeToString()
    return body


@pytest.fixture(scope="session")
def files_of() -> Callable[..., dict[str, bytes]]:
    """Makes all files of a version, manifest.json included, by name."""
    return make_files


def make_files(
    recipe: Recipe, changes: Mapping[str, bytes] | None = None, version: str = "v000001"
) -> dict[str, bytes]:
    """Files of a version; `changes` are made before the manifest is written, so that it names them."""
    manifest = Manifest(
        recipe.model,
        version,
        "tiny",
        "run-1",
        "d" * 64,
        {},
        {"accuracy": 1.0},
        "2026-01-02T03:04:05Z",
        "test",
        {},
    )
    graph = Graph(Version(manifest, "", recipe.signature, recipe.graph, ()), threads=1)
    samples = [
        {
            "instance": one,
            "prediction": encode(graph.run(decode([one], recipe.signature)), recipe.signature)[0],
        }
        for one in recipe.instances
    ]
    sides = {
        side: [{**vars(one), "shape": list(one.shape)} for one in getattr(recipe.signature, side)]
        for side in ("inputs", "outputs")
    }
    files = {
        "model.onnx": recipe.graph,
        "model.safetensors": b"weights",
        "signature.json": json.dumps(sides, default=str).encode(),
        "samples.json": json.dumps(samples).encode(),
        "README.md": b"# card",
        "grid.png": b"picture",
    }
    files |= changes or {}
    named = Manifest(**{**vars(manifest), "files": {name: entry_of(body) for name, body in files.items()}})
    return {**files, "manifest.json": named.encode()}


Files = Callable[..., dict[str, bytes]]
Start = Callable[..., Predictor]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts a predictor on files; all are stopped in the end."""
    running: list[Predictor] = []

    def start_one(
        model: str,
        files: Mapping[str, bytes],
        sink: str = "http://127.0.0.1:1",
        key: str = "",
        own_key: str = "",
        answer_key: str = "",
    ) -> Predictor:
        root = tmp_path_factory.mktemp("bucket")
        folder = root / "models" / model / "v000001"
        for name, body in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(body)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        uri = f"s3://models/models/{model}/v000001/"
        script = Path(__file__).parent / "serve_folder.py"
        process = subprocess.Popen(
            [sys.executable, str(script), str(root), model, uri, str(port), sink],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                **os.environ,
                "KNOLL_VERIFY_KEY": key,
                "KNOLL_REVISION_KEY": own_key,
                "KNOLL_ANSWER_KEY": answer_key,
            },
        )
        running.append(Predictor(f"http://127.0.0.1:{port}", process))
        return running[-1]

    yield start_one
    for one in running:
        one.process.kill()
        one.process.wait()
        if one.process.stdout:
            one.process.stdout.close()
