"""Blocks about the layers: which package lies above which, and what each is for."""

import re
import tomllib
from pathlib import Path

from fields import table
from quotes import first_words

__all__ = ["code_map", "layers"]

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "knoll"


def layers(_: str) -> str:
    """The import contract, as pyproject.toml has it."""
    return "\n".join(["```text", *_contract(), "```"])


def code_map(_: str) -> str:
    """A table of all packages and modules of the layers, the uppermost first, each with what its docstring
    says first."""
    names = (name.strip() for layer in _contract() for name in re.split(r"[|:]", layer))
    rows = [
        (f"**`{name}`**" if (SOURCE / name).is_dir() else f"`{name}`", first_words(SOURCE / name))
        for name in names
    ]
    return table(("package in `src/knoll/`", "what"), rows)


def _contract() -> list[str]:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    found: list[str] = contracts[0]["layers"]
    return found
