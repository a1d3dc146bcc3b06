"""The families that `spec.family` can name: one line each.

A family's module is imported when the family is asked for, so that a name can be checked, and completed,
without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from knoll.data_layout import Form
from knoll.errors import InvalidModel
from knoll.models.wording import did_you_mean

if TYPE_CHECKING:
    from knoll.families.base import Family

__all__ = ["FAMILIES", "check_family", "find_family", "form_of"]

FAMILIES = {
    "image-classifier": "knoll.families.image:ImageClassifier",
    "dcgan": "knoll.families.dcgan:Dcgan",
}

_FORMS = {
    "image-classifier": Form(takes_pictures=True, has_classes=True),
    "dcgan": Form(takes_pictures=True),
}


def form_of(name: str) -> Form:
    """What the family of that name makes of keys, so that data can be checked without torch."""
    return _FORMS.get(name, Form())


def find_family(name: str) -> "Family[Any]":
    """The family of that name. Raises InvalidModel if there is none."""
    check_family(name)
    module, _, attribute = FAMILIES[name].partition(":")
    family: Family[Any] = getattr(import_module(module), attribute)()
    return family


def check_family(name: str) -> None:
    """Raise InvalidModel if there is no family of that name."""
    if name not in FAMILIES:
        raise InvalidModel(
            f"spec.family: there is no family {name!r}{did_you_mean(name, FAMILIES)}",
            fix="one of: " + ", ".join(sorted(FAMILIES)),
        )
