"""The model card of a version, and what became of the version since it was written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from knoll.errors import NotFound
from knoll.names import join
from knoll.ports import Platform
from knoll.records.curves import CURVES
from knoll.records.manifest import CARD, read_file
from knoll.records.rollout import last_decision
from knoll.records.version_folder import version_folder
from knoll.views.models import find_model
from knoll.views.rollouts import read_steps
from knoll.views.verdicts import LastDecision, verdict_document, verdict_of
from knoll.views.versions import read_version, version_names

__all__ = ["Card", "card_document", "read_card"]


@dataclass(frozen=True)
class Card:
    """The card of a version. `text` is Markdown, and `front_matter` the YAML that stood before it. `curves`
    is where the curves of its training are; "" if it has none.

    `state` is that of the version. `verdict` is what its rollout has decided last, `decided_at` when, and
    `checks` has each number that the gate has looked at, with its bounds. `left_out` says how many steps of
    the rollout only a newer knoll understands; "" for none.
    """

    model: str
    version: str
    front_matter: str
    text: str
    curves: str = ""
    state: str = ""
    verdict: LastDecision = field(default_factory=LastDecision)
    decided_at: str = ""
    checks: Mapping[str, Any] = field(default_factory=dict)
    left_out: str = ""


def read_card(platform: Platform, model: str, version: str = "") -> Card:
    """The card of a version. Without a version: of the champion, else of the newest. Raises NotFound."""
    wanted = version or find_model(platform, model).champion
    wanted = wanted or next(iter(version_names(platform, model)), "")
    if not wanted:
        raise NotFound(f"model {model}: it has no version yet", fix=f"knoll runs {model} -w")
    shown = read_version(platform, model, wanted)
    files = shown.manifest.files
    if CARD not in files:
        raise NotFound(
            f"{model} {wanted}: it has no card", fix=f"knoll why {model} {wanted} tells its numbers"
        )
    front, text = _split(read_file(model, wanted, CARD, platform.bucket).decode(errors="replace"))
    folder = version_folder(model, wanted, platform.bucket)
    steps = read_steps(platform, model, wanted)
    last = last_decision(steps.shown)
    return Card(
        *(model, wanted, front, text),
        curves=join(folder.uri, CURVES) if CURVES in files else "",
        state=shown.state,
        verdict=verdict_of(last.action, last.reason, last.version) if last else LastDecision(),
        decided_at=last.at if last else "",
        checks=next((one.gate for one in reversed(steps.shown) if one.gate), {}),
        left_out=steps.left_out,
    )


def card_document(card: Card, front_matter: Any) -> dict[str, Any]:
    """The card as `-o json` shows it, with the values of its front matter."""
    return {
        "model": card.model,
        "version": card.version,
        "state": card.state,
        "frontMatter": front_matter,
        "card": card.text,
        "curves": card.curves,
        "checks": dict(card.checks),
        "verdict": verdict_document(card.verdict),
    }


def _split(text: str) -> tuple[str, str]:
    """The front matter between two lines of dashes, and the rest."""
    if not text.startswith("---\n"):
        return "", text
    front, dashes, rest = text[4:].partition("\n---\n")
    return (f"{front}\n", rest.lstrip("\n")) if dashes else ("", text)
