"""The sounds of a model's data, as its newest version has learnt them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from knoll.ports import Platform
from knoll.views.newest import newest_signature

__all__ = ["SoundsView", "find_sounds", "sounds_document"]


@dataclass(frozen=True)
class SoundsView:
    """What `version` learnt from: all `seconds` at a `rate` in Hz. So many files have each of the `rates`,
    and each number of `channels`."""

    version: str
    rate: int
    seconds: float
    rates: Mapping[int, int]
    channels: Mapping[int, int]

    @property
    def files(self) -> int:
        """How many sounds there are."""
        return sum(self.rates.values())


def find_sounds(platform: Platform, model: str) -> SoundsView | None:
    """The sounds of the newest version; None if there is no version, or if it has learnt no sounds."""
    version, signature = newest_signature(platform, model) or ("", None)
    for one in (*signature.inputs, *signature.outputs) if signature else ():
        if told := one.options.get("sounds"):
            return SoundsView(
                version, told["rate"], told["seconds"], _counts(told["rates"]), _counts(told["channels"])
            )
    return None


def sounds_document(found: SoundsView | None) -> dict[str, Any] | None:
    """The sounds as `-o json` shows them."""
    return {**asdict(found), "files": found.files} if found else None


def _counts(told: Mapping[str, int]) -> Mapping[int, int]:
    """JSON has texts as keys."""
    return {int(key): count for key, count in told.items()}
