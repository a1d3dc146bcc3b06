"""The part of a model card that says which graphs were tried, and which one is served."""

from knoll.markdown import bullets, code, literal, section, table
from knoll.records.compression import COMPRESSION, EXPORTED, TriedGraph
from knoll.records.manifest import GRAPH
from knoll.trainer.card_facts import CardFacts

__all__ = ["compression_section"]


def compression_section(facts: CardFacts) -> str:
    """A table of all of them, the losers too; "" if nothing was tried."""
    record = facts.compression
    if record is None:
        return ""
    metric = literal(record.metric)
    of_network = "The weights, curves and pictures are those of the network that was trained."
    return section(
        "Compression",
        f"The graph in [`{GRAPH}`]({GRAPH}) is `{record.served}`. {metric} is that of the graphs on the "
        f"held-out examples, of which a share of {record.max_loss:g} might be lost. Each was timed in turn "
        f"with `{EXPORTED}`, with one example and one thread, on this CPU: {literal(record.machine)}. "
        f"[`{COMPRESSION}`]({COMPRESSION}) has more digits.",
        table(
            ("graph", "bytes", "p50 in ms", metric, "time"),
            (_row(one) for one in record.graphs),
        ),
        bullets(f"{code(one.name)}: {literal(one.why)}" for one in record.graphs),
        of_network if record.served != EXPORTED else "",
    )


def _row(one: TriedGraph) -> tuple[str, ...]:
    return (
        one.name,
        "" if one.size is None else str(one.size),
        "" if one.latency_ms is None else f"{one.latency_ms:.4g}",
        "" if one.quality is None else f"{one.quality:.4g}",
        "" if one.ratio is None else f"{one.ratio:.2f}×",
    )
