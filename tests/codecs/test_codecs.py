"""Between JSON and tensors, without a server."""

import base64
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from knoll.codecs import Reading, decode, encode, encode_picture
from knoll.errors import InvalidInstance
from knoll.predict.graph import agree
from knoll.records.signature import Signature, Tensor

COLOUR = Tensor("image", "FP32", (-1, 3, 2, 3), "image", {"mode": "RGB", "width": 3, "height": 2})
LATENT = Tensor("latent", "FP32", (-1, 4), "latent", {"size": 4})
TABLE = Tensor("table", "FP32", (-1, 2, -1))
COUNTS = Tensor("counts", "INT32", (-1, 2))
PICTURE = Tensor("picture", "FP32", (-1, 1, 2, 2), "image", {"low": 0, "high": 1})
NUMBERS = Tensor("numbers", "FP32", (-1, 2))


def of(*inputs: Tensor) -> Signature:
    return Signature(inputs, ())


def test_a_colour_picture_becomes_channels_rows_columns() -> None:
    """(C, H, W) in [0, 1], red first, whether it comes as pixels or as PNG."""
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0, 1] = [255, 51, 0]  # row 0, column 1
    body = io.BytesIO()
    Image.fromarray(pixels).save(body, "PNG")
    batch = decode([pixels.tolist(), {"b64": base64.b64encode(body.getvalue()).decode()}], of(COLOUR))[
        "image"
    ]
    assert batch.shape == (2, 3, 2, 3)
    assert batch.dtype == np.float32
    assert batch[0, :, 0, 1] == pytest.approx([1.0, 0.2, 0.0])
    assert np.array_equal(batch[0], batch[1])


def test_a_bomb_of_a_picture_is_refused_by_its_head() -> None:
    """A PNG that claims 100,000 by 100,000 pixels is not unpacked."""
    body = io.BytesIO()
    Image.new("1", (8, 8)).save(body, "PNG")
    bomb = bytearray(body.getvalue())
    bomb[16:24] = (100_000).to_bytes(4, "big") * 2
    with pytest.raises(InvalidInstance):
        decode([{"b64": base64.b64encode(bytes(bomb)).decode()}], of(COLOUR))


def test_a_refused_picture_says_its_fault() -> None:
    """The fault that the decoder found, and at which instance."""
    body = io.BytesIO()
    Image.new("L", (8, 8)).save(body, "GIF")
    with pytest.raises(InvalidInstance, match="instance 0: its picture cannot be read: it is a GIF"):
        decode([{"b64": base64.b64encode(body.getvalue()).decode()}], of(COLOUR))


def test_a_seed_is_a_picture_and_no_seed_is_chance() -> None:
    """The same seed gives the same latent, another seed another, and {} a fresh one each time."""
    same, again, other, chance, chance2 = decode([{"seed": 7}, {"seed": 7}, {"seed": 8}, {}, {}], of(LATENT))[
        "latent"
    ]
    assert np.array_equal(same, again)
    assert len({tuple(one) for one in (same, other, chance, chance2)}) == 4
    assert decode([{"latent": [1, 2, 3, 4]}], of(LATENT))["latent"].tolist() == [[1.0, 2.0, 3.0, 4.0]]


@pytest.mark.parametrize(
    "value",
    [
        7,
        {"seed": True},
        {"seed": -1},
        {"seed": 2**63},
        {"seed": 1, "latent": [0] * 4},
        {"latent": [1e999] * 4},
        {"latent": [1e39] * 4},
    ],
)
def test_a_bad_latent_is_refused(value: Any) -> None:
    """Neither odd seeds nor numbers that float32 cannot hold."""
    with pytest.raises(InvalidInstance, match="instance 0"):
        decode([value], of(LATENT))


@pytest.mark.parametrize(
    ("tensor", "value", "fault"),
    [
        (COUNTS, [1.5, 2.0], "no INT32"),
        (COUNTS, [1, 2**40], "too large"),
        (COUNTS, [1, 10**30], "not made of numbers"),
        (COUNTS, ["1", "2"], "not made of numbers"),
        (COUNTS, [1, None], "not made of numbers"),
        (COUNTS, [1, 2, 3], r"the shape is \[3\], not \[2\]"),
        (TABLE, [[float("nan")], [0]], "NaN"),
    ],
)
def test_a_tensor_is_taken_literally(tensor: Tensor, value: Any, fault: str) -> None:
    """Nothing is rounded, parsed, wrapped around or filled in."""
    with pytest.raises(InvalidInstance, match=fault):
        decode([value], of(tensor))


def test_truth_in_the_place_of_numbers_is_warned_of() -> None:
    told: list[str] = []
    batch = decode([[True, False]], of(COUNTS), reading=Reading(told.append))
    assert batch["counts"].tolist() == [[1, 0]]
    assert told == ["instance 0: true was taken as 1 and false as 0"]


def test_several_inputs_are_fields_and_several_outputs_too() -> None:
    """With one input an instance is its value; with two it is an object, and so is a prediction."""
    batch = decode([{"table": [[1], [2]], "counts": [3, 4]}], of(TABLE, COUNTS))
    assert batch["table"].shape == (1, 2, 1)
    with pytest.raises(InvalidInstance, match="instance 0: it has no field 'counts'"):
        decode([{"table": [[1], [2]]}], of(TABLE, COUNTS))
    outputs = {"numbers": np.ones((1, 2), np.float32), "picture": np.ones((1, 1, 2, 2), np.float32)}
    (prediction,) = encode(outputs, Signature((), (NUMBERS, PICTURE)))
    assert prediction["numbers"] == [1.0, 1.0]
    assert set(prediction["picture"]) == {"b64"}


def test_instances_of_different_shapes_are_not_one_batch() -> None:
    """A free dimension is free between requests, not within one."""
    with pytest.raises(InvalidInstance, match="one by one"):
        decode([[[1], [2]], [[1, 2], [3, 4]]], of(TABLE))


def test_a_picture_is_scaled_from_its_range() -> None:
    """`low` is black, `high` white, and values beyond are cut."""
    body = encode_picture({"picture": np.array([[[[-9.0, 0.0], [0.5, 1.0]]]])}, Signature((), (PICTURE,)))
    assert np.asarray(Image.open(io.BytesIO(body))).tolist() == [[0, 0], [128, 255]]
    with pytest.raises(InvalidInstance, match="no pictures"):
        encode_picture({"numbers": np.ones((1, 2))}, Signature((), (NUMBERS,)))


def test_predictions_agree_within_rounding_and_no_further() -> None:
    """Labels exactly, numbers to a thousandth, shapes and keys always."""
    seen = {"label": "3", "probabilities": {"3": 0.9, "4": 0.1}}
    assert agree(seen, {"label": "3", "probabilities": {"3": 0.9004, "4": 0.0996}})
    assert not agree(seen, {"label": "4", "probabilities": {"3": 0.9, "4": 0.1}})
    assert not agree(seen, {"label": "3", "probabilities": {"3": 0.8, "4": 0.2}})
    assert not agree(seen, {"label": "3"})
    assert not agree([1.0], [1.0, 1.0])
    assert not agree([1.0], [float("nan")])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["b64", "seed", "latent", "image", "x"]), inner, max_size=2)
    ),
    max_leaves=10,
)


@given(JSON)
def test_any_json_is_decoded_or_refused(instance: Any) -> None:
    """Whatever is sent, every codec gives a finite tensor of its shape, or InvalidInstance: a client never
    causes a 5xx."""
    for tensor in (COLOUR, LATENT, TABLE, COUNTS):
        try:
            (row,) = decode([instance], of(tensor))[tensor.name]
        except InvalidInstance:
            continue
        assert np.isfinite(row).all()
        assert all(wanted in (-1, found) for wanted, found in zip(tensor.shape[1:], row.shape, strict=True))


@pytest.mark.parametrize(
    ("sent", "told", "fix"),
    [
        ("iVBORw0KGgo=", "a picture is no bare text", '{"b64": "..."}'),
        ("https://example.com/a.png", "a picture is no bare text", '{"b64": "..."}'),
        ({"b64": "https://example.com/a.png"}, "b64 is a link, and nothing is fetched", "send the base64 of"),
        ({"b64": " s3://bucket/a.png"}, "b64 is a link", "send the base64 of"),
        ({"b64": "89504E470D0A1A0A0000000D49484452"}, "b64 is hexadecimal", "send the base64 of"),
        ({"b64": "0xffd8ffe000104a4649460001"}, "b64 is hexadecimal", "send the base64 of"),
    ],
)
def test_what_is_sent_in_place_of_base64_is_told_what_to_send(sent: Any, told: str, fix: str) -> None:
    with pytest.raises(InvalidInstance, match=told) as refused:
        decode([sent], of(COLOUR))
    assert fix in refused.value.fix
