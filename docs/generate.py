"""`make docs`: fill the blocks of the pages that are made from the code.

A block begins with `<!-- generated: NAME ARGUMENT -->` and ends with `<!-- end -->`, each at the start of a
line. NAME is one of `BLOCKS`.
`--check` writes nothing, and fails if a page is not as it would be written.
"""

import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo
from typer.main import get_command

from fields import bounds, fields_table, record, table
from knoll.cli.app import app
from knoll.families import FAMILIES, find_family
from knoll.families.declaration import FamilyConfig
from knoll.models import ModelSpec
from knoll.settings import Settings
from layers import code_map, layers
from quotes import attributes, code, drawing, methods, whole_file

__all__ = ["BLOCKS", "commands", "fill", "main", "pages", "variables"]

ROOT = Path(__file__).parents[1]

_BLOCK = re.compile(r"^(<!-- generated: (\w+) ?([^\n]*?) -->\n).*?^(<!-- end -->)", re.DOTALL | re.MULTILINE)
_PLACES = {"laptop: ": "On a laptop", "cluster: ": "On a cluster", "": "Everywhere"}


def main(arguments: Sequence[str]) -> int:
    """Write all pages; with --check only compare them, and return 1 if one differs."""
    stale = [
        page for page in pages() if fill(page.read_text(encoding="utf-8")) != page.read_text(encoding="utf-8")
    ]
    if "--check" in arguments:
        for page in stale:
            print(f"{page.relative_to(ROOT)} differs from the code: run make docs")
        return int(bool(stale))
    for page in stale:
        page.write_text(fill(page.read_text(encoding="utf-8")), encoding="utf-8")
        print(f"Wrote {page.relative_to(ROOT)}")
    return 0


def pages() -> list[Path]:
    """All documents, those at the root first."""
    return [
        *sorted(ROOT.glob("*.md")),
        *sorted((ROOT / "docs").rglob("*.md")),
        ROOT / "eventing" / "sources" / "README.md",
    ]


def fill(text: str) -> str:
    """The text with each of its blocks made anew."""
    return _BLOCK.sub(lambda found: f"{found[1]}{BLOCKS[found[2]](found[3])}\n{found[4]}", text)


def variables(name: str) -> list[str]:
    """The environment variables of a setting, the one that wins first."""
    alias = Settings.model_fields[name].validation_alias
    return (
        [str(one) for one in alias.choices] if isinstance(alias, AliasChoices) else [f"KNOLL_{name.upper()}"]
    )


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each command with the words behind `knoll`. The bare name of a group is its hidden command."""
    for name, one in getattr(command, "commands", {}).items():
        yield from commands(one, words if one.hidden else (*words, name))
    if words and not hasattr(command, "commands"):
        yield words, command


def _settings(_: str) -> str:
    parts: dict[str, list[tuple[str, ...]]] = {
        title: [] for title in ("Everywhere", "On a laptop", "On a cluster")
    }
    for name, field in Settings.model_fields.items():
        text = field.description or ""
        place = next(one for one in _PLACES if text.startswith(one))
        named = ", ".join(f"`{one}`" for one in variables(name))
        parts[_PLACES[place]].append(
            (named, _setting_default(field), bounds(Settings, name), text.removeprefix(place))
        )
    return "\n\n".join(
        f"## {title}\n\n{table(('variable', 'default', 'range', 'meaning'), rows)}"
        for title, rows in parts.items()
    )


def _setting_default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True, validated_data={})
    if default in (None, ""):
        return ""
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def _commands(_: str) -> str:
    return "\n\n".join(_command(words, one) for words, one in commands(get_command(app)))


def _command(words: tuple[str, ...], command: Any) -> str:
    title = " ".join(("knoll", *words))
    paragraphs = [" ".join(one.split()) for one in (command.help or "").split("\n\n")]
    parts = [f"## {title}"]
    for paragraph in paragraphs:
        example = paragraph.removeprefix("Example: ")
        told, _, shape = re.sub(r" ?Next\b.*?: .*", "", paragraph).partition("JSON: ")
        if example != paragraph:
            parts.append(f"```sh\n{example.replace('; ', chr(10))}\n```")
            continue
        parts += [_escape(told.strip())] if told else []
        parts += [f"With `-o json`:\n\n```text\n{textwrap.fill(shape, 100)}\n```"] if shape else []
    rows = [
        (_typed(one), _default(one), _escape(one.help or ""))
        for one in command.params
        if "--output" not in one.opts
    ]
    return "\n\n".join([*parts, *([table(("argument", "default", "meaning"), rows)] if rows else [])])


def _typed(parameter: Any) -> str:
    """A parameter as it is typed, in backticks: an argument by its placeholder."""
    placeholder = parameter.metavar or parameter.name.upper()
    if not parameter.opts[0].startswith("-"):
        return f"`{placeholder}`"
    value = "" if getattr(parameter, "is_flag", False) else f" {parameter.metavar or 'VALUE'}"
    return ", ".join(f"`{one}{value}`" for one in (*parameter.opts, *parameter.secondary_opts))


def _default(parameter: Any) -> str:
    """The default, in backticks; of a pair of flags the one that is meant without either."""
    if parameter.secondary_opts:
        return f"`{(parameter.opts if parameter.default else parameter.secondary_opts)[0]}`"
    return "" if parameter.default in (None, False, "") else f"`{parameter.default}`"


def _model(path: str) -> str:
    """The table of the fields below a path such as spec.training."""
    kind: type[BaseModel] = ModelSpec
    for name in path.split(".")[1:]:
        field = next(one for key, one in kind.model_fields.items() if (one.alias or key) == name)
        kind = next(one for one in (field.annotation, *_arguments(field.annotation)) if _is_model(one))
    return fields_table(kind)


def _status(_: str) -> str:
    """The table of the status, as the CRD describes it: each field, and the fields of objects below it."""
    crd = yaml.safe_load((ROOT / "deploy" / "crd" / "models.yaml").read_text(encoding="utf-8"))
    status = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
    rows = [(f"`{path}`", _described(one)) for path, one in _fields_below(status)]
    return table(("field", "meaning"), rows)


def _fields_below(schema: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Path and schema of each field, an object before its own fields."""
    for name, one in schema.get("properties", {}).items():
        yield f"{above}{name}", one
        yield from _fields_below(one, f"{above}{name}.")


def _described(field: Mapping[str, Any]) -> str:
    """The description of a field, with the values that it may have."""
    values = ", ".join(f"`{one}`" for one in field.get("enum", ()))
    text = str(field["description"]).rstrip(".")
    return f"{text}: {values}" if values else text


def _family(name: str) -> str:
    """The table of the fields of a family's config, and its metrics."""
    family = find_family(name)
    metrics = ", ".join(f"`{one.name}` ({one.better} is better, {one.range})" for one in family.metrics)
    return f"{fields_table(family.config_type)}\n\nMetrics for the gate: {metrics}."


def _base_config(_: str) -> str:
    """The table of the fields that the config of each family has."""
    return fields_table(FamilyConfig)


def _families(_: str) -> str:
    """The families by name, with links for a page at the root."""
    links = ", ".join(f"[`{name}`](docs/families/{name}.md)" for name in sorted(FAMILIES))
    return f"[Families](docs/families/index.md): {links}"


def _arguments(annotation: Any) -> tuple[Any, ...]:
    return getattr(annotation, "__args__", ())


def _is_model(one: Any) -> bool:
    return isinstance(one, type) and issubclass(one, BaseModel)


def _decisions(_: str) -> str:
    """A list of the decisions, with links."""
    titles = {
        page.name: page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        for page in sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    }
    return "\n".join(f"- [{title}]({name})" for name, title in titles.items())


def _escape(text: str) -> str:
    """The text without characters that Markdown would take for markup."""
    return re.sub(r"([\[\]<>*])", r"\\\1", text)


BLOCKS: Mapping[str, Callable[[str], str]] = {
    "settings": _settings,
    "commands": _commands,
    "model": _model,
    "status": _status,
    "family": _family,
    "families": _families,
    "base_config": _base_config,
    "layers": layers,
    "code_map": code_map,
    "file": whole_file,
    "code": code,
    "drawing": drawing,
    "record": record,
    "methods": methods,
    "attributes": attributes,
    "decisions": _decisions,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
