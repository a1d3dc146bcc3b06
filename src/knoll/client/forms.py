"""How a model is asked about its tensors, and with them: by REST in binary form, or by gRPC."""

from collections.abc import Sequence
from typing import Any, Protocol

from knoll.client.metadata import TensorInfo
from knoll.client.refusals import document_of
from knoll.client.steps import Call, Heard
from knoll.client.tensors import Batches, Meanings, infer_request, outputs_of
from knoll.paths import MODEL_READY, PREDICTED, V2_MODEL, path_of

__all__ = ["ByRest", "TensorForm"]


class TensorForm(Protocol):
    """What is asked of a model, and how its answers are read."""

    def ready(self, model: str) -> Call:
        """Whether it is ready."""

    def is_ready(self, heard: Heard) -> bool:
        """What it said."""

    def metadata(self, model: str) -> Call:
        """Its versions and tensors."""

    def metadata_in(self, heard: Heard) -> Any:
        """What it said, as REST says it."""

    def infer(self, model: str, tensors: Batches, inputs: Sequence[TensorInfo]) -> Call:
        """Its outputs for these tensors. Raises InvalidInstance if they are too large."""

    def outputs_in(self, heard: Heard) -> tuple[Batches, Meanings]:
        """The outputs, and what each means, both by name. Raises KnollError if there are none."""


class ByRest:
    """V2 with binary tensors."""

    def ready(self, model: str) -> Call:
        """See `TensorForm`."""
        return Call("GET", path_of(MODEL_READY, model))

    def is_ready(self, heard: Heard) -> bool:
        """See `TensorForm`."""
        return heard.status == 200

    def metadata(self, model: str) -> Call:
        """See `TensorForm`."""
        return Call("GET", path_of(V2_MODEL, model))

    def metadata_in(self, heard: Heard) -> Any:
        """See `TensorForm`."""
        return document_of(heard)

    def infer(self, model: str, tensors: Batches, inputs: Sequence[TensorInfo]) -> Call:
        """See `TensorForm`."""
        return Call("POST", path_of(PREDICTED[1], model), *infer_request(tensors, inputs))

    def outputs_in(self, heard: Heard) -> tuple[Batches, Meanings]:
        """See `TensorForm`."""
        return outputs_of(heard.body, heard.headers)
