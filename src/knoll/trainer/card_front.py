"""The front matter of a model card, which the Hugging Face hub reads.

https://github.com/huggingface/hub-docs/blob/main/modelcard.md says what it may have. A dataset gets a name
that no dataset of the hub has.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from knoll.markdown import WIDTH
from knoll.trainer.card_facts import CardFacts

__all__ = ["front_matter"]

_DIGITS = 12  # of a digest in a name


def front_matter(facts: CardFacts) -> str:
    """The front matter as YAML between its two lines."""
    told = yaml.safe_dump(_fields(facts), sort_keys=False, width=WIDTH)
    return f"---\n{told}---"


def _fields(facts: CardFacts) -> dict[str, Any]:
    run, golden = facts.run, facts.golden
    data = _dataset(run.model, run.model, run.dataset_digest, "held-out")
    results = [_result(facts.task, data, facts.metrics)]
    if golden:
        exam = _dataset(f"{run.model} golden set", f"{run.model}-golden", golden.digest, "test")
        results.append(_result(facts.task, exam, golden.metrics))
    return {
        "license": (facts.declared.license or "unknown").lower(),
        "library_name": "onnx",
        "pipeline_tag": facts.task,
        "tags": ["knoll", run.family],
        "datasets": [data["type"]],
        "metrics": sorted(facts.metrics),
        "model_name": run.model,
        "model-index": [{"name": run.model, "results": results}],
    }


def _dataset(name: str, id: str, digest: str, split: str) -> dict[str, str]:
    return {"name": name, "type": f"{id}-{digest[:_DIGITS]}", "split": split, "revision": digest}


def _result(task: str, data: Mapping[str, str], metrics: Mapping[str, float]) -> dict[str, Any]:
    values = [{"type": name, "name": name, "value": value} for name, value in sorted(metrics.items())]
    return {"task": {"type": task}, "dataset": dict(data), "metrics": values}
