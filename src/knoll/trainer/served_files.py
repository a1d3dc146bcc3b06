"""The graph of a version, the exported one or a compressed one, with the files that belong to it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from knoll.codecs import encode
from knoll.families.base import Export
from knoll.models.compression import CompressionSpec
from knoll.records.compression import COMPRESSION
from knoll.records.manifest import GRAPH
from knoll.records.samples import SAMPLES, Sample, Samples, encode_samples
from knoll.records.signature import SIGNATURE, Signature, with_files
from knoll.trainer.finished import FinishedTraining
from knoll.trainer.graph import export_graph, run_graph
from knoll.trainer.report import leave_out, say
from knoll.trainer.sharing import shares_runs

if TYPE_CHECKING:
    from knoll.trainer.compression import Compressed

__all__ = ["ServedFiles", "as_served", "make_served"]


@dataclass(frozen=True)
class ServedFiles:
    """The graph that is served, with its files, its samples, what else was tried, and whether requests share
    its runs."""

    files: Mapping[str, bytes]
    signature: Signature
    samples: Sequence[Sample]
    parity: Mapping[str, float]
    compressed: "Compressed | None" = None
    shares_runs: bool = False


def make_served(
    work: FinishedTraining, threads: int, tell: Callable[[str], None], notes: list[str]
) -> ServedFiles:
    """Export the networks, which are on the CPU, and try what the run asks for. Raises Rejected if the
    exported graph does not answer as they do."""
    export = work.family.export(work.trained.networks, work.examples, work.config)
    signature, exported = export.signature, export_graph(export, threads=threads)
    graph, outputs, tolerance = exported.body, exported.outputs, Samples.tolerance
    columns = [column.numpy() for column in export.sample_inputs]
    compressed = _compress(work, export, graph, threads, tell, notes)
    if compressed and compressed.served:
        graph, tolerance = compressed.served.graph, compressed.tolerance
        outputs = run_graph(graph, columns, threads=threads)
    named = {tensor.name: output for tensor, output in zip(signature.outputs, outputs, strict=True)}
    targets = export.targets or (None,) * len(export.samples)
    predictions = encode(named, with_files(signature, export.files))
    samples = list(map(Sample, export.samples, predictions, targets))
    files = {
        **export.files,
        GRAPH: graph,
        SIGNATURE: signature.encode(),
        SAMPLES: encode_samples(samples, tolerance),
    }
    if compressed:
        files[COMPRESSION] = compressed.record.encode()
    is_shared = False
    with leave_out("the race of shared runs", say, notes):
        is_shared = shares_runs(graph, signature, columns, threads, say)
    return ServedFiles(files, signature, samples, exported.parity, compressed, is_shared)


def _compress(
    work: FinishedTraining,
    export: Export,
    graph: bytes,
    threads: int,
    tell: Callable[[str], None],
    notes: list[str],
) -> "Compressed | None":
    """What became of the graphs that the run asks for; None if it asks for none."""
    if not work.run.compression:
        return None
    with leave_out("the compression", say, notes):
        # Its libraries take a second to import, and most runs ask for no graph.
        from knoll.trainer.compression import Subject, compress

        plan = CompressionSpec.model_validate(work.run.compression)
        exam = work.exam.examples if work.exam else None
        trained = work.trained.networks, export, graph, plan, exam, threads, work.trained.device
        subject = Subject(work.family, work.config, work.examples, *trained, work.find_champion)
        compressed = compress(subject, tell)
        for one in compressed.record.graphs:
            say(f"graph {one.name}: {one.why}")
        return compressed
    return None


def as_served(work: FinishedTraining, compressed: "Compressed | None") -> FinishedTraining:
    """With the scores of the graph that is served: a gate judges what users get."""
    if compressed is None or compressed.served is None:
        return work
    golden = replace(work.golden, metrics=compressed.served.golden) if work.golden else None
    return replace(work, scores=compressed.served.scores, golden=golden)
