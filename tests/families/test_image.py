"""The image classifier: it learns real digits, and says what is wrong with a folder."""

import pytest
import torch

from knoll.errors import InvalidData, InvalidModel
from knoll.families.image import ImageClassifier
from knoll.trainer.loop import train_networks

FAMILY = ImageClassifier()


def test_it_reads_97_of_100_digits_that_it_has_not_seen(digits: dict[str, bytes]) -> None:
    """On the UCI digits the held-out accuracy is at least 0.97."""
    config = FAMILY.configure({"epochs": 8, "seed": 1})
    examples = FAMILY.examples(digits, config)
    trained = train_networks(
        FAMILY, examples, config, device=torch.device("cpu"), report=lambda *_: None, say=lambda _: None
    )
    with torch.no_grad():
        metrics = FAMILY.score(trained.networks, examples, config)
        assert tuple(metrics) == FAMILY.metrics
        pictures = FAMILY.final_pictures(trained.networks, examples, config)
    assert metrics["accuracy"] >= 0.97
    assert metrics["macro_f1"] == pytest.approx(metrics["accuracy"], abs=0.02)
    assert pictures["confusion_matrix.png"].startswith(b"\x89PNG")


def test_the_class_is_the_folder_that_the_picture_lies_in(digits: dict[str, bytes]) -> None:
    """Folders above it mean nothing."""
    few = {f"raw/2026/{key}": body for key, body in digits.items() if key[0] in "37"}
    examples = FAMILY.examples({**few, "_SUCCESS": b""}, FAMILY.configure({}))
    assert examples.about["classes"] == ["3", "7"]
    assert len(examples.train[0]) + len(examples.held_out[0]) == len(few)


@pytest.mark.parametrize(
    ("classes", "reason"),
    [
        ([], "0 classes"),
        (["3", "3"], "1 classes"),
        (["3", "3", "7"], "only one picture in class 7"),
        (["", "3"], "0.png lies in no folder"),
    ],
)
def test_a_folder_that_cannot_be_learnt_from_is_refused(
    digits: dict[str, bytes], classes: list[str], reason: str
) -> None:
    """No classes, one class, a class with a single picture, a picture outside any class."""
    body = next(iter(digits.values()))
    files = {f"{label}/{index}.png".lstrip("/"): body for index, label in enumerate(classes)}
    with pytest.raises(InvalidData, match=reason):
        FAMILY.examples(files, FAMILY.configure({}))


def test_augmentation_moves_whole_pixels_and_no_further_than_told() -> None:
    """With a shift of one pixel and no noise each picture is one of nine, and with neither it is itself."""
    pixels = torch.randint(0, 256, (64, 1, 8, 8), dtype=torch.uint8)
    targets = torch.arange(64)
    still, _ = FAMILY.augment((pixels, targets), FAMILY.configure({"noise": 0, "shift": 0}))
    assert torch.equal(still, pixels.float() / 255)
    moved, same = FAMILY.augment((pixels, targets), FAMILY.configure({"noise": 0, "shift": 0.125}))
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
