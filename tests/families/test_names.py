"""What families declare can be read where torch is not installed: in functions and in a small CLI."""

import subprocess
import sys

import pytest

from knoll.errors import InvalidModel
from knoll.families import FAMILIES, FamilyPlace, check_family, find_declaration, find_family

WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # any import of it fails
from knoll.families import FAMILIES, find_declaration, form_of
for name, place in FAMILIES.items():
    declared = find_declaration(name)
    assert declared if place.declaration else declared is None
    assert form_of(name) == (declared.form if declared else form_of("unknown"))
"""


def test_what_a_family_declares_is_read_without_torch() -> None:
    """If it is declared beside the networks, it is not known there."""
    subprocess.run([sys.executable, "-c", WITHOUT_TORCH], check=True, timeout=60)


def test_a_family_of_one_module_declares_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, "column-mean", FamilyPlace("families.toy:ColumnMean"))
    declared = find_declaration("column-mean")
    assert declared is not None
    assert declared.metrics[0].name == "mse"


def test_a_family_that_is_not_where_its_line_says_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, "gone", FamilyPlace("knoll.families.gone:Gone"))
    with pytest.raises(ModuleNotFoundError, match=r"knoll\.families\.gone"):
        find_declaration("gone")


@pytest.mark.parametrize("name", FAMILIES)
def test_each_line_leads_to_a_family_of_that_name(name: str) -> None:
    """It has a config with defaults, and metrics that a gate can ask for."""
    family, declared = find_family(name), find_declaration(name)
    assert declared is not None
    assert isinstance(family, type(declared))
    assert family.name == name
    assert family.config_type.model_fields["epochs"].default >= 1
    assert family.metrics


def test_an_unknown_name_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(InvalidModel, match="no family 'dcgam'") as caught:
        check_family("dcgam")
    assert caught.value.fix == "one of: " + ", ".join(sorted(FAMILIES))
