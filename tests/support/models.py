"""Models for tests."""

from typing import Any

from knoll.models import API_VERSION, KIND
from knoll.ports import Document

__all__ = ["model_document"]


def model_document(
    name: str = "digits", landed: Document | None = None, *, data: str = "s3://data", **spec: Any
) -> Document:
    """A Model whose data lies under `data`/NAME/; `spec` has further fields of its spec, or other values for
    them."""
    dataset: Document = {"uri": f"{data}/{name}/", **({"landed": landed} if landed else {})}
    whole = {"family": "image-classifier", "dataset": dataset, **spec}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": whole}
