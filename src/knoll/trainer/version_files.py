"""The files of a version, built from one training: weights, graph, signature, samples, pictures, curves, and
the card.

All but the card are the same under any version number, so they are built once.
"""

import platform as machine
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version as installed
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

from knoll import __version__
from knoll.codecs import encode
from knoll.families.base import Baseline, Examples, Export, Family, FamilyConfig, Scores
from knoll.records.champion_score import ChampionScore
from knoll.records.curves import CURVES, CURVES_PICTURE, Curves
from knoll.records.golden import GoldenScore
from knoll.records.manifest import CARD, GRAPH, WEIGHTS, Manifest, entry_of
from knoll.records.run import Run
from knoll.records.samples import SAMPLES, Sample, encode_samples
from knoll.records.signature import SIGNATURE, Signature
from knoll.trainer.card import CardFacts, model_card
from knoll.trainer.card_data import data_facts
from knoll.trainer.curve_picture import draw_curves
from knoll.trainer.graph import export_graph
from knoll.trainer.loop import Trained
from knoll.trainer.publish import Draft
from knoll.trainer.report import leave_out, say

__all__ = ["FinishedTraining", "draft_version"]


@dataclass(frozen=True)
class FinishedTraining:
    """One training, finished and scored. `left_out` are lines on what it was not trained on."""

    run: Run
    family: Family[Any]
    config: FamilyConfig
    examples: Examples
    trained: Trained
    scores: Scores
    golden: GoldenScore | None = None
    champion: ChampionScore | None = None
    left_out: tuple[str, ...] = ()

    @property
    def config_fields(self) -> Mapping[str, Any]:
        """The config as a Model document has it, with all defaults."""
        return self.config.model_dump(mode="json", by_alias=True)


def draft_version(work: FinishedTraining, *, created_at: str, threads: int = 0) -> Draft:
    """A function that `publish` calls with each number that it tries. Raises Rejected if the graph does not
    answer as the network does. A picture or card that cannot be made is left out."""
    notes = [*work.examples.notes, *work.trained.notes]
    pictures, curves = _make_pictures(work, notes), _make_curves(work.trained.curves, notes)
    baseline = _find_baseline(work, notes)
    networks = work.trained.networks.cpu()
    weights = _encode_weights(networks, work.run.id)
    export = work.family.export(networks, work.examples, work.config)
    served, samples = _make_served(export, threads)
    common = {WEIGHTS: weights, **served, SAMPLES: encode_samples(samples), **pictures, **curves}
    shown = tuple(name for name in (*pictures, *curves) if name.endswith(".png"))
    facts = _facts(work, export.signature, samples[0], shown)
    facts = replace(facts, notes=tuple(notes), baseline=baseline)
    environment = _environment(work, threads)

    def draft(version: str) -> tuple[Mapping[str, bytes], Manifest]:
        files = dict(common)
        with leave_out("the model card", say, []):
            files[CARD] = model_card(facts, version).encode()
        return files, _manifest(work, version, files, created_at, environment)

    return draft


def _encode_weights(networks: nn.ModuleDict, run: str) -> bytes:
    tensors = {name: value.contiguous() for name, value in networks.state_dict().items()}
    body: bytes = save(tensors, {"run": run})
    return body


@torch.no_grad()
def _make_pictures(work: FinishedTraining, notes: list[str]) -> dict[str, bytes]:
    pictures = {f"samples/{step:06d}.png": picture for step, picture in work.trained.pictures.items()}
    with leave_out("the picture of the held-out examples", say, notes):
        pictures |= work.family.final_pictures(work.trained.networks, work.examples, work.config)
    return pictures


@torch.no_grad()
def _find_baseline(work: FinishedTraining, notes: list[str]) -> Baseline | None:
    with leave_out("the naive baseline", say, notes):
        return work.family.baseline(work.examples, work.config)
    return None


def _make_curves(curves: Curves, notes: list[str]) -> dict[str, bytes]:
    made = {CURVES: curves.encode()}
    with leave_out("the picture of the curves", say, notes):
        made[CURVES_PICTURE] = draw_curves(curves)
    return made


def _make_served(export: Export, threads: int) -> tuple[dict[str, bytes], Sequence[Sample]]:
    graph, outputs = export_graph(export, threads=threads)
    named = {tensor.name: output for tensor, output in zip(export.signature.outputs, outputs, strict=True)}
    predictions = encode(named, export.signature)
    targets = export.targets or (None,) * len(export.samples)
    samples = list(map(Sample, export.samples, predictions, targets))
    return {GRAPH: graph, SIGNATURE: export.signature.encode()}, samples


def _facts(
    work: FinishedTraining, signature: Signature, sample: Sample, pictures: tuple[str, ...]
) -> CardFacts:
    family = work.family
    return CardFacts(
        run=work.run,
        task=family.task,
        use=family.use,
        limits=family.limits,
        kinds=family.metrics,
        metrics=work.scores.metrics,
        golden=work.golden,
        config=work.config_fields,
        data=data_facts(work.examples, family.class_counts(work.examples), work.left_out),
        signature=signature,
        sample=sample,
        pictures=pictures,
        curves=work.trained.curves,
    )


def _manifest(
    work: FinishedTraining,
    version: str,
    files: Mapping[str, bytes],
    created_at: str,
    environment: Mapping[str, str],
) -> Manifest:
    return Manifest(
        model=work.run.model,
        version=version,
        family=work.family.name,
        run=work.run.id,
        dataset_digest=work.run.dataset_digest,
        config=work.config_fields,
        metrics=work.scores.metrics,
        created_at=created_at,
        code_version=__version__,
        files={name: entry_of(body) for name, body in files.items()},
        environment=environment,
        golden=work.golden,
        slices=work.scores.slices,
        champion=work.champion,
    )


def _environment(work: FinishedTraining, threads: int) -> dict[str, str]:
    """Machine and packages of the training, so that it can be repeated."""
    device = work.trained.device
    chip = torch.cuda.get_device_name(device) if device.type == "cuda" else machine.machine()
    packages = {name: installed(name) for name in ("torch", "numpy", "onnx", "onnxruntime", "pillow")}
    shared = {"threads": str(threads), "processes": str(work.run.processes)}
    return {"python": machine.python_version(), "device": f"{device.type} ({chip})", **shared, **packages}
