"""Distillation: a smaller network of the family learns from the data and from what a larger one answers."""

from collections.abc import Iterator

import torch
from torch import nn

from knoll.errors import Rejected
from knoll.families.base import Batch, ServedGraph
from knoll.trainer.compression.learning import learn_more, own_losses
from knoll.trainer.compression.subject import Subject
from knoll.trainer.generators import borrowed_generators
from knoll.trainer.graph import export_graph, serve_graph
from knoll.trainer.task import Task

__all__ = ["distil"]


def distil(subject: Subject) -> bytes:
    """The graph of the smaller network. Raises Rejected if the family has none, or if the teacher has other
    inputs or outputs."""
    family, how = subject.family, subject.plan.distillation
    config = family.narrower(subject.config)
    if config is None:
        raise Rejected("this family has no smaller network")
    teacher = _teacher(subject)
    with borrowed_generators(config.seed, torch.device("cpu")):
        networks = family.build(config, subject.examples.about)
    module = family.export(networks, subject.examples, config).module
    networks.to(subject.device)
    module.to(subject.device)

    def losses(task: Task, networks: nn.ModuleDict, rows: Batch) -> Iterator[tuple[str, torch.Tensor]]:
        inputs = family.served_inputs(rows, config)
        wanted = teacher.answer(tuple(one.cpu() for one in inputs))
        answers = module(*inputs)
        answers = answers if isinstance(answers, tuple) else (answers,)
        taught = family.imitation(answers, tuple(one.to(subject.device) for one in wanted))
        for name, loss in own_losses(task, networks, rows):
            yield name, loss + taught

    learn_more(subject, networks, config, how.epochs or subject.config.epochs, losses)
    return export_graph(family.export(networks, subject.examples, config), threads=subject.threads).body


def _teacher(subject: Subject) -> ServedGraph:
    if subject.plan.distillation.teacher == "trained":
        return serve_graph(subject.export.signature, subject.graph, threads=subject.threads)
    champion = subject.find_champion()
    if champion.signature != subject.export.signature:
        raise Rejected("the champion has other inputs or outputs")
    return champion
