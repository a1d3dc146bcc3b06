"""The signature of a version, signature.json: how requests become tensors, and tensors answers."""

from dataclasses import dataclass, field

from pydantic import with_config

from knoll.errors import InvalidVersion
from knoll.records.record import LENIENT, Fields, Record, reader

__all__ = ["Signature", "Tensor", "load_signature"]


@with_config(LENIENT)
@dataclass(frozen=True)
class Tensor:
    """One input or output of the graph: name, OIP datatype (FP32, INT64, ...), shape with -1 for the batch,
    and the codec that turns JSON into it or it into JSON, with the codec's options (see `knoll.codecs`)."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    codec: str = "tensor"
    options: Fields = field(default_factory=dict)


@with_config(LENIENT)
@dataclass(frozen=True)
class Signature(Record):
    """How requests become tensors and tensors become answers, so that the predictor knows no family."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


load_signature = reader(Signature, "signature", file="signature.json", fault=InvalidVersion)
