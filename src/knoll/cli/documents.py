"""Model documents from YAML files: all of them are read and checked before any is stored."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import yaml

from knoll.errors import InvalidModel, KnollError, NotFound
from knoll.families import check_family, find_family
from knoll.models import Model, parse_model
from knoll.names import split_uri
from knoll.ports import Document

__all__ = ["Declared", "read_declared"]


@dataclass(frozen=True)
class Declared:
    """A checked Model and the document that says it; `place` is its file and number."""

    place: str
    document: Document
    model: Model


def read_declared(paths: Sequence[str], model_bucket: str) -> list[Declared]:
    """Read the files, "-" being stdin. Raises InvalidModel that lists the faults of all documents, NotFound for a missing file."""
    declared, faults = [], []
    for place, document in (one for path in paths for one in _documents(path)):
        try:
            model = parse_model(document)
            _check(model, model_bucket)
            declared.append(Declared(place, document, model))
        except InvalidModel as error:
            faults.append(f"{place}: {error}" + (f" ({error.fix})" if "there is no family" in str(error) else ""))
    names = [one.model.name for one in declared]
    faults += [f"{one.place}: metadata.name: {one.model.name!r} is declared twice" for one in declared if names.count(one.model.name) > 1]
    if faults:
        raise InvalidModel("\n".join(faults), fix="mend the file and run knoll apply -f FILE again; nothing has been changed")
    if not declared:
        raise InvalidModel(f"{', '.join(paths)}: there is no Model in it", fix="see examples/digits/model.yaml for one")
    return declared


def _documents(path: str) -> Iterator[tuple[str, Document]]:
    text = _text(path)
    name = "stdin" if path == "-" else path
    try:
        found = [one for one in yaml.safe_load_all(text) if one is not None]
    except yaml.YAMLError as error:
        raise InvalidModel(f"{name}: not YAML: {error}", fix="mend the file and run knoll apply -f FILE again") from error
    for number, document in enumerate(found, 1):
        yield (name if len(found) == 1 else f"{name}, document {number}"), document


def _text(path: str) -> str:
    try:
        if path == "-":
            return sys.stdin.read()
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotFound(f"{path}: there is no such file", fix="name a YAML file with a Model, or - for stdin") from error
    except (OSError, UnicodeDecodeError) as error:
        raise KnollError(f"{path}: cannot be read: {error}", fix="name a YAML file with a Model, or - for stdin") from error


def _check(model: Model, model_bucket: str) -> None:
    """What only knoll as a whole can know: the family, its config, and where its data may lie."""
    check_family(model.family)
    if split_uri(model.dataset.uri)[0] == model_bucket:
        raise InvalidModel(f"spec.dataset.uri: {model.dataset.uri} lies in the model bucket: a run's own records would be its data")
    if find_spec("torch") is not None:
        find_family(model.family).configure(model.training.config)
