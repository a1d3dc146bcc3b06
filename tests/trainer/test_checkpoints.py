"""Checkpoints: a training that was stopped goes on from the newest whole one, to the last bit."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from knoll.families.base import Family, Files
from knoll.families.dcgan.family import Dcgan
from knoll.families.image.family import ImageClassifier
from knoll.families.text.family import TextClassifier
from knoll.families.traffic.family import TrafficForecast
from knoll.trainer.checkpoints import Saved
from knoll.trainer.loop import Trained, train_networks
from knoll.trainer.state_files import Tree, decode_tree, encode_tree
from knoll.trainer.stopping import Terminated

CPU = torch.device("cpu")
FAMILIES: dict[str, tuple[Family[Any], dict[str, Any], int]] = {
    "image-classifier": (ImageClassifier(), {"epochs": 3, "width": 4, "seed": 5, "batchSize": 16}, 4),
    "dcgan": (Dcgan(), {"epochs": 2, "latent": 8, "seed": 5, "batchSize": 2, "scored": 2}, 45),
    "traffic-forecast": (
        TrafficForecast(),
        {"epochs": 3, "width": 4, "seed": 5, "batchSize": 8, "history": 14, "horizon": 2, "gaps": 0.2},
        0,
    ),
    "text-classifier": (
        TextClassifier(),
        {"epochs": 3, "width": 4, "seed": 5, "batchSize": 8, "vocabulary": 300},
        0,
    ),
}
DAYS = "".join(["day,cars\n", *(f"2026-{n // 28 + 1:02}-{n % 28 + 1:02},{n % 7}\n" for n in range(150))])
TEXTS = "".join(["text,label\n", *(f"text {n} is {('good', 'bad')[n % 2]},{n % 2}\n" for n in range(50))])
TABLES = {"traffic-forecast": {"days.csv": DAYS.encode()}, "text-classifier": {"texts.csv": TEXTS.encode()}}


class Shelf:
    """Keeps states as files in memory."""

    def __init__(self, *, each: bool = False) -> None:
        self.each = each
        self.files: list[tuple[int, tuple[bytes, bytes]]] = []
        self.passed_over: list[int] = []
        self.resumed: list[int] = []

    def saved(self) -> Iterator[Saved]:
        for step, files in reversed(self.files):
            yield Saved(step, 1, decode_tree(*files))

    def pass_over(self, step: int, error: Exception) -> None:
        self.passed_over.append(step)

    def resume(self, saved: Saved) -> None:
        self.resumed.append(saved.step)

    def is_due(self) -> bool:
        return self.each

    def keep(self, tree: Tree, step: int, of_steps: int) -> None:
        self.files.append((step, encode_tree(tree)))

    def finish(self) -> None:
        return None


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def training(request: pytest.FixtureRequest, digits: dict[str, bytes]) -> Callable[..., Trained]:
    """Trains a family on some digits, or on days or texts."""
    family, config, stride = FAMILIES[request.param]
    few = TABLES.get(request.param, {})
    if stride:
        few = dict([*(one for one in digits.items() if one[0][0] in "01")][::stride])
    configured = family.configure(config)
    examples = family.examples(Files.of(few), configured)

    def train(shelf: Shelf | None = None, stop_after: int = 0) -> Trained:
        looks = iter(range(1, 10_000))
        more: dict[str, Any] = {"keeper": shelf} if shelf else {}
        return train_networks(
            family,
            examples,
            configured,
            device=CPU,
            report=lambda *_: None,
            say=lambda _: None,
            is_asked_to_stop=lambda: bool(stop_after) and next(looks) >= stop_after,
            **more,
        )

    return train


@pytest.fixture(scope="module")
def undisturbed(training: Callable[..., Trained]) -> Trained:
    return training()


def assert_same(one: Trained, other: Trained) -> None:
    mine, theirs = one.networks.state_dict(), other.networks.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    assert one.losses == other.losses
    assert one.pictures == other.pictures
    assert one.curves.points == other.curves.points


def test_a_training_that_is_stopped_often_ends_as_if_it_never_was(
    training: Callable[..., Trained], undisturbed: Trained
) -> None:
    """Weights, running means, losses, curve and pictures are the same to the last bit. It knows where it
    stopped."""
    seed = random.SystemRandom().randrange(2**32)  # a training seeds the common one
    print(f"seed {seed}")
    chance, shelf = random.Random(seed), Shelf()
    for _ in range(3):
        with pytest.raises(Terminated):
            training(shelf, stop_after=chance.randint(1, 2))
    ended = training(shelf)
    assert_same(ended, undisturbed)
    assert len(shelf.resumed) == 3
    assert list(ended.curves.resumed) == shelf.resumed
    assert not undisturbed.curves.resumed


def test_it_does_not_matter_how_often_the_state_is_kept(
    training: Callable[..., Trained], undisturbed: Trained
) -> None:
    """Copying the state changes nothing; and each state leads to the same end."""
    shelf = Shelf(each=True)
    assert_same(training(shelf), undisturbed)
    for kept in shelf.files[:: max(1, len(shelf.files) // 3)]:
        one = Shelf()
        one.files = [kept]
        assert_same(training(one), undisturbed)
