"""The signature of a version, signature.json: how requests become tensors, and how tensors become answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import with_config

from knoll.errors import InvalidVersion
from knoll.ports import Bucket
from knoll.records.manifest import version_uri
from knoll.records.record import LENIENT, Fields, Record, read_some, reader

__all__ = ["PLAIN", "SIGNATURE", "Signature", "Tensor", "load_signature", "read_signature"]

SIGNATURE = "signature.json"
PLAIN = "tensor"  # the codec of plain numbers


@with_config(LENIENT)
@dataclass(frozen=True)
class Tensor:
    """One input or output of the graph.

    `datatype` is one of the open inference protocol: FP32, INT64, ... `shape` has -1 for the batch. `codec`
    names the conversion from or to JSON, which `knoll.codecs` has, and `options` are its options. Some
    have one meaning in all codecs: the output has a number for each of `labels`, of which the highest is the
    answer; `low` and `high` are the numbers of black and white; `columns` are those of a row; `names` are
    those of series.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    codec: str = PLAIN
    options: Fields = field(default_factory=dict)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The classes between which the output chooses; empty if it chooses between none."""
        return tuple(map(str, self.options.get("labels") or ()))

    @cached_property
    def columns(self) -> tuple[Mapping[str, Any], ...]:
        """The columns of the rows that the input takes; empty if it takes no rows."""
        return tuple(self.options.get("columns") or ())

    @cached_property
    def series(self) -> tuple[str, ...]:
        """The names of the series that the tensor has; empty if it has none."""
        return tuple(map(str, self.options.get("names") or ()))


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
