"""How the champion did on the held-out examples of a newer version, in the manifest of that version."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import GetPydanticSchema, with_config

from knoll.records.record import LENIENT, Numbers

__all__ = ["ChampionScore", "Slices"]

Slices = Annotated[
    Mapping[str, Numbers], GetPydanticSchema(lambda _, handler: handler(dict[str, dict[str, float]]))
]


@with_config(LENIENT)
@dataclass(frozen=True)
class ChampionScore:
    """The scores of the version that was the champion when the newer one was trained. `manifest_sha256` is
    its pin. `slices` has metrics of parts of the examples: by metric, and then by part."""

    version: str
    manifest_sha256: str
    metrics: Numbers
    slices: Slices = field(default_factory=dict)
