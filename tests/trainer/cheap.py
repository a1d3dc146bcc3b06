"""What trainings of tests leave out, because it takes longer than they do."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

import torch

from knoll.families.base import Export
from knoll.families.dcgan import export, learning

if TYPE_CHECKING:
    from knoll.trainer.graph import ExportedGraph

__all__ = ["few_pictures", "serve_nothing"]


@contextmanager
def few_pictures() -> Iterator[None]:
    """A DCGAN draws grids of 2×2 pictures, and as many that are looked at for each point of the curve."""
    with patch.object(export, "_GRID", 4), patch.object(learning, "_LOOKED_AT", 4):
        yield


def serve_nothing(export: Export, **_: object) -> "ExportedGraph":
    """Instead of an export to ONNX, which takes seconds."""
    from knoll.trainer.graph import ExportedGraph  # a machine with a GPU may have no onnx

    with torch.no_grad():
        return ExportedGraph(b"", [export.module(*export.sample_inputs).numpy()], {})
