"""What is measured of a training: at a bounded cost, and without a trace in its weights."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from knoll.families.base import Examples, Family, Files
from knoll.families.dcgan.family import Dcgan
from knoll.families.image.family import ImageClassifier
from knoll.trainer.loop import Trained, train_networks
from knoll.trainer.measuring import Measurements, milestone_steps, point_steps

IMAGE = {"epochs": 3, "width": 4, "seed": 5, "batchSize": 16}
GAN = {"epochs": 1, "latent": 8, "seed": 5, "batchSize": 4, "scored": 4}


def few(digits: Mapping[str, bytes], every: int) -> dict[str, bytes]:
    return dict([*(one for one in digits.items() if one[0][0] in "01")][::every])


def fit(
    family: Family[Any], files: Mapping[str, bytes], config: Mapping[str, Any]
) -> tuple[Trained, Examples, list[str]]:
    configured, lines = family.configure(config), list[str]()
    examples = family.examples(Files.of(files), configured)
    trained = train_networks(
        *(family, examples, configured),
        device=torch.device("cpu"),
        report=lambda *_: None,
        say=lines.append,
    )
    return trained, examples, lines


@pytest.mark.parametrize(
    ("family", "config", "every", "points"),
    [(ImageClassifier(), IMAGE, 4, 12), (Dcgan(), GAN, 15, 4)],
    ids=["image", "gan"],
)
def test_a_training_ends_with_the_same_weights_whether_it_is_measured_or_not(
    digits: dict[str, bytes],
    family: Family[Any],
    config: dict[str, Any],
    every: int,
    points: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The losses of a GAN draw random numbers, and dropout and batch norm depend on the mode."""
    measured, _, _ = fit(family, few(digits, every), config)
    monkeypatch.setattr(Measurements, "take", lambda *_: None)
    alone, _, _ = fit(family, few(digits, every), config)
    assert len(measured.curves.points) == points
    assert measured.curves.points[-1].held_out
    assert not alone.curves.points
    mine, theirs = measured.networks.state_dict(), alone.networks.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


def test_a_point_has_the_losses_on_both_sides_the_metrics_and_the_rate(digits: dict[str, bytes]) -> None:
    """The held-out loss is that of the pictures as they are, of the network as it is served. The means of
    the steps between the points add up to that of the epoch."""
    family = ImageClassifier()
    trained, examples, lines = fit(family, few(digits, 1), IMAGE)
    assert len(examples.held_out[0]) <= 256
    with torch.no_grad():
        metrics = family.score(trained.networks, examples, family.configure(IMAGE))
    last = trained.curves.points[-1]
    assert last.held_out["classifier"] == pytest.approx(metrics["loss"], rel=1e-4)
    assert last.metrics == pytest.approx(metrics)
    assert f"(held out {last.held_out['classifier']:.4f})" in lines[-1]
    assert [point.epoch for point in trained.curves.points] == [1] * 4 + [2] * 4 + [3] * 4
    steps = [
        late.step - early.step
        for early, late in zip(trained.curves.points[7:], trained.curves.points[8:], strict=False)
    ]
    losses = [point.train["classifier"] for point in trained.curves.points[8:]]
    mean = sum(loss * count for loss, count in zip(losses, steps, strict=True)) / sum(steps)
    assert mean == pytest.approx(trained.losses["classifier"], rel=1e-4)
    rates = [point.rates["classifier"] for point in trained.curves.points]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] < 2e-3
    assert rates[-1] == 0


def test_what_cannot_be_measured_is_left_out_and_named_once(
    digits: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The training goes on, with a curve of what is left."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError("no score")

    monkeypatch.setattr(ImageClassifier, "score", fail)
    trained, _, lines = fit(ImageClassifier(), few(digits, 4), IMAGE)
    words = "the curve of metrics is left out: ZeroDivisionError: no score"
    assert trained.notes == (words,)
    assert lines.count(words) == 1
    assert all(point.held_out and not point.metrics for point in trained.curves.points)


@given(st.integers(1, 10_000))
def test_milestones_are_few_even_and_end_with_the_last_step(steps: int) -> None:
    """At most eight, no two gaps differ by more than a step, and the last one shows the result."""
    points = sorted(milestone_steps(steps))
    gaps = [late - early for early, late in zip([0, *points], points, strict=False)]
    assert len(points) == min(8, steps)
    assert points[-1] == steps
    assert max(gaps) - min(gaps) <= 1


@given(st.integers(1, 200), st.integers(1, 1000))
def test_a_curve_has_a_point_at_the_end_of_each_epoch_unless_they_are_many(
    per_epoch: int, epochs: int
) -> None:
    """At least 12 points if there are so many steps, and at most 100; the last step has one."""
    steps = per_epoch * epochs
    points = point_steps(steps, epochs)
    assert min(12, steps) <= len(points) <= min(100, steps)
    assert steps in points
    if epochs <= 100:
        assert points >= set(range(per_epoch, steps + 1, per_epoch))
