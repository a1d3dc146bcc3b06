"""The documents keep up with the code: what can be set, typed, sent or found is named in them, and what they
name exists."""

import ast
import importlib.util
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import AliasChoices, BaseModel
from typer.main import get_command
from typer.testing import CliRunner

from knoll import events
from knoll.adapters import cluster_local
from knoll.cli.app import app
from knoll.events import PING
from knoll.exits import FAILURE, INTERRUPTED, NOT_FOUND, SUCCEEDED, TIMED_OUT
from knoll.families import FAMILIES, find_family
from knoll.models import parse_model
from knoll.models.fields import fields_of
from knoll.models.spec import (
    DatasetSpec,
    GateSpec,
    LandedSpec,
    ModelSpec,
    RolloutSpec,
    ServingSpec,
    TrainingSpec,
)
from knoll.settings import Settings
from knoll.wiring.stages import Stage

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "knoll"
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "eventing" / "sources" / "README.md"]
TEXTS = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in sorted(PAGES)}
DECISIONS = [name for name in TEXTS if re.match(r"docs/decisions/\d", name)]
LAYERS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0][
    "layers"
]
TARGETS = dict(re.findall(r"^([a-z-]+):(?:.*?## (.*))?", (ROOT / "Makefile").read_text(), re.MULTILINE))
DECLARED = [
    *(ModelSpec, LandedSpec, DatasetSpec, TrainingSpec, GateSpec, ServingSpec, RolloutSpec),
    *(find_family(name).config_type for name in FAMILIES),
]
DOCUMENTS = pytest.mark.parametrize("name", TEXTS)

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"^    (.*)$", re.MULTILINE)
_INLINE = re.compile(r"`([^`\n]+)`")
_COMMAND = r"(?:^|[;&|(])\s*(?:\$ )?(?:\w+=\S+ )*(?:\S*/)?%s((?: [^;&|)\n]*)?)"
_FILES = (".py", ".yaml", ".toml", ".md")
_NAMED = re.compile(r"`(\w+)`\s+(?:in|of)\s+`([\w/]+\.py)`")


def test_every_setting_is_in_the_documents() -> None:
    """Each variable that a setting is read from, aliases included."""
    expect_all("docs/settings.md", [name for field in Settings.model_fields for name in variables(field)])


def test_every_command_is_in_the_documents() -> None:
    """Each command and each command of a group, as it is typed."""
    expect_all("docs/commands.md", [" ".join(("knoll", *words)) for words, _ in commands(get_command(app))])


def test_the_help_and_the_documents_list_all_exit_codes_of_commands() -> None:
    """2, which is click's, included."""
    codes = {SUCCEEDED, FAILURE, 2, TIMED_OUT, NOT_FOUND, INTERRUPTED}
    for text in (get_command(app).help or "", TEXTS["docs/commands.md"]):
        (listed,) = re.findall(r"Exit codes: ([^.]*)\.", text)
        assert {int(code) for code in re.findall(r"\d+", listed)} == codes


def test_the_help_says_which_commands_take_an_output_format() -> None:
    without = [
        words
        for words, command in commands(get_command(app))
        if not any("--output" in one.opts for one in command.params)
    ]
    assert without == [("demo",)]
    assert "Every command but [bold]knoll demo[/bold]" in " ".join((get_command(app).help or "").split())


def test_every_flag_is_in_the_documents() -> None:
    """In the part of each command that takes it, the flag that turns another one off included."""
    parts = re.split(r"^## (.*)\n", TEXTS["docs/commands.md"], flags=re.MULTILINE)
    told = dict(zip(parts[1::2], parts[2::2], strict=True))
    flags = {
        f"{' '.join(words)}: {flag}": f"`{flag}" in told[" ".join(("knoll", *words))]
        for words, command in commands(get_command(app))
        for parameter in command.params
        for flag in (*parameter.opts, *parameter.secondary_opts)
        if flag.startswith("-") and "--output" not in parameter.opts
    }
    assert [flag for flag, is_told in flags.items() if not is_told] == []
    assert any("--no-" in flag for flag in flags)


def test_every_family_is_in_the_documents() -> None:
    """Each has a row with its metrics in the list of families, and a page with them and with the fields of
    its config."""
    rows = (ROOT / "docs" / "families" / "index.md").read_text().splitlines()
    for name in FAMILIES:
        family = find_family(name)
        (row,) = [one for one in rows if one.startswith(f"| [`{name}`]({name}.md) |")]
        assert set(re.findall(r"`(\w+)`", row.split("|")[3])) == {one.name for one in family.metrics}, row
        fields = family.config_type.model_fields.items()
        named = [*(one.name for one in family.metrics), *(field.alias or key for key, field in fields)]
        expect_all(f"docs/families/{name}.md", [f"`{one}`" for one in named])


@pytest.mark.parametrize("kind", DECLARED, ids=lambda kind: kind.__name__)
def test_every_field_has_unit_range_default_and_meaning(kind: type[BaseModel]) -> None:
    """Those of a Model and of the config of each family: tables, faults and help are made of them."""
    for field in fields_of(kind):
        of_numbers = field.kind in ("number", "whole number", "list")
        facts = {
            "a unit, as Annotated[int, unit(...)]": field.unit or not of_numbers,
            "a range": field.range,
            "a default, or what happens without a value: unit(..., none=...)": field.default or field.without,
            "a description": field.meaning,
        }
        assert [name for name, fact in facts.items() if not fact] == [], f"{kind.__name__}.{field.name} lacks"


def test_every_setting_says_what_it_means() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_every_field_of_the_status_is_in_the_page_of_the_model() -> None:
    crd = yaml.safe_load((ROOT / "deploy" / "crd" / "models.yaml").read_text())
    status = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
    page = (ROOT / "docs" / "model.md").read_text().partition("## status")[2]
    shown = set(re.findall(r"^\| `([\w.]+)` \| \S", page, re.MULTILINE))
    parts = {
        f"{name}.{one}" for name in ("dataset", "rollout") for one in status["properties"][name]["properties"]
    }
    assert {*status["properties"], *parts} <= shown


def test_every_kind_that_a_laptop_keeps_is_in_its_page() -> None:
    (row,) = re.findall(r"^\| API server \|.*$", TEXTS["docs/laptop.md"], re.MULTILINE)
    (named,) = re.findall(r"kinds ([^;]+);", row)
    assert set(re.split(", | and ", named)) == set(cluster_local._KINDS)


def test_every_field_of_a_stage_is_in_its_decision() -> None:
    decision = TEXTS["docs/decisions/0041-each-stage-answers-for-itself.md"]
    assert [one.name for one in fields(Stage) if not re.search(rf"`{one.name}[`(]", decision)] == []


@pytest.mark.parametrize("name", DECISIONS)
def test_a_decision_is_named_after_its_title(name: str) -> None:
    title = TEXTS[name].partition("\n")[0].removeprefix("# ").lower().replace("'", "")
    assert Path(name).stem[5:] == re.sub(r"[^a-z0-9]+", "-", title)


def test_every_event_type_is_in_the_documents() -> None:
    """Each constant of `knoll.events`, and the event of Knative's PingSource, which has none there."""
    constants = [getattr(events, name) for name in events.__all__ if name.isupper()]
    expect_all("docs/events.md", [PING, *constants])


def test_every_package_is_in_the_code_map_with_what_it_is_for() -> None:
    """So is each module beside the packages; the layer contract stands in the architecture."""
    expect_all("ARCHITECTURE.md", ["\n".join(LAYERS)])
    packages = {f"**`{one.parent.name}`**" for one in SOURCE.glob("*/__init__.py")}
    modules = {f"`{one.stem}`" for one in SOURCE.glob("*.py") if one.stem != "__init__"}
    table = TEXTS["docs/code-map.md"].partition("| package in ")[2]
    rows = re.findall(r"^\| (\S+) \| \S", table, re.MULTILINE)
    assert set(rows) - {"---"} == packages | modules


def test_readme_and_architecture_stay_short() -> None:
    """A newcomer reads them whole."""
    assert len(TEXTS["README.md"].splitlines()) <= 120
    assert len(TEXTS["ARCHITECTURE.md"].encode()) <= 12_000


@pytest.mark.parametrize("name", DECISIONS)
def test_a_decision_is_one_page_with_its_reason_and_what_follows(name: str) -> None:
    assert re.findall(r"^## (.*)$", TEXTS[name], re.MULTILINE) == ["Context", "Decision", "Consequence"]
    assert len(TEXTS[name]) < 3000


def test_pages_are_as_the_code_makes_them() -> None:
    """`make docs` would change nothing."""
    check = [sys.executable, "docs/generate.py", "--check"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="mkdocs is not installed")
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    """Each page is in the navigation, and each link leads to a page or file of the site."""
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Data lands in a bucket" in (tmp_path / "index.html").read_text()
    assert (tmp_path / "ARCHITECTURE.html").exists()


@DOCUMENTS
def test_every_link_and_path_exists(name: str) -> None:
    """Relative links with their headings, and what stands in backticks and looks like a path of this
    repository."""
    prose = _FENCED.sub("", TEXTS[name])
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", prose) if "://" not in link]
    paths = [path for path in _INLINE.findall(prose) if is_repository_path(path)]
    missing = [link for link in links if not link_exists(name, link)] + [
        path for path in paths if not path_exists(path)
    ]
    assert not missing, f"{name} names what does not exist: {missing}"


@DOCUMENTS
def test_every_name_of_a_module_is_defined_there(name: str) -> None:
    """What a page calls "`name` in `path.py`"."""
    wrong = [(one, path) for one, path in _NAMED.findall(TEXTS[name]) if one not in defined_in(path)]
    assert not wrong, f"{name} names what its module does not define: {wrong}"


@DOCUMENTS
def test_every_target_that_is_named_is_in_the_makefile(name: str) -> None:
    named = [word for line in typed(name, "make") for word in line if re.fullmatch("[a-z][a-z-]*", word)]
    unknown = sorted(set(named) - set(TARGETS))
    assert not unknown, f"{name} names targets that the Makefile does not have: {unknown}"


def test_every_target_that_helps_is_named() -> None:
    """Each target that `make help` lists stands in a document."""
    named = {word for name in TEXTS for line in typed(name, "make") for word in line}
    missing = [f"make {target}" for target, text in TARGETS.items() if text and target not in named]
    assert not missing, f"no document names: {missing}"


@DOCUMENTS
def test_every_command_line_parses(name: str) -> None:
    """Each command exists and knows the options that the document gives it."""
    faults = [
        f"knoll {shlex.join(line)}: {fault}"
        for line in typed(name, "knoll", fenced_only=True)
        if (fault := fault_of(line))
    ]
    assert not faults, f"{name} has command lines that do not work:\n" + "\n".join(faults)


@pytest.mark.parametrize("name", ["README.md", "docs/model.md"])
def test_the_model_in_the_documents_is_one(name: str) -> None:
    """It can be copied: its fields, its family and the family's config are known."""
    blocks = [yaml.safe_load(block) for language, block in _FENCED.findall(TEXTS[name]) if language == "yaml"]
    models = [parse_model(block) for block in blocks if block.get("kind") == "Model"]
    assert models, f"{name} shows no Model in a yaml block"
    for model in models:
        find_family(model.family).configure(model.training.config)


def test_the_events_of_the_table_are_constants() -> None:
    """No type of ours stands there that the code does not have."""
    known = [getattr(events, name) for name in events.__all__ if name.isupper()]
    told = re.findall(r"`(dev\.knoll\.[a-z.]+)`", TEXTS["docs/events.md"])
    assert set(told) <= set(known)


def expect_all(name: str, wanted: Iterable[str]) -> None:
    """Fail with everything that the document does not name as a whole word."""
    missing = [one for one in wanted if not re.search(rf"(?<![\w.-]){re.escape(one)}(?![\w-])", TEXTS[name])]
    assert not missing, f"{name} does not name: {missing}"


def variables(field: str) -> list[str]:
    alias = Settings.model_fields[field].validation_alias
    return (
        [str(one) for one in alias.choices] if isinstance(alias, AliasChoices) else [f"KNOLL_{field.upper()}"]
    )


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each command with the words behind `knoll`; a group's hidden command is what its bare name does."""
    for name, one in getattr(command, "commands", {}).items():
        yield from commands(one, words if one.hidden else (*words, name))
    if not hasattr(command, "commands"):
        yield words, command


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
    """Why `knoll` does not understand the arguments; "" if it does. `--help` comes after parsing and before
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


def defined_in(path: str) -> set[str]:
    """The functions, classes and variables of a module; its path begins at the root, or anywhere
    below src/knoll."""
    (module,) = [one for one in (ROOT / path, *SOURCE.glob(f"**/{path}")) if one.exists()]
    nodes = list(ast.walk(ast.parse(module.read_text())))
    stored = {one.id for one in nodes if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
    return stored | {one.name for one in nodes if isinstance(one, ast.FunctionDef | ast.ClassDef)}


def link_exists(name: str, link: str) -> bool:
    path, _, heading = link.partition("#")
    target = (ROOT / name).parent / path if path else ROOT / name
    return target.exists() and (not heading or heading in anchors(target.read_text(encoding="utf-8")))


def anchors(text: str) -> set[str]:
    """Headings as GitHub turns them into anchors."""
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
