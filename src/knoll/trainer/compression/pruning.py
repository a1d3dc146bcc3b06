"""Magnitude pruning: the channels with the least weights are set to zero, the rest learns on, and what is
zero is taken out of the graph.

Whole channels go: the runtime multiplies zeros as slowly as other numbers.
"""

import copy
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvTransposeNd

from knoll.errors import Rejected
from knoll.trainer.compression.learning import learn_more
from knoll.trainer.compression.shrinking import chains, shrink
from knoll.trainer.compression.subject import Subject
from knoll.trainer.graph import export_graph, run_graph

__all__ = ["prune"]

_RELATIVE, _ABSOLUTE = 1e-3, 1e-4


def prune(subject: Subject) -> bytes:
    """The graph without the channels that weigh least. Raises Rejected if no layer can be shrunk."""
    how, networks = subject.plan.pruning, copy.deepcopy(subject.networks)
    module = subject.family.export(networks, subject.examples, subject.config).module
    graph = onnx.load_model_from_string(subject.graph).graph
    zeros = list(_zeros(module, [one.weight for one in chains(graph)], how.share))
    if not zeros:
        raise Rejected("it has no layer whose channels could go")

    @torch.no_grad()
    def mend() -> None:
        for values, is_dead in zeros:
            values.masked_fill_(is_dead.to(values.device), 0)

    networks.to(subject.device)
    mend()
    learn_more(subject, networks, subject.config, how.epochs, mend=mend)
    export = subject.family.export(networks, subject.examples, subject.config)
    exported = export_graph(export, threads=subject.threads)
    small = shrink(exported.body)
    answers = run_graph(small, [one.numpy() for one in export.sample_inputs], threads=subject.threads)
    for answer, wanted in zip(answers, exported.outputs, strict=True):
        if not np.allclose(answer, wanted, rtol=_RELATIVE, atol=_ABSOLUTE):
            raise Rejected("without its dead channels it answers otherwise")
    return small


def _zeros(
    module: nn.Module, weights: Sequence[str], share: float
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The parameters that lose channels, each with a mask that fits it: those of the layers with these
    weights, and of the batch norm behind each."""
    weighted = [(name, one) for name, one in module.named_modules() if "weight" in _own(one)]
    layers = {f"{name}.weight": (one, after) for (name, one), (_, after) in pairwise(weighted)}
    for layer, after in (layers[name] for name in weights if name in layers):
        own, axis = _own(layer), 1 if isinstance(layer, _ConvTransposeNd) else 0
        is_dead = _smallest(own["weight"].detach().transpose(0, axis).flatten(1), share)
        yield own["weight"], is_dead.view([-1 if one == axis else 1 for one in range(own["weight"].dim())])
        if isinstance(after, _BatchNorm) and after.num_features == len(is_dead):
            yield from ((values, is_dead) for values in _own(after).values())
        if "bias" in own:
            yield own["bias"], is_dead


def _own(module: nn.Module) -> dict[str, torch.Tensor]:
    return dict(module.named_parameters(recurse=False))


def _smallest(rows: torch.Tensor, share: float) -> torch.Tensor:
    """Which share of the rows has the least sum of magnitudes; never all of them."""
    sums = rows.abs().sum(1)
    is_dead = torch.zeros(len(sums), dtype=torch.bool)
    is_dead[sums.argsort()[: min(int(share * len(sums)), len(sums) - 1)].cpu()] = True
    return is_dead
