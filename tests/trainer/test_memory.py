"""What a training will take, from shapes alone."""

import numpy as np
import pytest
import torch

from families.toy import ColumnMean
from knoll.families.base import Examples, Streamed
from knoll.families.dcgan.family import Dcgan
from knoll.families.image.family import ImageClassifier
from knoll.trainer.memory import TooLittleMemory, check_device, check_step, step_bytes


@pytest.mark.parametrize(("width", "height"), [(96, 96), (96, 72), (28, 28)])
def test_the_largest_default_step_fits_into_the_default_memory(width: int, height: int) -> None:
    """Pictures without imageWidth have a longer side of 96 at most, and a batch at most 127 of them: that
    leaves half a gigabyte for data."""
    about = {"classes": ["a", "b"], "mode": "RGB", "width": width, "height": height, "mean": [0.5] * 3}
    examples = Examples((torch.zeros(2, 3, height, width, dtype=torch.uint8), torch.zeros(2).long()), ())
    family = ImageClassifier()
    known = Examples(examples.train, (), {**about, "std": [0.2] * 3})
    found = step_bytes(family, known, family.configure({}), 127)
    assert found is not None
    assert 127 * width * height * 3 * 4 < found[1] < 1.25 * 2**30


def test_a_step_grows_with_its_examples_and_takes_no_memory() -> None:
    """A million examples are counted in a moment. Both networks of a GAN count."""
    family = Dcgan()
    examples = Examples((torch.zeros(2, 3, 56, 56, dtype=torch.uint8),), ())
    few, many = (step_bytes(family, examples, family.configure({}), rows) for rows in (10, 1_000_000))
    assert few is not None
    assert many is not None
    assert few[0] == many[0] > 4 * 2_000_000
    assert many[1] > 50_000 * few[1]


def test_a_network_that_fits_into_no_gpu_is_refused_with_what_it_takes() -> None:
    """Weights and gradients are whole in each process; with shards, the state of Adam is not."""
    family, examples = Dcgan(), Examples((torch.zeros(2, 3, 56, 56, dtype=torch.uint8),), ())
    config = family.configure({})
    found = step_bytes(family, examples, config, 2)
    assert found is not None
    room = 3 * found[0]
    with pytest.raises(TooLittleMemory, match="a network is never spread over several GPUs: lower its size"):
        check_device(family, examples, config, room, 1)
    check_device(family, examples, config, room, 2)
    check_device(family, examples, config, 0, 1)


def test_streamed_examples_keep_what_the_step_leaves() -> None:
    """They are refused only if the step, and the batches that wait for it, do not fit."""
    count, family = 4000, ImageClassifier()
    about = {"classes": ["a", "b"], "mode": "RGB", "width": 96, "height": 96, "mean": [0.5] * 3}

    def kept(limit: int) -> int | None:
        column = Streamed(
            count,
            np.zeros((count, 3, 96, 96), np.uint8),
            lambda rows: np.zeros((len(rows), 3, 96, 96), np.uint8),
        )
        examples = Examples((column, torch.zeros(count).long()), (), {**about, "std": [0.2] * 3})
        try:
            check_step(family, examples, family.configure({"width": 4}), 16, limit)
        except TooLittleMemory:
            return None
        return column.nbytes

    found = [kept(limit) for limit in range(600 * 2**20, 800 * 2**20, 20 * 2**20)]
    some = [one for one in found if one is not None]
    assert found[0] is None
    assert some == sorted(some)
    assert 0 < some[0] < some[-1] == count * 3 * 96 * 96


def test_a_family_that_cannot_be_played_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its loss looks at a value, which a played step does not have."""
    family = ColumnMean()
    examples = Examples((torch.zeros(4, 1),), ())
    monkeypatch.setattr(
        ColumnMean, "augment", lambda self, batch, config: (batch[0] * batch[0].sum().item(),)
    )
    assert step_bytes(family, examples, family.configure({"column": "rain"}), 4) is None
