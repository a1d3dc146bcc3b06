"""A YAML file as it is written: no key twice, YAML 1.2 numbers, and the line of each value.

PyYAML alone takes the last of two equal keys, reads `9e-1` as text, and `yes`, `1:30` and `010` as something
else than they say.
"""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import yaml

from knoll.cli.yaml_core import DEEPEST, TOO_DEEP, CoreLoader, RefusedError, fault_of_node, kind_of
from knoll.cli.yaml_words import place_at, words_of
from knoll.errors import InvalidModel
from knoll.quoting import escaped, shown

__all__ = ["YamlDocument", "read_yaml"]

Path = tuple[str | int, ...]

_FIX = "correct the file and run knoll apply -f FILE again"
_MOST_DIGITS = 40
_MOST_VALUES = 100_000  # aliases count as often as they are used
_BREAK = re.compile("[\x85\u2028\u2029]")  # for PyYAML a comment ends there, for YAML 1.2 and for people not
_OCTAL = re.compile(r"[-+]?0[0-9]+")


@dataclass(frozen=True)
class YamlDocument:
    """A document, the line of each value, counted from 1, and the numbers whose text is not ours: how we show
    each, and how it is written."""

    value: Any
    lines: Mapping[Path, int]
    numbers: Mapping[Path, tuple[str, str]] = field(default_factory=dict)

    def line(self, *path: str | int) -> int:
        """The line of the value at a path; if there is no such value, of the nearest one around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def in_its_words(self, text: str, path: Path) -> str:
        """What is said of the value at a path, with a number as the file has it: 1e3, not 1000.0."""
        ours, written = self.numbers.get(path, ("", ""))
        return re.sub(rf"(^|not |: ){re.escape(ours)}\b", rf"\g<1>{written}", text, count=1) if ours else text


def read_yaml(text: str, name: str) -> list[YamlDocument]:
    """All documents of a file but the empty ones. Raises InvalidModel with `name`, line and fault."""
    if found := _BREAK.search(text):
        raise _refused(text, name, found[0], found.start())
    text = _without_tabs(text)
    try:
        nodes = [node for node in yaml.compose_all(text, Loader=CoreLoader) if node is not None]
        readers = [_Reader(name) for _ in nodes]
        documents = [
            YamlDocument(reader.value(node, ()), reader.lines, reader.numbers)
            for reader, node in zip(readers, nodes, strict=True)
        ]
    except RefusedError as error:
        raise InvalidModel(f"{name}:{error.place}: {error}", fix=_FIX) from error
    except yaml.MarkedYAMLError as error:
        fault = words_of(error, text)
        raise InvalidModel(
            f"{name}:{fault.line}:{fault.column}: not YAML: {fault.words}", fix=_FIX
        ) from error
    except yaml.reader.ReaderError as error:
        raise _refused(text, name, chr(error.character), error.position) from error
    faults = [fault for reader in readers for fault in reader.faults]
    if faults:
        raise InvalidModel("\n".join(faults), fix=_FIX)
    return [one for one in documents if one.value is not None]


def _refused(text: str, name: str, character: str, position: int) -> InvalidModel:
    line, column = place_at(text, position)
    told = f"the character U+{ord(character):04X} may not stand in YAML; remove it"
    return InvalidModel(f"{name}:{line}:{column}: not YAML: {told}", fix=_FIX)


def _without_tabs(text: str) -> str:
    """JSON, in which tabs are spaces; any other text as it is."""
    if "\t" in text and text.lstrip().startswith(("{", "[")):
        with suppress(ValueError, RecursionError):
            json.loads(text)  # strict: no text in it has a tab
            return text.replace("\t", " ")
    return text


@dataclass
class _Reader:
    """Makes values of nodes, and collects lines and faults."""

    name: str
    lines: dict[Path, int] = field(default_factory=dict)
    numbers: dict[Path, tuple[str, str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    count: int = 0
    merges: int = 0  # that lie in each other

    def value(self, node: yaml.Node, path: Path) -> Any:
        self._check(node, path)
        self.lines.setdefault(path, node.start_mark.line + 1)
        if fault := fault_of_node(node):
            self.faults.append(f"{self._place(node)}: {fault}")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(one, (*path, index)) for index, one in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        value = self._scalar(node)
        if isinstance(value, int | float) and shown(value) != node.value:
            self.numbers.setdefault(path, (shown(value), escaped(node.value)))
        return value

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        found: dict[str, Any] = {}
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.faults.append(
                    f"{self.name}:{line}: a key must be text; put it in quotes, and fill in templates before"
                )
            elif fault := fault_of_node(key_node):
                self.faults.append(f"{self.name}:{line}: {fault}")
            elif key_node.value in seen:
                key = ".".join(map(str, (*path, key_node.value)))
                first = seen[key_node.value]
                self.faults.append(
                    f"{self.name}:{line}: {escaped(key)} stands here and in line {first}; keep one of them"
                )
            elif kind_of(key_node) == "merge":
                seen[key_node.value] = line
                merged = self._merge(value_node, path)
            else:
                seen[key_node.value] = line
                self.lines[(*path, key_node.value)] = line
                found[key_node.value] = self.value(value_node, (*path, key_node.value))
        return merged | found

    def _merge(self, node: yaml.Node, path: Path) -> dict[str, Any]:
        """The fields that `<<` takes from one mapping, or from several: then the first one wins."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, Any] = {}
        self.merges += 1
        for one in reversed(sources):
            self._check(one, path)
            fault = fault_of_node(node) or fault_of_node(one)
            if isinstance(one, yaml.MappingNode) and not fault:
                merged |= self._mapping(one, path)
            else:
                self.faults.append(f"{self._place(one)}: {fault or '<< takes a mapping; write <<: *base'}")
        self.merges -= 1
        return merged

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text = str(node.value)
        match kind_of(node):
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
        too_deep = max(len(path), self.merges) > DEEPEST
        if too_deep or self.count > _MOST_VALUES:
            what = TOO_DEEP if too_deep else f"more than {_MOST_VALUES:,} values"
            raise InvalidModel(f"{self._place(node)}: {what}", fix=_FIX)

    def _place(self, node: yaml.Node) -> str:
        return f"{self.name}:{node.start_mark.line + 1}"
