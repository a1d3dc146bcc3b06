"""The part of a model card on the course of the training."""

from collections.abc import Iterator, Sequence

from knoll.markdown import bullets, cut, literal, section, table
from knoll.records.curves import CURVES, CURVES_PICTURE, CurvePoint
from knoll.trainer.card_facts import CardFacts

__all__ = ["training_section"]

_MOST_POINTS = 10
_MOST_LOSSES, _LONGEST = 2, 14  # more, or longer names, are wider than a screen


def training_section(facts: CardFacts) -> str:
    """Its steps, how they were computed, losses at some of them, and the picture of its curves."""
    curves, resumed = facts.curves, ", ".join(map(str, facts.curves.resumed))
    losses = list(dict.fromkeys(name for point in curves.points for name in point.train))[:_MOST_LOSSES]
    names = [literal(cut(name, _LONGEST)) for name in losses]
    head = ("step", "epoch", *names, *(f"{one} held out" for one in names))
    return section(
        "Training",
        f"{curves.steps} steps. [`{CURVES}`]({CURVES}) has {len(curves.points)} points of it: losses in "
        f"training, losses and metrics on {curves.held_out} of the held-out examples, and learning rates.",
        "How it computed:",
        bullets(literal(f"{name} {choice}: {why}") for name, choice, why in facts.how.told()),
        "Some losses:" if losses else "",
        table(head, _rows(curves.points, losses)) if losses else "",
        f"It went on from a checkpoint after step {resumed}." if resumed else "",
        f"![{CURVES_PICTURE}]({CURVES_PICTURE})" if CURVES_PICTURE in facts.pictures else "",
    )


def _rows(points: Sequence[CurvePoint], losses: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Some points at equal distances, the last one among them."""
    for one in points[:: -max(1, -(-len(points) // _MOST_POINTS))][::-1]:
        told = (side.get(name) for side in (one.train, one.held_out) for name in losses)
        yield str(one.step), str(one.epoch), *("" if value is None else f"{value:.4g}" for value in told)
