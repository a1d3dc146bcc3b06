"""The files of a version, built from one training: weights, graph, signature, samples, pictures, curves, the
graphs that were tried, and the card.

All but the card are the same under any version number, so they are built once.
"""

import platform as machine
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version as installed
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

from knoll import __version__
from knoll.families.base import Baseline
from knoll.models import CardSpec
from knoll.records.curves import CURVES, CURVES_PICTURE, Curves
from knoll.records.manifest import CARD, WEIGHTS, Manifest, entry_of
from knoll.trainer.card import model_card
from knoll.trainer.card_data import column_facts, data_facts
from knoll.trainer.card_facts import CardFacts, ColumnFacts
from knoll.trainer.card_gate import gate_checks
from knoll.trainer.curve_picture import draw_curves
from knoll.trainer.finished import FinishedTraining
from knoll.trainer.publish import Draft
from knoll.trainer.report import leave_out, say
from knoll.trainer.served_files import ServedFiles, as_served, make_served

__all__ = ["draft_version"]


def draft_version(
    work: FinishedTraining,
    *,
    created_at: str,
    threads: int = 0,
    tell: Callable[[str], None] = lambda _: None,
) -> Draft:
    """A function that `publish` calls with each number that it tries. `tell` is called with the name of each
    graph that is tried. Raises Rejected if the exported graph does not answer as the network does. A picture
    or card that cannot be made is left out."""
    notes = [*work.examples.notes, *work.trained.notes]
    pictures, curves = _make_pictures(work, notes), _make_curves(work.trained.curves, notes)
    baseline = _find_baseline(work, notes)
    weights = _encode_weights(work.trained.networks.cpu(), work.run.id)
    served = make_served(work, threads, tell, notes)
    work = as_served(work, served.compressed)
    common = {WEIGHTS: weights, **served.files, **pictures, **curves}
    shown = tuple(name for name in (*pictures, *curves) if name.endswith(".png"))
    facts = replace(_facts(work, served, notes), pictures=shown, baseline=baseline)
    environment = _environment(work, threads)

    def draft(version: str) -> tuple[Mapping[str, bytes], Manifest]:
        made = replace(
            _manifest(work, version, common, created_at, environment),
            parity=served.parity,
            shares_runs=served.shares_runs,
            baseline=baseline.metrics if baseline else {},
        )
        with leave_out("the model card", say, []):
            card = _make_card(work, facts, made).encode()
            return {**common, CARD: card}, replace(made, files={**made.files, CARD: entry_of(card)})
        return common, made

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


def _make_card(work: FinishedTraining, facts: CardFacts, made: Manifest) -> str:
    """The card of a version that has all its other files."""
    checks: Mapping[str, Any] = {}
    notes = list(facts.notes)
    with leave_out("the table of the gate", say, notes):
        checks = gate_checks(work.run.gate, made, work.champion.manifest if work.champion else None)
    return model_card(replace(facts, checks=checks, notes=tuple(notes)), made.version, say)


def _facts(work: FinishedTraining, served: ServedFiles, notes: list[str]) -> CardFacts:
    family, examples = work.family, work.examples
    classes: Mapping[str, tuple[int, int]] = {}
    columns: tuple[ColumnFacts, ...] = ()
    declared = CardSpec()
    with leave_out("what the Model says of itself", say, notes):
        declared = CardSpec.model_validate(work.run.card)
    with leave_out("the numbers of examples of each class", say, notes):
        classes = family.class_counts(examples)
    with leave_out("the ranges of the data", say, notes):
        columns = column_facts(examples)
    return CardFacts(
        run=work.run,
        task=family.task,
        use=family.use,
        limits=family.limits,
        kinds=family.metrics,
        metrics=work.scores.metrics,
        golden=work.golden,
        config=work.config_fields,
        data=data_facts(examples, classes, columns, work.left_out),
        signature=served.signature,
        sample=served.samples[0],
        curves=work.trained.curves,
        declared=declared,
        notes=tuple(notes),
        champion=work.champion.score if work.champion else None,
        slices=work.scores.slices,
        compression=served.compressed.record if served.compressed else None,
        how=work.trained.how,
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
        champion=work.champion.score if work.champion else None,
    )


def _environment(work: FinishedTraining, threads: int) -> dict[str, str]:
    """Machine and packages of the training, so that it can be repeated."""
    device = work.trained.device
    chip = torch.cuda.get_device_name(device) if device.type == "cuda" else machine.machine()
    packages = {name: installed(name) for name in ("torch", "numpy", "onnx", "onnxruntime", "pillow")}
    shared = {"threads": str(threads), "processes": str(work.run.processes)}
    return {"python": machine.python_version(), "device": f"{device.type} ({chip})", **shared, **packages}
