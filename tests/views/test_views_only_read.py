"""Views only read: each public function of a view is called on a platform that notes what is asked of it."""

import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

import knoll.views
from knoll.adapters.memory.platform import memory_platform
from knoll.data_layout import Form
from knoll.families import find_family
from knoll.models import Model, parse_model
from knoll.models.policy import PolicySpec
from knoll.ports import Document, Platform
from knoll.records.manifest import Manifest, find_manifest, write_file
from knoll.rollout.slot import Slot
from knoll.rollout.wishes import Wish, new_wish
from knoll.views.letters import letter_ids
from knoll.views.models import ModelView, find_model
from knoll.views.runs import RunsView
from records.kinds import ROOT, golden_bucket
from support.models import model_document

RELEASE = "knoll-0.3"
DATA = "s3://data/digits/"
READS = {"list", "get"}
PORTS = ("store", "cluster", "events", "predictors")


class Watched:
    """A part of a platform that notes each call with its first argument."""

    def __init__(self, part: Any, calls: list[tuple[str, str]]) -> None:
        self._part, self._calls = part, calls

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._part, name)

        def call(*words: Any, **options: Any) -> Any:
            self._calls.append((name, str(words[0])))
            return method(*words, **options)

        return call


@pytest.fixture
def platform() -> Platform:
    """A model with records of every kind, and data that a look of ingest would read for its sha256."""
    platform = memory_platform()
    bucket = golden_bucket(RELEASE)
    for one in bucket.store.list(f"{ROOT}/"):
        key = one.uri.removeprefix(ROOT)
        platform.store.put(platform.settings.model_root + key, bucket.store.get(one.uri))
    for name in ("README.md", "confusion_matrix.png"):
        write_file("digits", "v000001", name, b"", platform.bucket)
    made = platform.cluster.create(
        model_document("digits", landed={"when": "manifest", "manifest": "list.json"})
    )
    status = {"champion": "v000001", "candidate": "v000002", "phase": "Canary"}
    platform.cluster.update({**made, "status": status}, status=True)
    platform.store.put(f"{DATA}0/a.png", b"a")
    listed = [{"path": "0/a.png", "sha256": sha256(b"a").hexdigest()}]
    platform.store.put(f"{DATA}list.json", json.dumps(listed).encode())
    return platform


def views() -> Iterator[Callable[..., Any]]:
    for module in pkgutil.iter_modules(knoll.views.__path__):
        found = importlib.import_module(f"knoll.views.{module.name}")
        for one in (getattr(found, name) for name in found.__all__):
            if inspect.isfunction(one) and "platform" in inspect.signature(one).parameters:
                yield one


def arguments(view: Callable[..., Any], platform: Platform) -> dict[str, Any]:
    """One for each parameter of the view that has no default, by its type, or its name if it is a text."""
    manifest = find_manifest("digits", "v000001", platform.bucket)
    run = manifest.run if manifest else ""
    model = parse_model(platform.cluster.get("Model", "digits"))
    texts = {"first": "v000001", "second": "v000001", "version": "v000001"}
    texts |= dict.fromkeys(("model", "name"), "digits") | dict.fromkeys(("run", "id", "wanted"), run)
    known = {
        Platform: platform,
        Model: model,
        ModelView: find_model(platform, "digits"),
        Manifest: manifest,
        PolicySpec: PolicySpec(),
        RunsView: RunsView(),
        Form: find_family(model.family).form,
        int: 20,
        Iterable[Document]: [platform.cluster.get("Model", "digits")],
        set[str]: set(letter_ids(platform)),
        Iterable[str]: letter_ids(platform),
        Sequence[str]: ["0/a.png"],
        bool: True,
        Callable[[str], Form]: lambda family: find_family(family).form,
        Callable[[Slot], Wish]: lambda slot: new_wish("abort", slot.candidate, "ann", ""),
    }
    wanted = inspect.signature(view).parameters.values()
    return {
        one.name: texts[one.name] if one.annotation is str else known[one.annotation]
        for one in wanted
        if one.default is inspect.Parameter.empty
    }


@pytest.mark.parametrize("view", [*views()], ids=lambda view: view.__name__)
def test_a_view_writes_nothing_and_reads_no_data(view: Callable[..., Any], platform: Platform) -> None:
    """Of the user's objects it reads the manifest of an upload at most, which is a list."""
    given, calls = arguments(view, platform), list[tuple[str, str]]()
    parts: dict[str, Any] = {
        name: Watched(getattr(platform, name), calls) for name in ("store", "cluster", "events", "predictors")
    }
    found = view(**given | {"platform": replace(platform, **parts)})
    if callable(found):
        found(0)
    assert {name for name, _ in calls} <= READS
    assert {uri for name, uri in calls if name == "get" and uri.startswith(DATA)} <= {f"{DATA}list.json"}
