"""The families that `spec.family` can name: one line each.

Modules are imported when a family is asked for. What a family declares can be read without its networks if it
stands in a module of its own, and so without torch.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from knoll.data_layout import Form
from knoll.errors import Fault, InvalidModel
from knoll.media_types import JSON, PNG
from knoll.quoting import did_you_mean

if TYPE_CHECKING:
    from knoll.families.base import Family
    from knoll.families.declaration import Declaration

__all__ = ["FAMILIES", "FamilyPlace", "check_family", "find_declaration", "find_family", "form_of"]


@dataclass(frozen=True)
class FamilyPlace:
    """Where the class of a family is, and that of its declaration. If the declaration is left out, the family
    is imported to read it. `example` is the folder below examples/ with its Model and data, and `shown_as`
    the media type of an answer that people can see."""

    family: str
    declaration: str = ""
    example: str = ""
    shown_as: str = JSON


FAMILIES: dict[str, FamilyPlace] = {
    "image-classifier": FamilyPlace(
        "knoll.families.image.family:ImageClassifier",
        "knoll.families.image.declaration:ImageDeclaration",
        "digits",
    ),
    "dcgan": FamilyPlace(
        "knoll.families.dcgan.family:Dcgan",
        "knoll.families.dcgan.declaration:DcganDeclaration",
        "textures",
        PNG,
    ),
    "text-classifier": FamilyPlace(
        "knoll.families.text.family:TextClassifier",
        "knoll.families.text.declaration:TextDeclaration",
        "text",
    ),
    "tabular": FamilyPlace(
        "knoll.families.tabular.family:Tabular",
        "knoll.families.tabular.declaration:TabularDeclaration",
        "tabular",
    ),
    "traffic-forecast": FamilyPlace(
        "knoll.families.traffic.family:TrafficForecast",
        "knoll.families.traffic.declaration:TrafficDeclaration",
        "traffic",
        PNG,
    ),
    "recommender": FamilyPlace(
        "knoll.families.recommender.family:Recommender",
        "knoll.families.recommender.declaration:RecommenderDeclaration",
        "recommender",
    ),
}


def find_family(name: str) -> "Family[Any]":
    """The family of that name. Raises InvalidModel if there is none."""
    check_family(name)
    family: Family[Any] = _imported(FAMILIES[name].family)()
    return family


def find_declaration(name: str) -> "Declaration[Any] | None":
    """What the family of that name declares. None if it is declared beside its networks, and they need a
    library that is not installed here. Raises InvalidModel if there is no such family."""
    check_family(name)
    place = FAMILIES[name]
    try:
        declaration: Declaration[Any] = _imported(place.declaration or place.family)()
    except ModuleNotFoundError as error:
        if str(error.name).startswith("knoll"):
            raise
        return None
    return declaration


def form_of(name: str) -> Form:
    """What the family of that name makes of keys. All keys are data if nobody knows."""
    declaration = find_declaration(name) if name in FAMILIES else None
    return declaration.form if declaration else Form()


def check_family(name: str) -> None:
    """Raise InvalidModel if there is no family of that name."""
    if name not in FAMILIES:
        what = f"there is no family {name!r}{did_you_mean(name, FAMILIES)}"
        known = "one of: " + ", ".join(sorted(FAMILIES))
        fault = Fault(("spec", "family"), f"{what} ({known})")
        raise InvalidModel(f"spec.family: {what}", fix=known, faults=[fault])


def _imported(place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)
