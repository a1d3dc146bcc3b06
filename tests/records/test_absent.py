"""What is not there: `find_…` gives None, or nothing if it finds many; `read_…` raises NotFound."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest

import knoll.records
from knoll.adapters.memory.store import MemoryStore
from knoll.errors import NotFound
from knoll.ports import Bucket

EMPTY = Bucket(MemoryStore(), "s3://knoll-models")
RUN, URI = "digits-0123456789abcdef0123", "s3://knoll-models/nothing.json"


def functions(prefix: str) -> Iterator[Callable[..., Any]]:
    """Of the modules of records, those that need texts and a bucket alone."""
    for module in pkgutil.iter_modules(knoll.records.__path__):
        found = importlib.import_module(f"knoll.records.{module.name}")
        for one in (getattr(found, name) for name in found.__all__ if name.startswith(prefix)):
            kinds = {it.annotation for it in _parameters(one)}
            if Bucket in kinds and kinds <= {Bucket, str}:
                yield one


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    wanted = inspect.signature(function).parameters.values()
    return [one for one in wanted if one.default is inspect.Parameter.empty]


def call(function: Callable[..., Any]) -> Any:
    texts = {"run": RUN, "uri": URI}
    return function(
        *(EMPTY if one.annotation is Bucket else texts.get(one.name, "x") for one in _parameters(function))
    )


@pytest.mark.parametrize("find", [*functions("find_")], ids=lambda one: one.__name__)
def test_what_is_absent_is_none(find: Callable[..., Any]) -> None:
    found = call(find)
    is_one = type(None) in get_args(inspect.signature(find).return_annotation)
    assert found is None if is_one else [*found] == []


@pytest.mark.parametrize("read", [*functions("read_")], ids=lambda one: one.__name__)
def test_what_must_be_there_is_missed(read: Callable[..., Any]) -> None:
    with pytest.raises(NotFound):
        call(read)
