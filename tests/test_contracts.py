"""The import contracts cover every module, also one that was added today."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACTS: list[dict[str, Any]] = PYPROJECT["tool"]["importlinter"]["contracts"]
NO_TORCH = {"knoll.families", "knoll.trainer", "knoll.wiring", "knoll.laptop", "knoll.cli"}


def modules() -> set[str]:
    """The modules and packages right below knoll."""
    found = {path.stem if path.suffix else path.name for path in (ROOT / "src" / "knoll").iterdir()}
    return {f"knoll.{name}" for name in found if not name.startswith(("__", "py"))}


@pytest.mark.parametrize("heavy", ["torch", "kserve", "boto3", "lightkube", "rich", "typer"])
def test_a_heavy_library_is_kept_out_of_all_modules_but_a_few(heavy: str) -> None:
    """A contract about all of knoll, whose exceptions are written out."""
    covering = [one for one in CONTRACTS if heavy in one.get("forbidden_modules", ())]
    assert any(one["source_modules"] == ["knoll.*"] for one in covering)


def test_what_needs_no_torch_says_so() -> None:
    """Whoever adds a package says on which side it is: with the contract, or in the list above."""
    (strict,) = (one for one in CONTRACTS if one.get("allow_indirect_imports") is False)
    assert modules() - set(strict["source_modules"]) == NO_TORCH


def test_the_layers_name_every_module() -> None:
    layers = next(one for one in CONTRACTS if one["type"] == "layers")
    named = {f"knoll.{name.strip()}" for layer in layers["layers"] for name in layer.split("|")}
    assert layers["exhaustive"]
    assert named == modules()
