"""A model card in Markdown, with what became of its version."""

import re

from knoll.gate import checks_table
from knoll.markdown import code, literal, minute, section
from knoll.views.card import Card

__all__ = ["card_markdown", "without_links"]

_LINK = re.compile(r"\[(`[^`]+`)\]\([^()\s]+\)")  # of a file of the version


def card_markdown(card: Card) -> str:
    """The card, and behind it what was decided about the version, with the numbers of the gate then."""
    return f"{card.text.rstrip()}\n\n{_since(card)}\n"


def without_links(text: str) -> str:
    """The card for a terminal, which cannot follow a link to a file of the version."""
    return _LINK.sub(r"\1", text)


def _since(card: Card) -> str:
    verdict = card.verdict
    told = f"{verdict.name}, at {minute(card.decided_at)}: {literal(verdict.reason)}." if verdict.name else ""
    return section(
        "What became of it",
        f"It is {code(card.state)}." if card.state else "",
        told or "No rollout has looked at it yet.",
        *checks_table(card.checks),
        f"Curves: {code(card.curves)}" if card.curves else "",
    )
