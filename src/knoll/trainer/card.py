"""The model card: a version's README.md, with the front matter that the Hugging Face hub reads.

https://github.com/huggingface/hub-docs/blob/main/modelcard.md says what that may have. If the same run is
published again, the text is the same, so it has no time in it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from knoll.families.base import Baseline, Metric
from knoll.quantities import counted
from knoll.records.compression import Compression
from knoll.records.curves import CURVES, CURVES_PICTURE, Curves
from knoll.records.golden import GoldenScore
from knoll.records.run import Run
from knoll.records.samples import Sample
from knoll.records.signature import Signature
from knoll.trainer.card_calls import how_to_call
from knoll.trainer.card_compression import compression_section
from knoll.trainer.card_data import DataFacts, data_section
from knoll.trainer.card_text import bullets, code, literal, section, table

__all__ = ["RERUN_TOLERANCE", "CardFacts", "model_card"]

_ROUGH = 100  # held-out examples: with fewer, each moves a share by a percent or more
RERUN_TOLERANCE = 0.02  # of metrics, where a rerun rounds in another way


@dataclass(frozen=True)
class CardFacts:
    """What a card tells. `use` is what the family is for, and `limits` are sentences on what it cannot.
    `baseline` has the metrics of a naive answer, `golden` the score on the golden set, if there are any.
    `pictures` are names of files in the version's folder, and `curves` those of the training. `notes` are
    sentences on what the owner of the data may not expect. `compression` has the graphs that were tried."""

    run: Run
    task: str
    use: str
    limits: tuple[str, ...]
    kinds: tuple[Metric, ...]
    metrics: Mapping[str, float]
    config: Mapping[str, Any]
    data: DataFacts
    signature: Signature
    sample: Sample
    pictures: Iterable[str]
    curves: Curves
    notes: tuple[str, ...] = ()
    baseline: Baseline | None = None
    golden: GoldenScore | None = None
    compression: Compression | None = None


def model_card(facts: CardFacts, version: str) -> str:
    """The card in Markdown."""
    run = facts.run
    sections = [
        f"---\n{yaml.safe_dump(_front_matter(facts), sort_keys=False)}---",
        f"# {run.model} {version}",
        f"A model of the family `{run.family}`, trained by run `{run.id}`. `manifest.json` lists every "
        "file with its sha256.",
        section("Intended use and limits", facts.use, bullets(_limits(facts))),
        section("Metrics", *_metrics(facts)),
        data_section(facts.data, run.dataset_digest),
        section("Training", *_training(facts)),
        compression_section(facts.compression),
        section("Notes", bullets(map(literal, facts.notes))),
        section("Config", table(("field", "value"), _config(facts.config))),
        section("Repeat it", _repeat(facts.config)),
        how_to_call(run.model, facts.signature, facts.sample),
        section("Pictures", *map(_picture, sorted(set(facts.pictures) - {CURVES_PICTURE}))),
    ]
    return "\n\n".join(one for one in sections if one) + "\n"


def _training(facts: CardFacts) -> list[str]:
    curves = facts.curves
    return [
        f"{curves.steps} steps. `{CURVES}` has {len(curves.points)} points of it: losses in training, losses "
        f"and metrics on {curves.held_out} of the held-out examples, and learning rates.",
        _picture(CURVES_PICTURE) if CURVES_PICTURE in facts.pictures else "",
    ]


def _repeat(config: Mapping[str, Any]) -> str:
    return (
        f"The seed of all random numbers is `{config.get('seed')}`. On a CPU, a training with the same data, "
        "config, packages, threads and processes ends with the same weights to the last bit; `manifest.json` "
        "has all of these. With other numbers of threads or processes, or on a GPU, sums are rounded in "
        f"another way, and metrics may differ by {RERUN_TOLERANCE:g}."
    )


def _picture(name: str) -> str:
    return f"![{name}]({name})"


def _config(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, code(json.dumps(value, ensure_ascii=False))) for name, value in config.items()]


def _metrics(facts: CardFacts) -> list[str]:
    golden, baseline = facts.golden, facts.baseline
    told = [
        "On the held-out examples, which the network has not seen in training.",
        _values(facts.metrics, facts.kinds, baseline.metrics if baseline else None),
        f"The naive baseline: {baseline.what}." if baseline else "",
    ]
    if golden:
        told += [
            f"On the golden set, which does not come with the data: {counted(golden.count, 'example')}, "
            f"digest `{golden.digest}`.",
            _values(golden.metrics, facts.kinds),
        ]
    return told


def _values(
    metrics: Mapping[str, float], kinds: Iterable[Metric], baseline: Mapping[str, float] | None = None
) -> str:
    """A row for each metric; with the value of the baseline, if there is one."""
    better = {one.name: one.better for one in kinds}
    head = ("metric", "value", *(["naive baseline"] if baseline else []), "better is")
    rows = (
        (
            name,
            f"{value:.6g}",
            *([f"{baseline[name]:.6g}" if name in baseline else ""] if baseline else []),
            better.get(name, ""),
        )
        for name, value in sorted(metrics.items())
    )
    return table(head, rows)


def _limits(facts: CardFacts) -> list[str]:
    """What the version is not good for, as far as its numbers and its family tell."""
    held_out = facts.data.held_out
    beaten = _not_better(facts.metrics, facts.baseline, facts.kinds)
    rough = f"Only {counted(held_out, 'example')} held out, so the metrics are rough." * (held_out < _ROUGH)
    naive = f"It is not better than the naive baseline in {', '.join(beaten)}." if beaten else ""
    always = (
        "Its metrics are of data like that of its training; of other data they say nothing.",
        "Nothing is known of a licence: the owner of the data says what may be done with it.",
    )
    return [one for one in (*facts.limits, naive, rough, *always) if one]


def _not_better(
    metrics: Mapping[str, float], baseline: Baseline | None, kinds: Iterable[Metric]
) -> list[str]:
    """The metrics in which a naive answer is as good."""
    naive = baseline.metrics if baseline else {}
    signs = {one.name: 1 if one.better == "more" else -1 for one in kinds if one.name in naive}
    return [name for name, sign in signs.items() if sign * metrics[name] <= sign * naive[name]]


def _front_matter(facts: CardFacts) -> dict[str, Any]:
    run, golden = facts.run, facts.golden
    data = {"name": run.model, "type": run.model, "split": "held-out", "revision": run.dataset_digest}
    results = [_result(facts.task, data, facts.metrics)]
    if golden:
        data = {"name": "golden set", "type": run.model, "revision": golden.digest}
        results.append(_result(facts.task, data, golden.metrics))
    return {
        "license": "unknown",
        "library_name": "onnx",
        "pipeline_tag": facts.task,
        "tags": ["knoll", run.family],
        "metrics": sorted(facts.metrics),
        "model_name": run.model,
        "model-index": [{"name": run.model, "results": results}],
    }


def _result(task: str, data: Mapping[str, str], metrics: Mapping[str, float]) -> dict[str, Any]:
    values = [{"type": name, "name": name, "value": value} for name, value in sorted(metrics.items())]
    return {"task": {"type": task}, "dataset": dict(data), "metrics": values}
