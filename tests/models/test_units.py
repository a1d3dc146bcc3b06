"""Durations are shown as a Model has them."""

import pytest

from knoll.models.spec import LandedSpec
from knoll.models.units import as_duration


@pytest.mark.parametrize("text", ["0s", "0.5s", "30s", "1m30s", "10m", "2h", "1h30m", "100000h59m59.25s"])
def test_a_duration_is_shown_as_it_was_written(text: str) -> None:
    seconds = LandedSpec.model_validate({"quiet": text}).quiet
    assert as_duration(seconds) == text
