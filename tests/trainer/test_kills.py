"""Trainings that are killed at random steps: each goes on where its newest checkpoint is, to the last bit."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load
from torch.testing import assert_close

from knoll.ports import Bucket
from knoll.records.checkpoint import CHECKPOINT, checkpoints_uri, list_steps
from knoll.records.curves import CURVES, load_curves
from knoll.records.manifest import WEIGHTS, version_uri
from knoll.records.run import load_run, run_uri
from trainer.test_processes import World, open_world, ranks_of

pytestmark = [pytest.mark.stress, pytest.mark.loop]

Until = Callable[..., None]
SEED, KILLS = int(os.environ.get("SEED") or 0), 50
CONFIG = {"epochs": 60, "batchSize": 32, "width": 4}
EVERY = 0.3  # seconds between two checkpoints
SECONDS = 4.0  # of steps, about


@pytest.fixture(scope="module")
def some(digits: dict[str, bytes]) -> dict[str, bytes]:
    return {key: body for key, body in digits.items() if key[0] in "01"}


@pytest.fixture
def killed(s3: Any, tmp_path: Path) -> Iterator[World]:
    yield from open_world(s3, tmp_path)


@pytest.fixture(scope="module", params=[1, 2], ids=["1 process", "2 processes"])
def undisturbed(
    request: pytest.FixtureRequest, s3: Any, some: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[int, dict[str, bytes]]]:
    """The files of a version whose training nobody has killed, by so many processes."""
    for made in open_world(s3, tmp_path_factory.mktemp("undisturbed")):
        run = made.run(some, CONFIG, processes=request.param)
        assert made.start(run).wait(300) == 0, made.log()
        yield request.param, files_of(made)


def files_of(made: World) -> dict[str, bytes]:
    folder = version_uri(made.root, "digits", "v000001")
    return {name: made.store.get(folder + name) for name in (WEIGHTS, CURVES)}


def kill(trainer: Any, number: int, processes: int, chance: random.Random) -> None:
    """Send the signal to the trainer, or to one of its processes if that is killed."""
    ranks = ranks_of(trainer) if processes > 1 else []
    is_trainer = number == signal.SIGTERM or not ranks or chance.random() < 0.5
    os.kill(trainer.pid if is_trainer else chance.choice(ranks), number)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(SEED, SEED + KILLS))
def test_a_training_that_is_killed_at_a_random_step_goes_on_and_loses_an_interval_at_most(
    killed: World,
    some: dict[str, bytes],
    undisturbed: tuple[int, dict[str, bytes]],
    seed: int,
    until: Until,
) -> None:
    """SIGTERM or SIGKILL. No checkpoint that was whole is lost, and a new one is written in each interval.
    SEED=… begins with another seed."""
    processes, expected = undisturbed
    chance = random.Random(f"{seed} {processes}")
    run = killed.run(some, CONFIG, processes=processes)
    record = load_run(killed.store.get(run_uri(killed.root, run)))
    killed.store.put(run_uri(killed.root, run), replace(record, checkpoint_every=EVERY).encode())
    bucket = Bucket(killed.store, killed.root)
    trainer = killed.start(run)
    until(lambda: whole_steps(run, bucket), 120)
    delay, number = chance.uniform(0, SECONDS), chance.choice([signal.SIGTERM, signal.SIGKILL])
    print(f"seed {seed}: {number.name} after {delay:.2f} s, {processes} processes")
    time.sleep(delay)  # a random moment
    before = max(whole_steps(run, bucket), default=0)
    if trainer.poll() is None:
        kill(trainer, number, processes, chance)
    code = trainer.wait(120)
    assert code in ({0, 143} if number == signal.SIGTERM else {0, 75, -9}), killed.log()
    if code:
        assert killed.start(run).wait(240) == 0, killed.log()
        assert resumed(killed) >= before
    check_same(files_of(killed), expected, processes)


def whole_steps(run: str, bucket: Bucket) -> list[int]:
    """The steps whose checkpoints are whole."""
    place = checkpoints_uri(bucket.root, run)
    whole = {one.uri for one in bucket.store.list(place) if one.uri.endswith(CHECKPOINT)}
    return [step for step in list_steps(run, bucket) if any(f"/{step:09d}/" in uri for uri in whole)]


def resumed(made: World) -> int:
    """The step after which the last attempt went on."""
    _, _, told = made.log().rpartition("resumed after step ")
    return int(told.partition(",")[0])


def check_same(found: dict[str, bytes], expected: dict[str, bytes], processes: int) -> None:
    """Losses and weights are the same to the last bit; those of several processes up to rounding, because a
    checkpoint has the mean of their statistics of batch norm."""
    mine, theirs = (load_curves(files[CURVES]).points for files in (found, expected))
    if processes == 1:
        assert mine == theirs
    else:
        assert [one.train for one in mine] == [pytest.approx(one.train, abs=1e-5) for one in theirs]
    near = 0 if processes == 1 else 1e-3
    tensors = load(expected[WEIGHTS])
    for name, value in load(found[WEIGHTS]).items():
        assert_close(value, tensors[name], rtol=0, atol=near)
