"""The model card: a version's README.md, with the front matter that the Hugging Face hub reads.

If the same run is published again, the text is the same, so it has no time in it.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from knoll.paths import predict_path
from knoll.quoting import escaped
from knoll.records.golden import GoldenScore
from knoll.records.run import Run
from knoll.records.signature import Signature, Tensor

__all__ = ["CardFacts", "model_card"]

_MARKUP = re.compile(r"[\\`*_\[\]<>|!#$&~]")


@dataclass(frozen=True)
class CardFacts:
    """What a card tells. `golden` is the score on the golden set, if there is one. `examples` are the numbers
    of training and held-out examples, `pictures` the names of files in the version's folder. `notes` are
    sentences on what the owner of the data may not expect."""

    run: Run
    task: str
    metrics: Mapping[str, float]
    config: Mapping[str, Any]
    examples: tuple[int, int]
    signature: Signature
    sample: Any
    pictures: Iterable[str]
    notes: tuple[str, ...] = ()
    golden: GoldenScore | None = None


def model_card(facts: CardFacts, version: str) -> str:
    """The card in Markdown."""
    run = facts.run
    sections = [
        f"---\n{yaml.safe_dump(_front_matter(facts), sort_keys=False)}---",
        f"# {run.model} {version}",
        f"A model of the family `{run.family}`, trained by run `{run.id}`. `manifest.json` lists every "
        "file with its sha256.",
        "## Metrics\n\nOn the held-out examples, which the network has not seen in training.\n\n"
        + _values(facts.metrics),
        _exam(facts.golden),
        f"## Data\n\n{facts.examples[0]} training examples, {facts.examples[1]} held out. Dataset "
        f"digest: `{run.dataset_digest}`.",
        _remarks(facts.notes),
        "## Config\n\n"
        + _table(
            ("field", "value"), ((name, f"`{json.dumps(value)}`") for name, value in facts.config.items())
        ),
        _how_to_call(facts),
        _show(facts.pictures),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _values(metrics: Mapping[str, float]) -> str:
    return _table(("metric", "value"), ((name, f"{value:.6g}") for name, value in sorted(metrics.items())))


def _exam(golden: GoldenScore | None) -> str:
    if golden is None:
        return ""
    return (
        f"On the golden set, which does not come with the data: {golden.count} examples, digest "
        f"`{golden.digest}`.\n\n{_values(golden.metrics)}"
    )


def _result(task: str, data: Mapping[str, str], metrics: Mapping[str, float]) -> dict[str, Any]:
    values = [{"type": name, "name": name, "value": value} for name, value in sorted(metrics.items())]
    return {"task": {"type": task}, "dataset": dict(data), "metrics": values}


def _front_matter(facts: CardFacts) -> dict[str, Any]:
    run, golden = facts.run, facts.golden
    data = {"name": run.model, "type": run.model, "revision": run.dataset_digest}
    results = [_result(facts.task, data, facts.metrics)]
    if golden:
        data = {"name": "golden set", "type": run.model, "revision": golden.digest}
        results.append(_result(facts.task, data, golden.metrics))
    return {
        "library_name": "onnx",
        "pipeline_tag": facts.task,
        "tags": ["knoll", run.family],
        "model_name": run.model,
        "model-index": [{"name": run.model, "results": results}],
    }


def _remarks(notes: Iterable[str]) -> str:
    lines = [f"- {_literal(note)}" for note in notes]
    return "## Notes\n\n" + "\n".join(lines) if lines else ""


def _literal(text: str) -> str:
    """Text that may hold names of strangers, in one line and without markup."""
    return _MARKUP.sub(r"\\\g<0>", escaped(text))


def _how_to_call(facts: CardFacts) -> str:
    instance = json.dumps(facts.sample)
    if len(instance) > 200:
        instance = instance[:200] + "…"
    tensors = [("input", one) for one in facts.signature.inputs] + [
        ("output", one) for one in facts.signature.outputs
    ]
    return (
        "## Call it\n\n"
        f"    POST {predict_path(facts.run.model)}\n"
        f'    {{"instances": [{instance}]}}\n\n'
        "`samples.json` has requests with their answers. The graph in `model.onnx`:\n\n"
        + _table(("", "name", "type", "shape", "codec"), ((side, *_row(one)) for side, one in tensors))
    )


def _row(tensor: Tensor) -> tuple[str, ...]:
    return (
        f"`{tensor.name}`",
        tensor.datatype,
        "×".join("batch" if size < 0 else str(size) for size in tensor.shape),
        tensor.codec,
    )


def _show(pictures: Iterable[str]) -> str:
    names = sorted(pictures)
    return "## Pictures\n\n" + "\n\n".join(f"![{name}]({name})" for name in names) if names else ""


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
