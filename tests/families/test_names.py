"""Names of families can be checked where torch is not installed: in functions and in a small CLI."""

import subprocess
import sys

import pytest

from knoll.errors import InvalidModel
from knoll.families import FAMILIES, check_family, find_family

WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # any import of it fails
from knoll.families import FAMILIES, check_family
for name in FAMILIES:
    check_family(name)
"""


def test_a_name_is_checked_without_torch() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_TORCH], check=True, timeout=60)


@pytest.mark.parametrize("name", FAMILIES)
def test_each_line_leads_to_a_family_of_that_name(name: str) -> None:
    """It has a config with defaults, and metrics that a gate can ask for."""
    family = find_family(name)
    assert family.name == name
    assert family.config_type.model_fields["epochs"].default >= 1
    assert family.metrics


def test_an_unknown_name_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(InvalidModel, match="no family 'dcgam'") as caught:
        check_family("dcgam")
    assert caught.value.fix == "one of: " + ", ".join(sorted(FAMILIES))
