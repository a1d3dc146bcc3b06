"""Models from YAML files. All of them are read and checked before one is stored."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from knoll.cli.yaml_file import read_yaml
from knoll.errors import InvalidModel, KnollError, NotFound
from knoll.families import FAMILIES, check_family, find_family
from knoll.models import Model, parse_model
from knoll.names import is_in_bucket
from knoll.ports import Document
from knoll.quoting import escaped

__all__ = ["Declared", "read_declared"]

_LARGEST = 2**20  # bytes of a file


@dataclass(frozen=True)
class Declared:
    """A checked Model and its document."""

    document: Document
    model: Model


def read_declared(paths: Sequence[str], model_bucket: str) -> list[Declared]:
    """Read the files; "-" is stdin. Raises InvalidModel with the faults of all documents, and NotFound for a
    missing file."""
    found = [one for path in paths for one in _documents(path)]
    names = [_at(document, "metadata", "name") for _, document in found]
    faults = [f"{place}: {fault}" for place, document in found for fault in _faults(document, model_bucket)]
    faults += [
        f"{place}: metadata.name: {name!r} is declared twice"
        for (place, _), name in zip(found, names, strict=True)
        if name is not None and names.count(name) > 1
    ]
    if faults:
        raise InvalidModel(
            "\n".join(faults),
            fix="correct the file and run knoll apply -f FILE again; nothing has been changed",
        )
    if not found:
        raise InvalidModel(
            f"{', '.join(paths)}: there is no Model in it", fix="see examples/digits/model.yaml for one"
        )
    return [Declared(document, parse_model(document)) for _, document in found]


def _documents(path: str) -> Iterator[tuple[str, Document]]:
    text = _text(path)
    name = "stdin" if path == "-" else escaped(path)
    found = read_yaml(text, name)
    for number, document in enumerate(found, 1):
        yield (name if len(found) == 1 else f"{name}, document {number}"), document.value


def _text(path: str) -> str:
    fix = "name a YAML file with a Model, or - for stdin"
    try:
        body = sys.stdin.buffer.read(_LARGEST + 1) if path == "-" else _read(Path(path))
        if len(body) > _LARGEST:
            raise KnollError(f"{path}: larger than {_LARGEST} bytes, which is no Model", fix=fix)
        return body.decode("utf-8-sig")
    except FileNotFoundError as error:
        raise NotFound(f"{path}: there is no such file", fix=fix) from error
    except UnicodeDecodeError as error:
        raise KnollError(f"{path}: byte {error.start} is not UTF-8", fix="save the file as UTF-8") from error
    except OSError as error:
        raise KnollError(f"{path}: cannot be read: {error.strerror}", fix=fix) from error


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LARGEST + 1)


def _faults(document: Document, model_bucket: str) -> Iterator[str]:
    """The faults of a Model: in its form, its family, its config, its gate, and the place of its data."""
    for check in (parse_model, _check_family, _check_gate, lambda one: _check_place(one, model_bucket)):
        try:
            check(document)
        except InvalidModel as error:
            yield str(error) if check is parse_model else f"{error} ({error.fix})"


def _check_family(document: Document) -> None:
    family, config = _at(document, "spec", "family"), _at(document, "spec", "training", "config")
    if not isinstance(family, str):
        return
    check_family(family)
    if find_spec("torch") is not None and isinstance(config, Mapping):
        find_family(family).configure(config)


def _check_gate(document: Document) -> None:
    """A gate on a metric that the family does not measure would waste a whole training."""
    family, metric = _at(document, "spec", "family"), _at(document, "spec", "gate", "metric")
    if family not in FAMILIES or not isinstance(metric, str) or find_spec("torch") is None:
        return
    known = find_family(family).metrics
    if metric not in known:
        raise InvalidModel(
            f"spec.gate.metric: the family {family} has no metric {metric!r}",
            fix="one of: " + ", ".join(known),
        )


def _check_place(document: Document, model_bucket: str) -> None:
    uri = _at(document, "spec", "dataset", "uri")
    if isinstance(uri, str) and is_in_bucket(uri, model_bucket):
        raise InvalidModel(
            f"spec.dataset.uri: {uri} lies in the model bucket: a run's own records would be its data",
            fix="use a bucket of your own",
        )


def _at(document: Any, *path: str) -> Any:
    """The value at a path of a document, which may have faults; None if there is no value."""
    for key in path:
        document = document.get(key) if isinstance(document, Mapping) else None
    return document
