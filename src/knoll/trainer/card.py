"""The model card: a version's README.md, in the form of the Hugging Face hub.

If the same run is published again, the text is the same, so it has no time of its making in it. A part that
cannot be made is left out, and named in the notes.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from knoll.markdown import bullets, code, cut, literal, paragraph, paragraphs, section, table
from knoll.records.curves import CURVES_PICTURE
from knoll.trainer.card_calls import calls_section
from knoll.trainer.card_compression import compression_section
from knoll.trainer.card_data import data_section
from knoll.trainer.card_facts import CardFacts
from knoll.trainer.card_front import front_matter
from knoll.trainer.card_gate import gate_section
from knoll.trainer.card_scores import metrics_section, parts_section
from knoll.trainer.card_training import training_section
from knoll.trainer.card_use import licence_section, use_section
from knoll.trainer.report import leave_out

__all__ = ["RERUN_TOLERANCE", "model_card"]

RERUN_TOLERANCE = 0.02  # of metrics, where a rerun rounds in another way
_LONGEST_VALUE = 60  # characters of a value of the config


def model_card(facts: CardFacts, version: str, say: Callable[[str], None]) -> str:
    """The card in Markdown. `say` is told of each part that is left out."""
    notes = list(facts.notes)
    made = [_front(facts, say, notes), _title(facts, version)]
    for name, make in _SECTIONS.items():
        with leave_out(f"the part of the card on {name}", say, notes):
            made.append(make(facts))
    made.append(section("Notes", bullets(map(literal, notes))))
    return "\n\n".join(one for one in made if one) + "\n"


def _front(facts: CardFacts, say: Callable[[str], None], notes: list[str]) -> str:
    with leave_out("the front matter of the card", say, notes):
        return front_matter(facts)
    return ""


def _title(facts: CardFacts, version: str) -> str:
    run = facts.run
    origin = f"A model of the family `{run.family}`, trained by run `{run.id}`."
    described = map(paragraph, paragraphs(facts.declared.description or ""))
    return "\n\n".join([f"# {run.model} {version}", *described, paragraph(origin)])


def _config(facts: CardFacts) -> str:
    """Every field; the manifest has the whole of a long value."""
    return section("Config", table(("field", "value"), ((name, _value(one)) for name, one in _fields(facts))))


def _fields(facts: CardFacts) -> list[tuple[str, Any]]:
    run = facts.run
    how = {
        "processes": run.processes,
        "keep": run.keep,
        "patience": run.patience or None,
        "maxBad": run.most_bad,
    }
    return [*facts.config.items(), *((f"training.{name}", one) for name, one in how.items())]


def _value(value: Any) -> str:
    return code(cut(json.dumps(value, ensure_ascii=False), _LONGEST_VALUE))


def _repeat(facts: CardFacts) -> str:
    return section(
        "Repeat it",
        f"The seed of all random numbers is `{facts.config.get('seed')}`. On a CPU, a training with the same "
        "data, config, packages, threads and processes ends with the same weights to the last bit; "
        "[`manifest.json`](manifest.json) has all of these, and every file with its sha256. With other "
        "numbers of threads or processes, or on a GPU, sums are rounded in another way, and metrics may "
        f"differ by {RERUN_TOLERANCE:g}.",
    )


def _pictures(facts: CardFacts) -> str:
    names = sorted({*facts.pictures} - {CURVES_PICTURE})
    return section("Pictures", *(f"![{name}]({name})" for name in names))


# The parts of a card, in their order. A new one is a function in a module of its own, and a line here.
_SECTIONS: Mapping[str, Callable[[CardFacts], str]] = {
    "use and limits": use_section,
    "metrics": metrics_section,
    "parts of the examples": parts_section,
    "the gate": gate_section,
    "data": data_section,
    "training": training_section,
    "compression": compression_section,
    "config": _config,
    "repeating": _repeat,
    "calls": calls_section,
    "pictures": _pictures,
    "licence and attribution": licence_section,
}
