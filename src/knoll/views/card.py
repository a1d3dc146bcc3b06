"""The model card of a version."""

from dataclasses import dataclass
from typing import Any

from knoll.errors import NotFound
from knoll.names import join
from knoll.ports import Platform
from knoll.records.curves import CURVES
from knoll.records.manifest import CARD, read_file
from knoll.records.version_folder import version_folder
from knoll.views.models import find_model
from knoll.views.versions import read_version, version_names

__all__ = ["Card", "card_document", "read_card"]


@dataclass(frozen=True)
class Card:
    """The card of a version. `text` is Markdown, and `front_matter` the YAML that stood before it. `curves`
    is where the curves of its training are; "" if it has none."""

    model: str
    version: str
    front_matter: str
    text: str
    curves: str = ""


def read_card(platform: Platform, model: str, version: str = "") -> Card:
    """The card of a version. Without a version: of the champion, else of the newest. Raises NotFound."""
    wanted = version or find_model(platform, model).champion
    wanted = wanted or next(iter(version_names(platform, model)), "")
    if not wanted:
        raise NotFound(f"model {model}: it has no version yet", fix=f"knoll runs {model} -w")
    made = read_version(platform, model, wanted).manifest
    if CARD not in made.files:
        raise NotFound(
            f"{model} {wanted}: it has no card", fix=f"knoll why {model} {wanted} tells its numbers"
        )
    text = read_file(model, wanted, CARD, platform.bucket).decode(errors="replace")
    front, text = _split(text)
    folder = version_folder(model, wanted, platform.bucket)
    return Card(model, wanted, front, text, join(folder.uri, CURVES) if CURVES in made.files else "")


def card_document(card: Card) -> dict[str, Any]:
    """The card as `-o json` shows it."""
    told = {"frontMatter": card.front_matter, "card": card.text, "curves": card.curves}
    return {"model": card.model, "version": card.version, **told}


def _split(text: str) -> tuple[str, str]:
    """The front matter between two lines of dashes, and the rest."""
    if not text.startswith("---\n"):
        return "", text
    front, dashes, rest = text[4:].partition("\n---\n")
    return (f"{front}\n", rest.lstrip("\n")) if dashes else ("", text)
