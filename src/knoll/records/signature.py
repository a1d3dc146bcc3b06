"""The signature of a version, signature.json: how requests become tensors, and how tensors become answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

from pydantic import with_config

from knoll.errors import InvalidVersion
from knoll.ports import Bucket
from knoll.records.manifest import version_uri
from knoll.records.record import LENIENT, Fields, Record, read_some, reader

__all__ = [
    "BYTES",
    "PLAIN",
    "SIGNATURE",
    "FileContent",
    "Signature",
    "Tensor",
    "files_of",
    "load_signature",
    "read_signature",
    "with_files",
]

SIGNATURE = "signature.json"
_Made = TypeVar("_Made")
PLAIN = "tensor"  # the codec of plain numbers
BYTES = "BYTES"  # the datatype of texts in V2


@dataclass(frozen=True)
class FileContent:
    """The text of a file that a codec needs, and what was made of it."""

    text: str
    _made: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    def made(self, make: Callable[[str], _Made]) -> _Made:
        """What `make` makes of the text, made once."""
        if make not in self._made:
            self._made[make] = make(self.text)
        found: _Made = self._made[make]
        return found


@with_config(LENIENT)
@dataclass(frozen=True)
class Tensor:
    """One input or output of the graph.

    `datatype` is one of the open inference protocol: FP32, INT64, ... `shape` has -1 for the batch. `codec`
    names the conversion from or to JSON, which `knoll.codecs` has, and `options` are its options. Some have
    one meaning in all codecs: the output has a number for each of `labels`, of which the highest is the
    answer; `low` and `high` are the numbers of black and white; `columns` are those of a row; `names` are
    those of series; `sounds` says what sounds a version has learnt; an input that `is_text` is sent as a
    text; `file` is the name of a file of the version that the codec needs, which `with_files` adds as
    `content`.
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

    @property
    def takes_text(self) -> bool:
        """Whether a client sends a text: a plain body in V1, BYTES in V2."""
        return bool(self.options.get("is_text"))

    @property
    def in_v2(self) -> tuple[str, tuple[int, ...]]:
        """Datatype and shape as clients of V2 send it."""
        return (BYTES, self.shape[:1]) if self.takes_text else (self.datatype, self.shape)


@with_config(LENIENT)
@dataclass(frozen=True)
class Signature(Record):
    """The inputs and outputs of the graph. With them a predictor serves any family."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def files_of(signature: Signature) -> list[str]:
    """The files of the version that codecs need."""
    tensors = (*signature.inputs, *signature.outputs)
    return [*dict.fromkeys(one.options["file"] for one in tensors if "file" in one.options)]


def with_files(signature: Signature, files: Mapping[str, bytes]) -> Signature:
    """The same, with each file that a codec needs. Raises InvalidVersion if one is missing."""
    if missing := [name for name in files_of(signature) if name not in files]:
        raise InvalidVersion(f"{SIGNATURE} names the file {missing[0]}, which is not there")
    contents = {name: FileContent(files[name].decode()) for name in files_of(signature)}

    def filled(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(
            replace(one, options={**one.options, "content": contents[one.options["file"]]})
            if "file" in one.options
            else one
            for one in tensors
        )

    return Signature(filled(signature.inputs), filled(signature.outputs))


load_signature = reader(Signature, "signature", file=SIGNATURE, fault=InvalidVersion)


def read_signature(model: str, version: str, bucket: Bucket) -> Signature:
    """The signature of a version. Raises NotFound, InvalidVersion and StoreUnavailable."""
    return load_signature(read_some(version_uri(bucket.root, model, version) + SIGNATURE, bucket))
