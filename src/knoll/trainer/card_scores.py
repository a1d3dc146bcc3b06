"""The parts of a model card with its scores: metrics beside those of others, parts of the
examples."""

from collections.abc import Iterable, Iterator, Mapping

from knoll.families.base import Metric
from knoll.markdown import cut, literal, section, table
from knoll.quantities import counted
from knoll.trainer.card_facts import CardFacts

__all__ = ["metrics_section", "not_better", "parts_section"]

_MOST_PARTS = 50


def metrics_section(facts: CardFacts) -> str:
    """The metrics beside those of the champion and of a naive answer, and those on the golden set."""
    golden, baseline, champion = facts.golden, facts.baseline, facts.champion
    beside = {
        **({f"champion {champion.version}": champion.metrics} if champion else {}),
        **({"naive baseline": baseline.metrics} if baseline else {}),
    }
    told = [
        "On the held-out examples, which the network has not seen in training.",
        _values(facts.metrics, facts.kinds, beside),
        f"The naive baseline: {baseline.what}." if baseline else "",
    ]
    if golden:
        told += [
            f"On the golden set, which does not come with the data: {counted(golden.count, 'example')}, "
            f"digest `{golden.digest}`.",
            _values(golden.metrics, facts.kinds, {}),
        ]
    return section("Metrics", *told)


def parts_section(facts: CardFacts) -> str:
    """The metrics of parts of the held-out examples, the worst part of each first."""
    return section("Parts of the held-out examples", *(_parts(facts, metric) for metric in facts.slices))


def not_better(facts: CardFacts) -> list[str]:
    """The metrics in which a naive answer is as good."""
    naive, ours = facts.baseline.metrics if facts.baseline else {}, facts.metrics
    signs = {
        one.name: 1 if one.better == "more" else -1 for one in facts.kinds if one.name in {*naive} & {*ours}
    }
    return [name for name, sign in signs.items() if sign * ours[name] <= sign * naive[name]]


def _values(
    metrics: Mapping[str, float], kinds: Iterable[Metric], beside: Mapping[str, Mapping[str, float]]
) -> str:
    """A row for each metric, with a column for each of those that stand beside it."""
    better = {one.name: one.better for one in kinds}
    rows = (
        (
            literal(name),
            *(_number(one.get(name)) for one in (metrics, *beside.values())),
            better.get(name, ""),
        )
        for name in sorted(metrics)
    )
    return table(("metric", "value", *beside, "better is"), rows)


def _parts(facts: CardFacts, metric: str) -> str:
    old = facts.champion.slices.get(metric, {}) if facts.champion else {}
    ours = sorted(facts.slices[metric].items(), key=lambda one: one[1])
    champion = f"champion {facts.champion.version}" if facts.champion else ""
    return table(("part", metric, champion), _part_rows(ours, old))


def _part_rows(ours: list[tuple[str, float]], old: Mapping[str, float]) -> Iterator[tuple[str, str, str]]:
    yield from (
        (literal(cut(part)), _number(one), _number(old.get(part))) for part, one in ours[:_MOST_PARTS]
    )
    if rest := ours[_MOST_PARTS:]:
        yield f"{len(rest)} better parts", f"≥ {_number(rest[0][1])}", ""


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
