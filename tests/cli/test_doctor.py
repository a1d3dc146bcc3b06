"""`knoll doctor` asks the store for a write, and shows what it answers."""

import json
from typing import Any

import pytest

from cli.declared import Knoll
from knoll.adapters.store_s3 import S3Store
from knoll.errors import StoreUnavailable
from knoll.ports import Platform


def test_a_store_that_takes_no_writes_is_named(
    knoll: Knoll, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> str:
        raise StoreUnavailable("the disk is full", fix="make room")

    monkeypatch.setattr(S3Store, "put", refuse)
    shown = knoll("doctor", "-o", "json")
    (found,) = json.loads(shown.stdout)["findings"]
    assert (shown.exit_code, found["place"], found["fix"]) == (1, "writes to the store", "make room")
    assert "the disk is full" in found["what"]


def test_the_write_leaves_nothing(knoll: Knoll, platform: Platform) -> None:
    assert "writes to the store" in knoll("doctor").stderr
    assert list(platform.store.list(f"{platform.settings.model_root}/")) == []


def test_what_the_platform_says_of_its_own_health_is_named(
    knoll: Knoll, platform: Platform, health: Any
) -> None:
    """The platform looks where a command cannot: into the parts behind the store."""
    health.fault = "the store has no free volume"
    shown = knoll("doctor", "-o", "json")
    (found,) = json.loads(shown.stdout)["findings"]
    assert (shown.exit_code, found["place"], found["what"]) == (1, "the platform", health.fault)
