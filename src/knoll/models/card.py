"""The fields of a Model that its owner tells the readers of its model cards."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from knoll.models.dataset import Spec
from knoll.models.units import form
from knoll.quoting import shown

__all__ = ["CardSpec"]

_LICENSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,63}")
_LONGEST, _SENTENCE, _MOST = 4000, 500, 20


def _checked(license: str | None) -> str | None:
    if license is not None and not _LICENSE.fullmatch(license):
        raise ValueError(f"{shown(license)} is not an identifier such as apache-2.0, cc-by-4.0 or other")
    return license


Prose = Annotated[str, Field(min_length=1, max_length=_LONGEST)]
Sentence = Annotated[str, Field(min_length=1, max_length=_SENTENCE)]


class CardSpec(Spec):
    """What the model card says beside the numbers. A change of it trains nothing: the next version has it."""

    description: Annotated[Prose | None, form("text", none="none")] = Field(
        default=None, description="What the model is, in some sentences; an empty line begins a paragraph"
    )
    intended_use: Annotated[Prose | None, form("text", none="a sentence of the family")] = Field(
        default=None, description="What it is made for"
    )
    limits: Annotated[tuple[Sentence, ...], Field(strict=False, max_length=_MOST)] = Field(
        default=(),
        description="What it is not good for, beside what the family and the numbers say",
        json_schema_extra={"unit": "sentences"},
    )
    license: Annotated[str | None, AfterValidator(_checked), form("an identifier", none="unknown")] = Field(
        default=None,
        description="Licence of the versions, as the Hugging Face hub names it: `apache-2.0`, `cc-by-4.0`, "
        "`other`",
    )
    attribution: Annotated[Prose | None, form("text", none="none")] = Field(
        default=None, description="Who made the data, and how they must be named"
    )
