"""A YAML file as it is written: no key twice, YAML 1.2 numbers, and the line of each value.

PyYAML alone takes the last of two equal keys, reads `9e-1` as text, and `yes`, `1:30` and `010` as something
else than they say. See YAML 1.2.2, 10.3.2, for the core schema, which this follows.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from knoll.errors import InvalidModel
from knoll.quoting import escaped

__all__ = ["YamlDocument", "read_yaml"]

Path = tuple[str | int, ...]

_FIX = "correct the file and run knoll apply -f FILE again"
_DEEPEST = 50
_TOO_DEEP = f"nested deeper than {_DEEPEST}"
_MOST_DIGITS = 40
_MOST_VALUES = 100_000  # aliases count as often as they are used
_OCTAL = re.compile(r"[-+]?0[0-9]+")
_SCALARS = {
    "null": re.compile(r"~|null|Null|NULL|"),
    "bool": re.compile(r"true|True|TRUE|false|False|FALSE"),
    "int": re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    "float": re.compile(
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
    ),
    "merge": re.compile(r"<<"),
}
_KINDS = {*_SCALARS, "str", "seq", "map"}


class _TooDeepError(Exception):
    """More collections lie in each other than may; has the line."""


class _Loader(yaml.SafeLoader):
    """Resolves plain scalars by the core schema, and stops at the first collection that lies too deep.

    For each token PyYAML looks at all collections that are open: 20 kB of brackets would take it seconds.
    """

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML copies it when a resolver is added

    def fetch_flow_collection_start(self, token_class: Any) -> None:
        super().fetch_flow_collection_start(token_class)
        self._check_depth()

    def add_indent(self, column: int) -> bool:
        is_deeper = bool(super().add_indent(column))
        self._check_depth()
        return is_deeper

    def _check_depth(self) -> None:
        if len(self.indents) + self.flow_level > _DEEPEST + 1:  # the outermost lies at no depth
            raise _TooDeepError(self.line + 1)


for _name, _pattern in _SCALARS.items():
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_name}", re.compile(rf"(?:{_pattern.pattern})\Z"), None
    )


@dataclass(frozen=True)
class YamlDocument:
    """A document, and the line of each value, counted from 1."""

    value: Any
    lines: Mapping[Path, int]

    def line(self, *path: str | int) -> int:
        """The line of the value at a path; if there is no such value, of the nearest one around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_yaml(text: str, name: str) -> list[YamlDocument]:
    """All documents of a file but the empty ones. Raises InvalidModel with `name`, line and fault."""
    try:
        nodes = [node for node in yaml.compose_all(text, Loader=_Loader) if node is not None]
        readers = [_Reader(name) for _ in nodes]
        documents = [
            YamlDocument(reader.value(node, ()), reader.lines)
            for reader, node in zip(readers, nodes, strict=True)
        ]
    except _TooDeepError as error:
        raise InvalidModel(f"{name}:{error}: {_TOO_DEEP}", fix=_FIX) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        told = "a tab stands where only spaces may" if "'\\t'" in str(error.problem) else error.problem
        raise InvalidModel(f"{place}: not YAML: {told}", fix=_FIX) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        told = f"the character U+{error.character:04X} may not stand in YAML"
        raise InvalidModel(f"{name}:{line}: not YAML: {told}", fix=_FIX) from error
    except RecursionError as error:
        raise InvalidModel(f"{name}: not YAML: nested too deep", fix=_FIX) from error
    faults = [fault for reader in readers for fault in reader.faults]
    if faults:
        raise InvalidModel("\n".join(faults), fix=_FIX)
    return [one for one in documents if one.value is not None]


@dataclass
class _Reader:
    """Makes values of nodes, and collects lines and faults."""

    name: str
    lines: dict[Path, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    count: int = 0

    def value(self, node: yaml.Node, path: Path) -> Any:
        self._check(node, path)
        self.lines.setdefault(path, node.start_mark.line + 1)
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        if kind not in _KINDS:
            self.faults.append(f"{self._place(node)}: the tag {escaped(kind)} is not known here")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(one, (*path, index)) for index, one in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        found: dict[str, Any] = {}
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.faults.append(f"{self.name}:{line}: a key must be text")
            elif key_node.tag.endswith(":merge"):
                merged = self._merged(value_node, path) | merged
            elif key_node.value in seen:
                key = ".".join(map(str, (*path, key_node.value)))
                first = seen[key_node.value]
                self.faults.append(
                    f"{self.name}:{line}: {escaped(key)} stands here and in line {first}; keep one of them"
                )
            else:
                seen[key_node.value] = line
                self.lines[(*path, key_node.value)] = line
                found[key_node.value] = self.value(value_node, (*path, key_node.value))
        return merged | found

    def _merged(self, node: yaml.Node, path: Path) -> dict[str, Any]:
        """The fields that `<<` takes from one mapping or several, of which the first wins."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, Any] = {}
        for one in reversed(sources):
            self._check(one, path)
            if isinstance(one, yaml.MappingNode):
                merged |= self._mapping(one, path)
            else:
                self.faults.append(f"{self._place(one)}: << takes a mapping")
        return merged

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text = str(node.value)
        match node.tag.rpartition(":")[2]:
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int" if _OCTAL.fullmatch(text) and len(text) < _MOST_DIGITS:
                self.faults.append(
                    f"{self._place(node)}: {text} has a leading zero; write {int(text)}, or '{text}' for text"
                )
                return int(text)
            case "int":
                return self._integer(node, text)
            case "float":
                return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        return text

    def _integer(self, node: yaml.Node, text: str) -> int:
        """A whole number, as large as JSON readers take it."""
        value = int(text, 10 if text.lstrip("+-").isdigit() else 0) if len(text) < _MOST_DIGITS else 2**64
        if not -(2**63) <= value < 2**63:
            self.faults.append(f"{self._place(node)}: the number {text[:_MOST_DIGITS]} is too large")
            return 0
        return value

    def _check(self, node: yaml.Node, path: Path) -> None:
        """Count the value. Raises InvalidModel if it is one too many, or too deep."""
        self.count += 1
        too_deep = len(path) > _DEEPEST
        if too_deep or self.count > _MOST_VALUES:
            what = _TOO_DEEP if too_deep else f"more than {_MOST_VALUES:,} values"
            raise InvalidModel(f"{self._place(node)}: {what}", fix=_FIX)

    def _place(self, node: yaml.Node) -> str:
        return f"{self.name}:{node.start_mark.line + 1}"
