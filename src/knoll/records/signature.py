"""The signature of a version, signature.json: how requests become tensors, and how tensors become answers."""

from dataclasses import dataclass, field

from pydantic import with_config

from knoll.errors import InvalidVersion
from knoll.ports import Bucket
from knoll.records.manifest import version_uri
from knoll.records.record import LENIENT, Fields, Record, read_some, reader

__all__ = ["SIGNATURE", "Signature", "Tensor", "load_signature", "read_signature"]

SIGNATURE = "signature.json"


@with_config(LENIENT)
@dataclass(frozen=True)
class Tensor:
    """One input or output of the graph.

    `datatype` is one of the open inference protocol: FP32, INT64, ... `shape` has -1 for the batch. `codec`
    names the conversion from or to JSON, which `knoll.codecs` has, and `options` are its options.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    codec: str = "tensor"
    options: Fields = field(default_factory=dict)


@with_config(LENIENT)
@dataclass(frozen=True)
class Signature(Record):
    """The inputs and outputs of the graph. With them a predictor serves any family."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


load_signature = reader(Signature, "signature", file=SIGNATURE, fault=InvalidVersion)


def read_signature(model: str, version: str, bucket: Bucket) -> Signature:
    """The signature of a version. Raises NotFound, InvalidVersion and StoreUnavailable."""
    return load_signature(read_some(version_uri(bucket.root, model, version) + SIGNATURE, bucket))
