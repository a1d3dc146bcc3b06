"""The third part of a family, export: the served network, its signature and samples, and pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

import torch
from torch import nn

from knoll.codecs import DTYPES
from knoll.families.base.columns import Column
from knoll.families.base.data import Batch, Examples
from knoll.families.declaration import ConfigT
from knoll.quantities import counted
from knoll.records.signature import Signature, Tensor

__all__ = ["Export", "ExportPart", "draw_rows", "export_network"]

_SAMPLES = range(16, 65)  # how many, as far as the held-out examples go
_BYTES = 2**20  # more than the fewest samples have no more bytes than this as tensors


@dataclass(frozen=True)
class Export:
    """What is served. `module` is in eval mode on the CPU, and maps the inputs of `signature` to its outputs.

    `samples` are V1 instances: a predictor warms up with them, and a rollout replays them. `sample_inputs`
    are the same samples as tensors, one row each, and `targets` their labels in the held-out data, if they
    have labels. `files` become files of the version: those that its codecs need.
    """

    module: nn.Module
    signature: Signature
    samples: tuple[Any, ...]
    sample_inputs: Batch
    targets: tuple[Any, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)


class ExportPart(Generic[ConfigT]):
    """Makes what is served and shown.

    By default the only network is served: its inputs are the first columns of a batch, its requests and
    answers are plain numbers, its samples are held-out examples. `inputs` and `outputs` name the tensors.
    """

    inputs: tuple[str, ...] = ("input",)  # names of the first columns of a batch, the network's arguments
    outputs: tuple[str, ...] = ("output",)  # names of the tensors that the network returns

    def export(self, networks: nn.ModuleDict, examples: Examples, config: ConfigT) -> Export:
        """What is served."""
        if len(networks) != 1:
            name = type(self).__name__
            raise TypeError(f"{name} has {len(networks)} networks; override export, and choose one there")
        if len(self.inputs) > (width := len(examples.held_out)):
            named, has = _counted(self.inputs), counted(width, "column")
            raise TypeError(f"{type(self).__name__}: inputs has {named}, and a batch has {has}")
        columns = draw_rows(*examples.held_out[: len(self.inputs)])  # the other columns are targets
        (network,) = networks.values()
        return export_network(network, dict(zip(self.inputs, columns, strict=True)), self.outputs)

    def served_inputs(self, batch: Batch, config: ConfigT) -> Batch:
        """The inputs of the served graph for these training examples, as floats where it takes floats: they
        calibrate compressed graphs. By default its first columns. Random numbers come from torch's global
        generator."""
        return batch[: len(self.inputs)]

    def milestone_picture(self, networks: nn.ModuleDict, examples: Examples, config: ConfigT) -> bytes | None:
        """A PNG that shows progress, made at each milestone. By default None: there is nothing to see."""
        return None

    def final_pictures(
        self, networks: nn.ModuleDict, examples: Examples, config: ConfigT
    ) -> Mapping[str, bytes]:
        """PNGs for the model card, by file name. By default there are none."""
        return {}


def draw_rows(*columns: Column) -> tuple[torch.Tensor, ...]:
    """The same rows of each column (N, ...), evenly spaced from the first to the last: 64 of them, and fewer
    of large examples, but 16 at least. If there are fewer examples: all of them."""
    examples = len(columns[0])
    size = sum(one[:1].nbytes for one in columns)
    count = min(max(_BYTES // max(size, 1), _SAMPLES[0]), _SAMPLES[-1], examples)
    rows = torch.linspace(0, examples - 1, count).long()
    return tuple(one[rows] for one in columns)


@torch.no_grad()
def export_network(module: nn.Module, inputs: Mapping[str, torch.Tensor], outputs: Sequence[str]) -> Export:
    """Serve a network with plain numbers. `inputs` are its sample inputs (N, ...) by name, in the order of
    its arguments; `outputs` names the tensors (N, ...) that it returns. Raises TypeError if it
    returns more or fewer."""
    served = module.cpu().eval()
    returned = served(*inputs.values())
    answers = returned if isinstance(returned, tuple) else (returned,)
    if len(outputs) != len(answers):
        what = f"outputs has {_counted(outputs)}"
        raise TypeError(f"{what}, and the number of tensors that the network returns is {len(answers)}")
    signature = Signature(
        tuple(_plain(name, column) for name, column in inputs.items()),
        tuple(_plain(name, column) for name, column in zip(outputs, answers, strict=True)),
    )
    rows = list(zip(*(column.tolist() for column in inputs.values()), strict=True))
    samples = tuple(row[0] if len(inputs) == 1 else dict(zip(inputs, row, strict=True)) for row in rows)
    return Export(served, signature, samples, tuple(inputs.values()))


def _counted(names: Sequence[str]) -> str:
    """ "2 names (a, b)"."""
    return f"{counted(len(names), 'name')} ({', '.join(names)})"


def _plain(name: str, column: torch.Tensor) -> Tensor:
    kind = column.numpy().dtype.type
    datatype = next(name for name, known in DTYPES.items() if known is kind)
    return Tensor(name, datatype, (-1, *column.shape[1:]))
