"""The documents keep up with the code: what can be set, typed, sent or found is named in them, and what they
name is there."""

import ast
import re
import shlex
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import AliasChoices
from typer.main import get_command
from typer.testing import CliRunner

from knoll import events
from knoll.cli.app import app
from knoll.families import FAMILIES, find_family
from knoll.laptop.broker.ticker import PING
from knoll.models import parse_model
from knoll.settings import Settings

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "knoll"
TEXTS = {
    name: (ROOT / name).read_text(encoding="utf-8")
    for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")
}
README, ARCHITECTURE = TEXTS["README.md"], TEXTS["ARCHITECTURE.md"]
LAYERS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0][
    "layers"
]
TARGETS = dict(re.findall(r"^([a-z-]+):(?:.*?## (.*))?", (ROOT / "Makefile").read_text(), re.MULTILINE))
DOCUMENTS = pytest.mark.parametrize("name", TEXTS)

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"^    (.*)$", re.MULTILINE)
_INLINE = re.compile(r"`([^`\n]+)`")
_COMMAND = r"(?:^|[;&|(])\s*(?:\$ )?(?:\w+=\S+ )*(?:\S*/)?%s((?: [^;&|)\n]*)?)"
_FILES = (".py", ".yaml", ".toml", ".md")


def test_every_setting_is_in_the_readme() -> None:
    """Each variable that a setting is read from, aliases included."""
    expect_all("README.md", [name for field in Settings.model_fields for name in variables(field)])


def test_every_command_is_in_the_readme() -> None:
    """Each command and each command of a group, as it is typed."""
    expect_all("README.md", [" ".join(("knoll", *words)) for words in commands(get_command(app))])


def test_every_family_is_in_the_readme() -> None:
    expect_all("README.md", [f"`{name}`" for name in FAMILIES])


def test_every_event_type_is_in_the_architecture() -> None:
    """Each constant of `knoll.events`, and the event of Knative's PingSource, which has none there."""
    expect_all(
        "ARCHITECTURE.md", [PING, *(getattr(events, name) for name in events.__all__ if name.isupper())]
    )


def test_every_layer_and_package_is_in_the_architecture() -> None:
    """The layer contract stands there as import-linter has it, and each package has its line in the code
    map."""
    packages = [folder.name for folder in SOURCE.iterdir() if (folder / "__init__.py").exists()]
    expect_all("ARCHITECTURE.md", [" → ".join(LAYERS), *(f"| **`{name}`** |" for name in packages)])


def test_the_skeleton_of_a_family_has_the_methods_of_the_protocol() -> None:
    """A copy of it has every method, with its arguments in order."""
    skeleton = "\n".join(block for language, block in _FENCED.findall(ARCHITECTURE) if language == "python")
    parts = {"data": "DataPart", "learning": "LearningPart", "export": "ExportPart"}
    wanted = {}
    for module, part in parts.items():
        wanted |= methods((SOURCE / "families" / "base" / f"{module}.py").read_text(), part)
    assert methods(skeleton, "Rain") == wanted


@DOCUMENTS
def test_every_link_and_path_exists(name: str) -> None:
    """Relative links with their headings, and what stands in backticks and looks like a path of this
    repository."""
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", TEXTS[name]) if "://" not in link]
    paths = [path for path in _INLINE.findall(_FENCED.sub("", TEXTS[name])) if is_repository_path(path)]
    missing = [link for link in links if not link_exists(name, link)] + [
        path for path in paths if not path_exists(path)
    ]
    assert not missing, f"{name} names what does not exist: {missing}"


@DOCUMENTS
def test_every_target_that_is_named_is_in_the_makefile(name: str) -> None:
    named = [word for line in typed(name, "make") for word in line if re.fullmatch("[a-z][a-z-]*", word)]
    unknown = sorted(set(named) - set(TARGETS))
    assert not unknown, f"{name} names targets that the Makefile does not have: {unknown}"


def test_every_target_that_helps_is_named() -> None:
    """Whatever `make help` lists stands in the README or in CONTRIBUTING.md."""
    named = {
        word for name in ("README.md", "CONTRIBUTING.md") for line in typed(name, "make") for word in line
    }
    missing = [f"make {target}" for target, text in TARGETS.items() if text and target not in named]
    assert not missing, f"neither README.md nor CONTRIBUTING.md names: {missing}"


@DOCUMENTS
def test_every_command_line_parses(name: str) -> None:
    """Each command exists and knows the options that the document gives it."""
    faults = [
        f"knoll {shlex.join(line)}: {fault}"
        for line in typed(name, "knoll", fenced_only=True)
        if (fault := fault_of(line))
    ]
    assert not faults, f"{name} has command lines that do not work:\n" + "\n".join(faults)


def test_the_model_in_the_readme_is_one() -> None:
    """It can be copied: its fields, its family and the family's config are known."""
    blocks = [yaml.safe_load(block) for language, block in _FENCED.findall(README) if language == "yaml"]
    models = [parse_model(block) for block in blocks if block.get("kind") == "Model"]
    assert models, "README.md shows no Model in a yaml block"
    for model in models:
        find_family(model.family).configure(model.training.config)


def expect_all(name: str, wanted: Iterable[str]) -> None:
    """Fail with everything that the document does not name as a whole word."""
    missing = [one for one in wanted if not re.search(rf"(?<![\w.-]){re.escape(one)}(?![\w-])", TEXTS[name])]
    assert not missing, f"{name} does not name: {missing}"


def variables(field: str) -> list[str]:
    alias = Settings.model_fields[field].validation_alias
    return (
        [str(one) for one in alias.choices] if isinstance(alias, AliasChoices) else [f"KNOLL_{field.upper()}"]
    )


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words behind `knoll` of each command; a group's hidden command is what its bare name does."""
    for name, one in getattr(command, "commands", {}).items():
        yield from commands(one, words if one.hidden else (*words, name))
    if not hasattr(command, "commands"):
        yield words


def methods(source: str, wanted: str) -> dict[str, list[str]]:
    (found,) = [one for one in ast.parse(source).body if isinstance(one, ast.ClassDef) and one.name == wanted]
    return {
        one.name: [argument.arg for argument in one.args.args]
        for one in found.body
        if isinstance(one, ast.FunctionDef)
    }


def typed(name: str, program: str, *, fenced_only: bool = False) -> list[list[str]]:
    """The arguments of each call of a program in the document's code; comments are left out."""
    text = TEXTS[name]
    code = [block for language, block in _FENCED.findall(text) if language in ("", "sh")]
    if not fenced_only:
        code += [*_INDENTED.findall(text), *_INLINE.findall(text)]
    code = [re.sub(r"\\\n", " ", re.sub(r"(?m)(^|\s)#.*$", "", block)) for block in code]
    found = [arguments for block in code for arguments in re.findall(_COMMAND % program, block, re.MULTILINE)]
    return [shlex.split(arguments.rstrip("\"'")) for arguments in found]


def fault_of(arguments: list[str]) -> str:
    """Why `knoll` does not understand the arguments; "" when it does. `--help` comes after parsing and before
    doing."""
    result = CliRunner().invoke(app, [*arguments, "--help"])
    return "" if result.exit_code == 0 else result.output


def is_repository_path(text: str) -> bool:
    if "/" not in text or text.startswith("/") or re.search(r"[\s<>{}$:…]", text):
        return False
    return (ROOT / text.partition("/")[0]).exists() or text.endswith(_FILES)


def path_exists(path: str) -> bool:
    """Below the root or, for a module, below src/knoll; it may be a pattern."""
    return any(any(folder.glob(path.rstrip("/"))) for folder in (ROOT, SOURCE))


def link_exists(name: str, link: str) -> bool:
    path, _, heading = link.partition("#")
    target = (ROOT / name).parent / path if path else ROOT / name
    return target.exists() and (not heading or heading in anchors(target.read_text(encoding="utf-8")))


def anchors(text: str) -> set[str]:
    """Headings as GitHub turns them into anchors."""
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
