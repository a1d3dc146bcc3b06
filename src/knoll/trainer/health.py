"""The health of a training: which of the signs that its family names are ill, how long, and what follows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from knoll.errors import Rejected
from knoll.families.base import Sign

__all__ = ["Health", "Illness", "Unhealthy", "health_of", "look_at", "refuse_if_ill"]

_LOOKS, _STEPS = 3, 50  # a sign that is ill for so long does not recover by itself


class Unhealthy(Rejected):
    """What was trained may not be published. The same data and config would end in the same way."""


@dataclass(frozen=True)
class Illness:
    """A sign that is ill since the look after step `since`, at so many looks in a row."""

    since: int
    looks: int = 1
    is_told: bool = False

    def lasts(self, step: int) -> bool:
        """Whether it is more than one of the bad moments that a training may have, above all at its
        beginning."""
        return self.looks >= _LOOKS and step - self.since >= _STEPS


@dataclass(frozen=True)
class Health:
    """The illnesses by the names of the signs, and why no version may be made of the training as it is
    now."""

    ill: Mapping[str, Illness] = field(default_factory=dict)
    faults: tuple[str, ...] = ()


def look_at(health: Health, signs: Sequence[Sign], step: int) -> tuple[Health, tuple[str, ...]]:
    """The health after a look at the signs, and what people should be told now."""
    ill = {one.name: _longer(health.ill.get(one.name), step) for one in signs if one.is_ill}
    lasting = {name for name, one in ill.items() if one.lasts(step)}
    news = tuple(f"step {step}: {one}" for one in signs if one.name in lasting and not ill[one.name].is_told)
    told = {name: Illness(one.since, one.looks, name in lasting) for name, one in ill.items()}
    faults = (str(one) for one in signs if one.name in lasting or (one.is_ill and one.is_served))
    return Health(told, tuple(faults)), news


def refuse_if_ill(faults: Sequence[str]) -> None:
    """Raise Unhealthy if there are faults."""
    if faults:
        advice = "train longer or on more data, or change learningRate"
        raise Unhealthy(f"no version is published: {'; '.join(faults)}; {advice}")


def health_of(fields: Mapping[str, Any]) -> Health:
    """The health that `dataclasses.asdict` has made these fields of."""
    ill = {name: Illness(**one) for name, one in fields["ill"].items()}
    return Health(ill, tuple(fields["faults"]))


def _longer(before: Illness | None, step: int) -> Illness:
    return Illness(before.since, before.looks + 1, before.is_told) if before else Illness(step)
