"""The parts of a model card that say what the version is for, what it is not, and who must be named."""

from knoll.markdown import bullets, code, paragraphs, section
from knoll.quantities import counted
from knoll.trainer.card_facts import CardFacts
from knoll.trainer.card_scores import not_better

__all__ = ["licence_section", "use_section"]

_ROUGH = 100  # held-out examples: with fewer, each moves a share by a percent or more


def use_section(facts: CardFacts) -> str:
    """The use that the owner of the Model has declared, else that of its family, and the limits."""
    told = paragraphs(facts.declared.intended_use or "") or [facts.use]
    return section("Intended use and limits", *told, bullets(_limits(facts)))


def licence_section(facts: CardFacts) -> str:
    """Licence and attribution."""
    license, attribution = facts.declared.license, facts.declared.attribution
    return section(
        "Licence and attribution",
        f"Licence: {code(license)}."
        if license
        else "Nothing is known of a licence: the owner of the data says what may be done with it.",
        *paragraphs(attribution or ""),
    )


def _limits(facts: CardFacts) -> list[str]:
    """What the version is not good for, as far as its owner, its family and its numbers tell."""
    held_out, beaten = facts.data.held_out, not_better(facts)
    rough = f"Only {counted(held_out, 'example')} held out, so the metrics are rough." * (held_out < _ROUGH)
    naive = f"It is not better than the naive baseline in {', '.join(beaten)}." if beaten else ""
    always = "Its metrics are of data like that of its training; of other data they say nothing."
    declared = (" ".join(paragraphs(one)) for one in facts.declared.limits)
    return [one for one in (*declared, *facts.limits, naive, rough, always) if one]
