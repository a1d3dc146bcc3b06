"""The image classifier: it learns real digits, and says what is wrong with a folder."""

import io
import math
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from knoll.errors import InvalidData, InvalidModel
from knoll.families.base import Examples, Files
from knoll.families.image.confusion import count_confusion, draw_confusion
from knoll.families.image.family import ImageClassifier
from knoll.families.pictures import to_png
from knoll.trainer.loop import train_networks

FAMILY = ImageClassifier()


def test_it_reads_97_of_100_digits_that_it_has_not_seen(digits: dict[str, bytes]) -> None:
    """On the UCI digits the held-out accuracy is at least 0.97."""
    config = FAMILY.configure({"epochs": 8, "seed": 1})
    examples = FAMILY.examples(Files.of(digits), config)
    trained = train_networks(
        FAMILY, examples, config, device=torch.device("cpu"), report=lambda *_: None, say=lambda _: None
    )
    with torch.no_grad():
        metrics = FAMILY.score(trained.networks, examples, config)
        assert tuple(metrics) == tuple(one.name for one in FAMILY.metrics)
        pictures = FAMILY.final_pictures(trained.networks, examples, config)
    assert metrics["accuracy"] >= 0.97
    assert metrics["macro_f1"] == pytest.approx(metrics["accuracy"], abs=0.02)
    assert pictures["confusion_matrix.png"].startswith(b"\x89PNG")


def test_the_class_is_the_folder_that_the_picture_lies_in(digits: dict[str, bytes]) -> None:
    """Folders above it mean nothing."""
    few = {f"raw/2026/{key}": body for key, body in digits.items() if key[0] in "37"}
    examples = FAMILY.examples(Files.of({**few, "_SUCCESS": b""}), FAMILY.configure({}))
    assert examples.about["classes"] == ["3", "7"]
    assert len(examples.train[0]) + len(examples.held_out[0]) == len(few)


@pytest.mark.parametrize(
    ("classes", "reason"),
    [
        ([], "no class"),
        (["3", "3"], "only the class 3"),
        (["3", "3", "7"], "only one picture in class 7"),
        (["", "3"], "0.png: it lies in no folder"),
    ],
)
def test_a_folder_that_cannot_be_learnt_from_is_refused(
    digits: dict[str, bytes], classes: list[str], reason: str
) -> None:
    """No classes, one class, a class with a single picture, a picture outside any class."""
    body = next(iter(digits.values()))
    files = {f"{label}/{index}.png".lstrip("/"): body for index, label in enumerate(classes)}
    with pytest.raises(InvalidData, match=reason):
        FAMILY.examples(Files.of(files), FAMILY.configure({}))


def picture(width: int, height: int, **options: Any) -> bytes:
    body = io.BytesIO()
    Image.new("L", (width, height), 7).save(body, "JPEG", **options)
    return body.getvalue()


@pytest.mark.parametrize(
    ("size", "config", "learnt"),
    [
        ((800, 600), {}, (96, 72)),
        ((600, 800), {}, (72, 96)),
        ((28, 28), {}, (28, 28)),
        ((960, 9), {}, (96, 8)),
        ((800, 600), {"imageWidth": 200}, (200, 150)),
        ((800, 600), {"imageWidth": 64, "imageHeight": 64}, (64, 64)),
        ((28, 30), {"imageWidth": 64}, (64, 30)),
    ],
)
def test_the_size_is_that_of_the_data_within_bounds(
    size: tuple[int, int], config: dict[str, int], learnt: tuple[int, int]
) -> None:
    """Small pictures stay as they are. Those of a camera are made smaller, unless the config asks for more,
    and a note says so."""
    files = {f"{label}/{index}.jpg": picture(*size) for label in "ab" for index in range(2)}
    examples = FAMILY.examples(Files.of(files), FAMILY.configure(config))
    assert (examples.about["width"], examples.about["height"]) == learnt
    assert examples.train[0].shape[2:] == learnt[::-1]
    note = " ".join(examples.notes)
    assert (f"{size[0]}×{size[1]}" in note) == (f"{learnt[0]}×{learnt[1]}" in note) == (learnt[0] < size[0])


def test_a_picture_that_is_stored_lying_is_learnt_upright() -> None:
    """The survey of sizes sees it upright, too."""
    exif = Image.Exif()
    exif[0x0112] = 6
    files = {f"{label}/{index}.jpg": picture(20, 10, exif=exif) for label in "ab" for index in range(3)}
    examples = FAMILY.examples(Files.of(files), FAMILY.configure({}))
    assert (examples.about["width"], examples.about["height"]) == (10, 20)


@pytest.mark.parametrize("count", [2, 50, 600])
def test_the_confusion_matrix_has_a_largest_size(count: int) -> None:
    """Whatever the number of classes, and their names: a formula, an escape sequence, a very long one."""
    names = ["$\\frac{$", "\x1b[31m", "L" * 240, *map(str, range(count))][:count]
    numbers = torch.arange(count)
    cells = count_confusion(numbers, numbers, count)
    assert max(Image.open(io.BytesIO(draw_confusion(cells, names))).size) <= 2450
    assert cells.sum() == cells.diag().sum() == count
    assert len(cells) == min(count, 500)


def test_mean_and_deviation_are_those_of_the_pixels() -> None:
    """They are counted, without a copy of the pixels as floats."""
    rng = np.random.default_rng(0)
    bodies = [to_png(rng.integers(0, 256, (9, 8, 3), dtype=np.uint8)) for _ in range(6)]
    examples = FAMILY.examples(
        Files.of({f"{'ab'[index % 2]}/{index}.png": body for index, body in enumerate(bodies)}),
        FAMILY.configure({}),
    )
    floats = examples.train[0][:].double().transpose(0, 1).flatten(1) / 255
    assert examples.about["mean"] == pytest.approx(floats.mean(1).tolist())
    assert examples.about["std"] == pytest.approx(floats.std(1).tolist())


def test_augmentation_moves_whole_pixels_and_no_further_than_told() -> None:
    """With a shift of one pixel and no noise each picture is one of nine, and with neither it is itself."""
    pixels = torch.randint(0, 256, (64, 1, 8, 8), dtype=torch.uint8)
    targets = torch.arange(64)
    batch = FAMILY.prepare((pixels, targets), FAMILY.configure({}))
    still, _ = FAMILY.augment(batch, FAMILY.configure({"noise": 0, "shift": 0}))
    assert torch.equal(still, pixels.float() / 255)
    moved, same = FAMILY.augment(batch, FAMILY.configure({"noise": 0, "shift": 0.125}))
    padded = torch.nn.functional.pad(pixels.float() / 255, (1, 1, 1, 1), mode="replicate")
    nine = torch.stack(
        [padded[:, :, top : top + 8, left : left + 8] for top in range(3) for left in range(3)]
    )
    matches = (nine == moved).flatten(2).all(2)
    assert (matches.sum(0) == 1).all()
    assert matches.any(1).sum() > 5
    assert torch.equal(same, targets)


@pytest.mark.parametrize(("width", "height"), [(8, 8), (57, 31), (9, 300)])
def test_any_size_and_mode_can_be_built_and_served(width: int, height: int) -> None:
    """Odd sides, long sides and colours all end in one probability per class, from plain pixels."""
    about = {
        "classes": ["a", "b", "c"],
        "mode": "RGB",
        "width": width,
        "height": height,
        "mean": [0.5] * 3,
        "std": [0.2] * 3,
    }
    network = FAMILY.build(FAMILY.configure({"width": 8}), about)["classifier"].eval()
    assert network(torch.rand(2, 3, height, width)).shape == (2, 3)


def test_a_misspelt_field_is_a_fault_and_all_faults_are_listed() -> None:
    """A typo must not train something else."""
    with pytest.raises(InvalidModel) as caught:
        FAMILY.configure({"epoch": 3, "batchSize": 1})
    assert "spec.training.config.epoch: " in str(caught.value)
    assert "spec.training.config.batchSize: " in str(caught.value)
    assert "learningRate" in caught.value.fix


def test_the_naive_answer_is_the_most_frequent_class_of_the_training() -> None:
    """With the shares of the classes there as its probabilities."""
    train, kept = torch.tensor([0, 0, 0, 1]), torch.tensor([0, 1, 1])
    about = {"classes": ["cat", "dog"]}
    examples = Examples((torch.zeros(4, 1, 8, 8), train), (torch.zeros(3, 1, 8, 8), kept), about)
    naive = FAMILY.baseline(examples, FAMILY.configure({}))
    loss = -(math.log(3 / 4) + 2 * math.log(1 / 4)) / 3
    assert naive.metrics == pytest.approx({"accuracy": 1 / 3, "loss": loss, "macro_f1": 0.25})
    assert FAMILY.class_counts(examples) == {"cat": (3, 1), "dog": (1, 2)}
