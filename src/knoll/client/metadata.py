"""What a model says about itself: its versions and tensors (V2)."""

from dataclasses import dataclass
from typing import Any

from knoll.errors import KnollError

__all__ = ["Metadata", "TensorInfo", "metadata_of"]


@dataclass(frozen=True)
class TensorInfo:
    """An input or output. `datatype` is one of V2, such as FP32; `shape` has -1 for what may vary, and the
    batch first."""

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Metadata:
    """A model. While two versions answer, it is what one of them says."""

    name: str
    versions: tuple[str, ...]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]


def metadata_of(document: Any) -> Metadata:
    """Raises KnollError if it is no metadata of V2."""
    try:
        inputs, outputs = (
            tuple(
                TensorInfo(str(one["name"]), str(one["datatype"]), tuple(map(int, one["shape"])))
                for one in document[side]
            )
            for side in ("inputs", "outputs")
        )
        return Metadata(str(document["name"]), tuple(document.get("versions", ())), inputs, outputs)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise KnollError(
            "the answer is no metadata of V2", fix="see that the URL is that of a predictor or gateway"
        ) from error
