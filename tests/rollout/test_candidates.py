"""Which version is next, and that finding it costs no more when there have been many."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from knoll.adapters.store_memory import MemoryStore
from knoll.models import Model, parse_model
from knoll.names import manifest_uri, version_name, version_uri
from knoll.ports import ObjectInfo, Platform
from knoll.rollout.candidates import newest_untried
from knoll.rollout.slot import Slot
from knoll.settings import Settings

ROOT = "s3://knoll-models"


class Counting(MemoryStore):
    """A store that counts what it lists."""

    listed = 0

    def list(self, prefix: str, *, after: str = "") -> Any:
        """As the contract says."""
        found: list[ObjectInfo] = [*super().list(prefix, after=after)]
        self.listed += len(found)
        return iter(found)


@pytest.fixture
def model() -> Model:
    document = {"apiVersion": "knoll.dev/v1alpha1", "kind": "Model", "metadata": {"name": "digits"}}
    return parse_model({**document, "spec": {"family": "image-classifier", "dataset": {"uri": "s3://data/digits/"}}})


def platform_with(*numbers: int) -> tuple[Platform, Counting]:
    store = Counting(lambda: datetime(2026, 1, 1, tzinfo=UTC))
    for number in numbers:
        store.put(version_uri(ROOT, "digits", version_name(number)) + "model.onnx", b"")
        store.put(manifest_uri(ROOT, "digits", version_name(number)), b"{}")
    nothing: Any = None
    return Platform(store, nothing, nothing, nothing, nothing, Settings(home=Path())), store


@pytest.mark.parametrize(
    ("numbers", "champion", "quarantined", "wanted"),
    [
        ((), "", (), ""),
        ((1, 2), "", (), "v000002"),
        ((1, 2), "v000002", (), ""),
        ((1, 2, 3), "v000001", ("v000003",), ""),
        ((1, 2, 3, 4), "v000001", ("v000003",), "v000004"),
        ((2, 3), "v000001", (), "v000003"),
        ((5,), "", ("v000009",), ""),
        ((999_998, 999_999, 1_000_000), "v999998", (), "v999999"),
        ((999_998, 999_999, 1_000_000), "v999999", (), "v1000000"),
        ((999_999, 1_000_000, 1_000_001), "v1000000", (), "v1000001"),
    ],
)
def test_the_newest_version_is_tried_unless_it_or_a_newer_one_was(
    model: Model, numbers: tuple[int, ...], champion: str, quarantined: tuple[str, ...], wanted: str
) -> None:
    """Also where those that were tried are gone, and where numbers outgrow their six digits."""
    platform, _ = platform_with(*numbers)
    assert newest_untried(model, Slot(champion=champion, quarantine=dict.fromkeys(quarantined, "bad")), platform) == wanted


def test_versions_from_before_the_champion_are_not_listed(model: Model) -> None:
    """However many there are: the files of the champion and of what came after it are all that is listed."""
    platform, store = platform_with(*range(1, 1001))
    assert newest_untried(model, Slot(champion="v000999"), platform) == "v001000"
    assert store.listed <= 4
