"""The files of a version, built from one training: weights, graph, signature, samples, pictures, card.

All but the card are the same under any version number, so they are built once.
"""

import json
import platform as machine
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version as installed
from typing import Any

import torch
from safetensors.torch import save

from knoll import __version__
from knoll.codecs import encode
from knoll.families.base import Examples, Export, Family, FamilyConfig
from knoll.records.manifest import Manifest, entry_of
from knoll.records.run import Run
from knoll.trainer.card import CardFacts, model_card
from knoll.trainer.graph import export_graph
from knoll.trainer.loop import Trained
from knoll.trainer.publish import Draft

__all__ = ["Work", "draft_version"]


@dataclass(frozen=True)
class Work:
    """One training, finished and scored."""

    run: Run
    family: Family[Any]
    config: FamilyConfig
    examples: Examples
    trained: Trained
    metrics: Mapping[str, float]


def draft_version(work: Work, *, created_at: str, threads: int = 0) -> Draft:
    """What `publish` asks for each number that it tries. Raises Rejected when the graph does not answer as
    the network."""
    pictures = _pictures(work)
    networks = work.trained.networks.cpu()
    weights = save(
        {name: value.contiguous() for name, value in networks.state_dict().items()}, {"run": work.run.id}
    )
    export = work.family.export(networks, work.examples, work.config)
    common = {"model.safetensors": weights, **_served(export, threads), **pictures}
    config = work.config.model_dump(mode="json", by_alias=True)
    counts = len(work.examples.train[0]), len(work.examples.held_out[0])
    facts = CardFacts(
        work.run,
        work.family.task,
        work.metrics,
        config,
        counts,
        export.signature,
        export.samples[0],
        tuple(pictures),
    )

    def draft(version: str) -> tuple[Mapping[str, bytes], Manifest]:
        files = {**common, "README.md": model_card(facts, version).encode()}
        manifest = Manifest(
            model=work.run.model,
            version=version,
            family=work.family.name,
            run=work.run.id,
            dataset_digest=work.run.dataset_digest,
            config=config,
            metrics=work.metrics,
            created_at=created_at,
            code_version=__version__,
            files={name: entry_of(body) for name, body in files.items()},
            environment=_environment(work.trained.device),
        )
        return files, manifest

    return draft


@torch.no_grad()
def _pictures(work: Work) -> dict[str, bytes]:
    milestones = {f"samples/{step:06d}.png": picture for step, picture in work.trained.pictures.items()}
    return {**milestones, **work.family.final_pictures(work.trained.networks, work.examples, work.config)}


def _served(export: Export, threads: int) -> dict[str, bytes]:
    graph, outputs = export_graph(export, threads=threads)
    named = {tensor.name: output for tensor, output in zip(export.signature.outputs, outputs, strict=True)}
    pairs = zip(export.samples, encode(named, export.signature), strict=True)
    samples = [{"instance": instance, "prediction": prediction} for instance, prediction in pairs]
    return {
        "model.onnx": graph,
        "signature.json": json.dumps(asdict(export.signature), indent=1).encode(),
        "samples.json": json.dumps(samples, indent=1).encode(),
    }


def _environment(device: torch.device) -> dict[str, str]:
    """What the training ran on, for whoever wants to repeat it."""
    chip = torch.cuda.get_device_name(device) if device.type == "cuda" else machine.machine()
    packages = {name: installed(name) for name in ("torch", "numpy", "onnx", "onnxruntime", "pillow")}
    return {"python": machine.python_version(), "device": f"{device.type} ({chip})", **packages}
