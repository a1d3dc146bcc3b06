"""Trainings on an NVIDIA GPU: the losses of the CPU, in each way to compute, also after a stop; and how fast.

`make test-gpu` runs this file alone, where there are torch with CUDA and few other packages (CONTRIBUTING.md
lists them). So it takes no fixture of another folder, and all its data is drawn.
"""

import random
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache
from math import pi, sin
from typing import Any
from unittest.mock import patch

import pytest
import torch

from knoll.families.base import Examples, Files
from knoll.families.image.family import ImageClassifier
from knoll.families.recommender.family import Recommender
from knoll.families.tabular.family import Tabular
from knoll.families.text.family import TextClassifier
from knoll.families.traffic.family import TrafficForecast
from knoll.trainer.acceleration import PLAIN, Acceleration, choose
from knoll.trainer.checkpoints import UNSAVED
from knoll.trainer.device import computing, facts_of
from knoll.trainer.loop import Trained
from knoll.trainer.ranks import ALONE
from knoll.trainer.shortcuts import step_taker
from knoll.trainer.stopping import Terminated
from knoll.trainer.task import Task
from knoll.trainer.training_state import begin_training
from trainer.cheap import few_pictures
from trainer.still import STILL_IMAGE, StillDcgan, colours, losses, quarters, train_silently
from trainer.test_checkpoints import Shelf

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not torch.cuda.is_available(),
        reason="torch sees no NVIDIA GPU on this machine, so nothing was trained on one",
    ),
]

CPU, GPU = torch.device("cpu"), torch.device("cuda")
FP32 = {"precision": "fp32", "tf32": False, "fused": False}
WARM, TIMED = 8, 60  # steps


@cache
def table(target: str) -> Examples:
    """Rows whose class, or number, follows from two numbers and a word."""
    chance, lines = random.Random(1), ["length,weight,colour,answer"]
    for _ in range(400):
        length, weight, colour = chance.gauss(0, 1), chance.uniform(-9, 9), chance.choice(["red", "blue"])
        price = 3 * length + weight + (4 if colour == "red" else 0)
        answer = ("dear" if price > 2 else "cheap") if target == "class" else f"{price:.4f}"
        lines.append(f"{length:.4f},{weight:.4f},{colour},{answer}")
    body = "\n".join(lines).encode()
    return Tabular().examples(Files.of({"rows.csv": body}), Tabular().configure(TABLE))


@cache
def texts() -> Examples:
    """Opinions whose class follows from one word."""
    pytest.importorskip("tokenizers", reason="texts become tokens by tokenizers, which is not installed here")
    chance, lines = random.Random(2), ["text,label"]
    for number in range(240):
        label = chance.choice(["good", "bad"])
        word = {"good": "lovely", "bad": "dreadful"}[label]
        lines.append(f"the {chance.choice(THINGS)} was {word} {number},{label}")
    body = "\n".join(lines).encode()
    return TextClassifier().examples(Files.of({"texts.csv": body}), TextClassifier().configure(TEXTS))


@cache
def streets() -> Examples:
    """Counts of two streets that rise and fall with the time of day."""
    lines, start = ["when,north,south"], datetime(2026, 1, 5)
    for place in range(280):
        cars = [round(100 * share * (1.2 + sin(pi * place / 2))) for share in (1, 2)]
        lines.append(f"{start + timedelta(hours=6 * place)},{cars[0]},{cars[1]}")
    body = "\n".join(lines).encode()
    return TrafficForecast().examples(Files.of({"streets.csv": body}), TrafficForecast().configure(STREETS))


@cache
def shop() -> Examples:
    """Users who take the items of one of two kinds, in any order."""
    chance, lines = random.Random(3), ["user,item"]
    for number in range(80):
        items = [f"{'ab'[number % 2]}{one}" for one in range(8)]
        lines += [f"u{number},{one}" for one in chance.sample(items, 6)]
    return Recommender().examples(
        Files.of({"shop.csv": "\n".join(lines).encode()}), Recommender().configure(SHOP)
    )


THINGS = ["film", "plot", "music", "cast"]
TEXTS = {"vocabulary": 300, "epochs": 4, "batchSize": 32, "dropout": 0.0, "tokenDropout": 0.0}
STREETS = {"history": 28, "horizon": 4, "stride": 3, "epochs": 4, "batchSize": 8, "dropout": 0.0}
SHOP = {"history": 8, "negatives": 6, "epochs": 4, "batchSize": 16, "dropout": 0.0, "itemDropout": 0.0}
TABLE = {"target": "answer", "epochs": 6, "batchSize": 32, "dropout": 0.0, "unseen": 0.0}
FAMILIES: dict[str, tuple[Any, Mapping[str, Any], Callable[[], Examples]]] = {
    "image-classifier": (
        *(ImageClassifier(), {**STILL_IMAGE, "epochs": 3, "batchSize": 16}),
        lambda: quarters(98, 28),
    ),
    "tabular, a class": (Tabular(), TABLE, lambda: table("class")),
    "tabular, a number": (Tabular(), TABLE, lambda: table("number")),
    "text-classifier": (TextClassifier(), TEXTS, texts),
    "traffic-forecast": (TrafficForecast(), STREETS, streets),
    "recommender": (Recommender(), SHOP, shop),
    "dcgan": (StillDcgan(), {"epochs": 2, "batchSize": 8, "scored": 8}, lambda: colours(40)),
}


def chosen(name: str, wishes: Mapping[str, Any]) -> Acceleration:
    family, _, examples = FAMILIES[name]
    return choose(facts_of(GPU, family, examples(), 1000), wishes)


def fit(
    name: str,
    device: torch.device,
    how: Acceleration = PLAIN,
    shelf: Shelf | None = None,
    stop_after: int = 0,
    **config: Any,
) -> Trained:
    """Train the family where and how, with latent vectors that the CPU draws."""
    family, fields, examples = FAMILIES[name]
    with few_pictures():
        return train_silently(family, {**fields, **config}, examples(), device, how, shelf, stop_after)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_losses_of_a_training_are_those_of_the_cpu(name: str) -> None:
    """In fp32. What is drawn by chance is drawn by the CPU here, too."""
    choose_rows = torch.multinomial

    def drawn(draw: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        return lambda *size, device=None, **more: draw(*size, **more).to(device)

    def chosen_rows(shares: torch.Tensor, *more: Any, **named: Any) -> torch.Tensor:
        return choose_rows(shares.cpu(), *more, **named).to(shares.device)

    with (
        patch.object(torch, "randn", drawn(torch.randn)),
        patch.object(torch, "rand", drawn(torch.rand)),
        patch.object(torch, "multinomial", chosen_rows),
    ):
        ours, theirs = (fit(name, device, chosen(name, FP32)) for device in (GPU, CPU))
    print(f"\n{name}: {losses(ours)[-2:]} on the GPU, {losses(theirs)[-2:]} on the CPU")
    assert losses(ours) == pytest.approx(losses(theirs), rel=0.03, abs=0.01)


@pytest.mark.parametrize("name", ["image-classifier", "dcgan"])
@pytest.mark.parametrize(
    "wishes",
    [{}, {"precision": "fp16"}, {"cudaGraphs": True}, {"precision": "fp16", "cudaGraphs": True}],
    ids=["auto", "fp16", "graphs", "graphs-fp16"],
)
def test_a_training_that_was_stopped_goes_on_as_if_it_never_was(name: str, wishes: Mapping[str, Any]) -> None:
    """Its noise, too, which the GPU draws. Sums on a GPU may be rounded in another way each time."""
    how, noise = chosen(name, wishes), dict[str, Any]()
    if name == "image-classifier":
        noise = {"noise": 0.05, "dropout": 0.2}
    shelf = Shelf()
    for looks in (2, 3):
        with pytest.raises(Terminated):
            fit(name, GPU, how, shelf, stop_after=looks, **noise)
    resumed, whole = fit(name, GPU, how, shelf, **noise), fit(name, GPU, how, **noise)
    assert shelf.passed_over == []
    assert resumed.notes == whole.notes == ()
    assert losses(resumed) == pytest.approx(losses(whole), rel=0.03, abs=0.01)


WAYS: Mapping[str, Mapping[str, Any]] = {
    "auto": {},
    "tf32": {**FP32, "tf32": True},
    "bf16": {**FP32, "precision": "bf16"},
    "fp16": {**FP32, "precision": "fp16"},
    "channelsLast": {**FP32, "channelsLast": True},
    "fused": {**FP32, "fused": True},
    "compile": {**FP32, "compile": True},
    "graphs": {**FP32, "cudaGraphs": True},
    "graphs-fp16": {"precision": "fp16", "cudaGraphs": True},
    "all": {"compile": True, "cudaGraphs": True},
}
TOO_LONG = [("dcgan", "compile"), ("image-classifier", "all")]  # as long as all the others


@pytest.mark.parametrize(
    ("name", "way"),
    [(name, way) for name in ("image-classifier", "dcgan") for way in WAYS if (name, way) not in TOO_LONG],
)
def test_each_way_to_compute_leads_to_the_losses_of_fp32(name: str, way: str) -> None:
    """Nothing that is asked for is left out, unless this GPU or machine has not what it needs."""
    how = chosen(name, WAYS[way])
    if how.refused:
        pytest.skip("; ".join(f"{one}: {why}" for one, why in how.refused.items()))
    trained, plain = fit(name, GPU, how), fit(name, GPU, chosen(name, FP32))
    assert trained.notes == ()
    assert losses(trained) == pytest.approx(losses(plain), rel=0.1, abs=0.05)


@pytest.mark.parametrize("name", ["image-classifier", "dcgan"])
def test_how_many_pictures_it_learns_in_a_second(name: str) -> None:
    """Prints them, since the rule follows what is measured. Their order is not asserted: it is of the GPU."""
    family, fields, examples = FAMILIES[name]
    config = family.configure({**fields, "batchSize": 64} | ({"width": 64} if name != "dcgan" else {}))
    ways: Mapping[str, Mapping[str, Any]] = {
        "fp32": FP32,
        "tf32": {**FP32, "tf32": True},
        "auto": {},
        "auto, fp16": {"precision": "fp16"},
        "auto, compile": {"compile": True},
        "auto, cudaGraphs": {"cudaGraphs": True},
        "auto, compile and cudaGraphs": {"compile": True, "cudaGraphs": True},
    }
    print()
    for what, wishes in ways.items():
        task = Task(family, examples(), config, GPU, ALONE, how=chosen(name, wishes))
        began = time.perf_counter()
        speed, notes = pictures_a_second(task)
        took = time.perf_counter() - began
        left_out = "".join(f"  ({one})" for one in notes)
        print(f"{name}, {what}: {speed:,.0f} images/s, after {took:.1f} s in all{left_out}")
        assert speed > 0


def pictures_a_second(task: Task) -> tuple[float, list[str]]:
    """Of steps that copy their batches to the GPU, too; and what was left out."""
    now = begin_training(task, UNSAVED)
    now.networks.train()
    take_step = step_taker(task, now, lambda _: None)
    rows = torch.arange(int(task.config.batch_size)) % task.count
    with computing(task.device, task.how):
        for number in range(WARM + TIMED):
            if number == WARM:
                torch.cuda.synchronize()
                began = time.perf_counter()
            take_step(task.rows(task.examples.train, rows), 1.0)
        torch.cuda.synchronize()
    return TIMED * len(rows) / (time.perf_counter() - began), now.notes
