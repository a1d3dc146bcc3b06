"""A killed run goes on from its newest checkpoint, and loads nothing that is no checkpoint of its own."""

import json
import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from safetensors.torch import load, save

from knoll.adapters.memory.store import MemoryStore
from knoll.errors import StoreUnavailable
from knoll.names import join
from knoll.records.checkpoint import (
    CHECKPOINT,
    STATE,
    TENSORS,
    Checkpoint,
    checkpoint_uri,
    checkpoints_uri,
    list_steps,
    load_checkpoint,
)
from knoll.records.curves import load_curves
from knoll.records.manifest import entry_of
from knoll.records.progress import load_progress, progress_uri
from knoll.records.run import load_run, run_uri
from knoll.trainer.run import train
from support.keys import private_key, signer_of
from trainer.cheap import serve_nothing
from trainer.test_trainer import PREFIX, ROOT, RUN, World, world

STEPS = 30


@pytest.fixture(scope="module", autouse=True)
def _without_export() -> Iterator[None]:
    with patch("knoll.trainer.served_files.export_graph", serve_nothing):
        yield


@pytest.fixture(scope="module")
def some(digits: dict[str, bytes]) -> dict[str, bytes]:
    return {key: body for key, body in digits.items() if key[0] in "01"}


def ready(home: Path, files: dict[str, bytes], keys: bool = True) -> World:
    """A run that keeps its state after each step."""
    made = world(home, files, {"epochs": 5, "batchSize": 32, "width": 4})
    run = load_run(made.store.get(run_uri(ROOT, RUN)))
    made.store.put(run_uri(ROOT, RUN), replace(run, checkpoint_every=1e-9).encode())
    settings = made.platform.settings
    if keys:
        settings = settings.model_copy(
            update={"sign_key": private_key(1), "verify_key": signer_of(1).public.pem}
        )
    return replace(made, platform=replace(made.platform, settings=settings))


def after_checkpoints(made: World, count: int, act: Callable[[], Any]) -> None:
    """Act once when so many checkpoints are written."""
    put, written = made.store.put, []

    def watched(uri: str, *rest: Any, **more: Any) -> str:
        etag = put(uri, *rest, **more)
        if uri.endswith(f"/{CHECKPOINT}"):
            written.append(uri)
            if len(written) == count:
                act()
        return etag

    made.store.put = watched  # type: ignore[method-assign]


@pytest.fixture(scope="module")
def stopped(some: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> World:
    """A run whose first attempt got SIGTERM amid its steps."""
    made = ready(tmp_path_factory.mktemp("stopped"), some)
    after_checkpoints(made, 3, lambda: signal.raise_signal(signal.SIGTERM))
    assert train(RUN, made.platform) == 143
    return made


@pytest.fixture
def terminated(stopped: World) -> World:
    """The same objects in a store of the test's own."""
    store = MemoryStore()
    for place in (PREFIX, f"{ROOT}/"):
        for one in stopped.store.list(place):
            store.put(one.uri, stopped.store.get(one.uri))
    return replace(stopped, store=store, platform=replace(stopped.platform, store=store))


@pytest.fixture(scope="module")
def undisturbed(some: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    made = ready(tmp_path_factory.mktemp("undisturbed"), some)
    assert train(RUN, made.platform) == 0
    return files_of(made)


def files_of(made: World) -> dict[str, bytes]:
    """The files of the version but those that have the time in them, or that tell of attempts. The points of
    the curves, and the other lines of the card, are those of an undisturbed run."""
    files, told = made.version(), ("manifest.json", "attestation.json", "curves.png")
    whole = replace(load_curves(files["curves.json"]), resumed=()).encode()
    card = re.sub(rb"\n\nIt went on from a checkpoint after step [0-9, ]+\.", b"", files["README.md"])
    return {name: body for name, body in files.items() if name not in told} | {
        "curves.json": whole,
        "README.md": card,
    }


def test_a_terminated_run_keeps_its_state_and_goes_on_from_there(
    terminated: World, undisturbed: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    """The two newest checkpoints stay. Progress says which step and attempt. The version is the same to the
    last bit."""
    made = terminated
    newest, before = list_steps(RUN, made.platform.bucket)
    assert before < newest < STEPS
    assert train(RUN, made.platform) == 0
    assert f"resumed after step {newest}, attempt 2" in capsys.readouterr().out
    progress = load_progress(made.store.get(progress_uri(ROOT, RUN)))
    assert (progress.attempt, progress.resumed_step) == (2, newest)
    assert load_curves(made.version()["curves.json"]).resumed == (newest,)
    assert files_of(made) == undisturbed


def test_a_store_that_takes_no_checkpoint_costs_a_line_of_the_log(
    some: dict[str, bytes], undisturbed: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = ready(tmp_path, some)
    put = made.store.put

    def failing(uri: str, *rest: Any, **more: Any) -> str:
        if uri.startswith(checkpoints_uri(ROOT)):
            raise StoreUnavailable("the store is full")
        return put(uri, *rest, **more)

    made.store.put = failing  # type: ignore[method-assign]
    assert train(RUN, made.platform) == 0
    assert "was not written: the store is full" in capsys.readouterr().out
    assert files_of(made) == undisturbed


def _torn(made: World, step: int) -> None:
    made.store.delete(checkpoint_uri(ROOT, RUN, step))


def _without_tensors(made: World, step: int) -> None:
    made.store.delete(checkpoint_uri(ROOT, RUN, step, TENSORS))


def _other_bytes(made: World, step: int) -> None:
    uri = checkpoint_uri(ROOT, RUN, step, TENSORS)
    body = made.store.get(uri)
    made.store.put(uri, body[:-1] + bytes([body[-1] ^ 1]))


def _no_json(made: World, step: int) -> None:
    made.store.put(checkpoint_uri(ROOT, RUN, step), b"{")


def _newer(made: World, step: int) -> None:
    _change(made, step, schema=2)


def _change(made: World, step: int, **fields: Any) -> None:
    uri = checkpoint_uri(ROOT, RUN, step)
    made.store.put(uri, json.dumps({**json.loads(made.store.get(uri)), **fields}).encode())


def _other_weights(made: World, step: int) -> None:
    """Somebody with the keys of the bucket puts other weights there, and a manifest that fits them."""
    uri = checkpoint_uri(ROOT, RUN, step, TENSORS)
    made.store.put(uri, save({name: tensor * 0 for name, tensor in load(made.store.get(uri)).items()}))
    found = load_checkpoint(made.store.get(checkpoint_uri(ROOT, RUN, step)))
    files = {
        name: entry_of(made.store.get(checkpoint_uri(ROOT, RUN, step, name))) for name in (STATE, TENSORS)
    }
    forged = Checkpoint(RUN, step, found.of_steps, 1, 1, found.written_at, files, stamp=found.stamp)
    made.store.put(checkpoint_uri(ROOT, RUN, step), forged.encode())


def _of_another_step(made: World, step: int) -> None:
    """An older checkpoint of the same run, under a later name."""
    older = list_steps(RUN, made.platform.bucket)[1]
    for name in (STATE, TENSORS, CHECKPOINT):
        made.store.put(
            checkpoint_uri(ROOT, RUN, step, name), made.store.get(checkpoint_uri(ROOT, RUN, older, name))
        )


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_torn, "the attempt that wrote it was killed"),
        (_without_tensors, "its state.safetensors is missing"),
        (_other_bytes, "its state.safetensors is not what was written"),
        (_no_json, "is not a checkpoint"),
        (_newer, "neither a trainer nor a function of this platform has signed it"),
        (_other_weights, "neither a trainer nor a function of this platform has signed it"),
        (_of_another_step, "it is of another run or step"),
    ],
)
def test_a_spoilt_checkpoint_is_named_and_the_one_before_it_is_used(
    terminated: World,
    undisturbed: dict[str, bytes],
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[World, int], None],
    words: str,
) -> None:
    made = terminated
    newest, before = list_steps(RUN, made.platform.bucket)
    spoil(made, newest)
    capsys.readouterr()
    assert train(RUN, made.platform) == 0
    log = capsys.readouterr().out
    assert f"passed over the checkpoint of step {newest}: " in log
    assert words in log
    assert f"resumed after step {before}, attempt 2" in log
    assert files_of(made) == undisturbed


def test_the_state_of_another_training_is_passed_over(
    some: dict[str, bytes], undisturbed: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its files are whole, and there are no keys. The networks do not fit, so the run begins anew."""
    wide = ready(tmp_path / "wide", some, keys=False)
    run = load_run(wide.store.get(run_uri(ROOT, RUN)))
    wide.store.put(run_uri(ROOT, RUN), replace(run, config={**run.config, "width": 8}).encode())
    after_checkpoints(wide, 1, lambda: signal.raise_signal(signal.SIGTERM))
    assert train(RUN, wide.platform) == 143
    made = ready(tmp_path / "narrow", some, keys=False)
    for one in wide.store.list(checkpoints_uri(ROOT)):
        made.store.put(one.uri, wide.store.get(one.uri))
    capsys.readouterr()
    assert train(RUN, made.platform) == 0
    assert "its state is of another training" in capsys.readouterr().out
    assert files_of(made) == undisturbed


def test_no_checkpoint_lies_at_a_place_of_its_own(stopped: World) -> None:
    """All lie in the folder of the run, under the number of the step."""
    names = {one.uri.removeprefix(join(ROOT, "")) for one in stopped.store.list(checkpoints_uri(ROOT))}
    assert names == {
        f"checkpoints/{RUN}/{step:09d}/{name}"
        for step in list_steps(RUN, stopped.platform.bucket)
        for name in (CHECKPOINT, STATE, TENSORS)
    }
