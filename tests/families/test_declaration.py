"""A config is taken as it is written."""

from typing import Any

import pytest

from knoll.errors import InvalidModel, Rejected
from knoll.families.declaration import Declaration, FamilyConfig


class _Config(FamilyConfig):
    flip: bool = False
    sides: tuple[int, ...] = ()


class _Declared(Declaration[_Config]):
    name, task, metrics, config_type = "declared", "none", (), _Config


@pytest.mark.parametrize(
    "config",
    [
        *({"epochs": value} for value in ("10", "1_0", True, 10.0, None, [10])),
        *({"learningRate": value} for value in ("1e-3", " 0.001 ", True, float("nan"))),
        *({"seed": False}, {"flip": 1}, {"flip": "yes"}, {"flip": "off"}, {"sides": ["1"]}),
    ],
)
def test_no_value_is_converted(config: dict[str, Any]) -> None:
    """Else one training would have several identities. A Model that is stored with one is told its fault,
    and its run is rejected."""
    (name,) = config
    with pytest.raises(InvalidModel, match=rf"spec\.training\.config\.{name}") as raised:
        _Declared().configure(config)
    assert isinstance(raised.value, Rejected)


def test_a_whole_number_is_a_number_and_a_list_a_tuple() -> None:
    found = _Declared().configure({"epochs": 10, "learningRate": 1, "flip": True, "sides": [1, 2]})
    assert (found.epochs, found.learning_rate, found.flip, found.sides) == (10, 1.0, True, (1, 2))
