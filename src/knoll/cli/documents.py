"""Models from YAML files. All of them are read and checked before one is stored."""

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

from knoll.cli.input_file import input_name, read_input
from knoll.cli.yaml_file import YamlDocument, read_yaml
from knoll.cli.yaml_words import place_at
from knoll.errors import Fault, InvalidModel, KnollError
from knoll.kube.metadata import faults_of_metadata
from knoll.models import Model, parse_model
from knoll.ports import Document
from knoll.quantities import quantity_text
from knoll.quoting import escaped, shown
from knoll.settings import Settings
from knoll.views.sense import clashes, faults_of_sense

__all__ = ["Declared", "FileDocument", "read_declared", "read_documents"]

_LARGEST = 2**20  # bytes of a file


@dataclass(frozen=True)
class Declared:
    """A checked Model and its document."""

    document: Document
    model: Model


@dataclass(frozen=True)
class FileDocument:
    """A document as it was read, and the file."""

    file: str
    yaml: YamlDocument

    def placed(self, fault: Fault) -> str:
        """The fault with file and line."""
        told = replace(fault, text=self.yaml.in_its_words(fault.text, fault.path))
        return f"{self.file}:{self.yaml.line(*fault.path)}: {told}"


def read_declared(
    paths: Sequence[str], settings: Settings, stored: Callable[[], Sequence[Model]]
) -> list[Declared]:
    """Read the files; "-" is stdin. `stored` lists the Models that are stored. Raises InvalidModel with the
    faults of all documents, and NotFound for a missing file."""
    found = [_with_quantities(one) for path in paths for one in read_documents(path)]
    names = [_name(one.yaml.value) for one in found]
    counts = Counter(name for name in names if isinstance(name, str))
    faults = [one.placed(fault) for one in found for fault in _faults(one.yaml.value, settings)]
    faults += [
        one.placed(Fault(("metadata", "name"), f"{shown(name)} is declared twice"))
        for one, name in zip(found, names, strict=True)
        if isinstance(name, str) and counts[name] > 1
    ]
    _check(faults)
    if not found:
        told = "there is no Model in it, only empty lines or comments"
        raise InvalidModel(
            "\n".join(f"{input_name(path)}:1: {told}" for path in paths),
            fix="see examples/digits/model.yaml for one",
        )
    declared = [Declared(one.yaml.value, parse_model(one.yaml.value)) for one in found]
    models = {one.name: one for one in (*stored(), *(one.model for one in declared))}
    _check(
        [
            read.placed(fault)
            for read, one in zip(found, declared, strict=True)
            for fault in clashes(one.model, models.values())
        ]
    )
    return declared


def _check(faults: Sequence[str]) -> None:
    if faults:
        raise InvalidModel(
            "\n".join(faults),
            fix="correct the file and run knoll apply -f FILE again; nothing has been changed",
        )


def read_documents(path: str, what: str = "a Model") -> list[FileDocument]:
    """The documents in a file that should have `what`; "-" is stdin. Raises InvalidModel if it is not YAML,
    and NotFound for a missing file."""
    name = input_name(path)
    text = _decoded(read_input(path, _LARGEST, f"name a YAML file with {what}, or - for stdin"), name)
    return [FileDocument(name, one) for one in read_yaml(text, name)]


def _decoded(body: bytes, name: str) -> str:
    """The text; a mark of UTF-8 before it is left out."""
    fix = "save the file as UTF-8"
    if body.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) or b"\0" in body[:2]:
        raise KnollError(f"{name}:1:1: this is UTF-16 or UTF-32, and a file must be UTF-8", fix=fix)
    body = body.removeprefix(BOM_UTF8)
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        line, column = place_at(text := body[: error.start].decode(), len(text))
        byte = body[error.start]
        told = f"the byte {byte:02X} is not UTF-8; in Latin-1 it is {escaped(chr(byte))}"
        raise KnollError(f"{name}:{line}:{column}: {told}", fix=fix) from error


def _faults(document: Any, settings: Settings) -> Iterator[Fault]:
    """The faults of a Model: in its form, in what it asks for, and in what the cluster would refuse."""
    try:
        parse_model(document)
    except InvalidModel as error:
        yield from error.faults
    yield from faults_of_sense(document, settings.model_bucket)
    metadata = document.get("metadata") if isinstance(document, Mapping) else None
    if isinstance(metadata, Mapping):
        yield from faults_of_metadata(metadata, settings.namespace)


def _with_quantities(read: FileDocument) -> FileDocument:
    """The document with 1.5 cores as text: the schema of an API server takes whole numbers and texts."""
    document = read.yaml.value
    spec = document.get("spec") if isinstance(document, Mapping) else None
    if not isinstance(spec, Mapping):
        return read
    parts = {name: _with_texts(spec[name]) for name in ("training", "serving") if name in spec}
    value = {**document, "spec": {**spec, **parts}}
    return replace(read, yaml=replace(read.yaml, value=value))


def _with_texts(part: Any) -> Any:
    resources = part.get("resources") if isinstance(part, Mapping) else None
    if not isinstance(resources, Mapping):
        return part
    return {**part, "resources": {name: _written(amount) for name, amount in resources.items()}}


def _written(amount: Any) -> Any:
    return quantity_text(amount) if isinstance(amount, float) and isfinite(amount) else amount


def _name(document: Any) -> Any:
    metadata = document.get("metadata") if isinstance(document, Mapping) else None
    return metadata.get("name") if isinstance(metadata, Mapping) else None
