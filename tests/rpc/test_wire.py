"""The wire format of messages; Google's library judges."""

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kserve.protocol.grpc import grpc_predict_v2_pb2 as messages

from knoll.errors import InvalidInstance
from knoll.rpc.fields import NUMBERS
from knoll.rpc.framing import ended, frame, seconds_of, unframed
from knoll.rpc.messages import MESSAGES
from knoll.rpc.reading import Packed, decode, numbers
from knoll.rpc.writing import encode

CONTENTS, INFER = "inference.InferTensorContents", "inference.ModelInferRequest"
FIELDS = {one.name: one.kind for one in MESSAGES[CONTENTS] if one.kind in NUMBERS}
_WHOLE = {
    "int_contents": st.integers(-(2**31), 2**31 - 1),
    "int64_contents": st.integers(-(2**63), 2**63 - 1),
    "uint_contents": st.integers(0, 2**32 - 1),
    "uint64_contents": st.integers(0, 2**64 - 1),
    "bool_contents": st.booleans(),
    "fp32_contents": st.floats(width=32, allow_nan=False),
    "fp64_contents": st.floats(allow_nan=False),
}
CHOICES = st.one_of(
    st.booleans().map(lambda value: {"bool_param": value}),
    st.integers(-(2**63), 2**63 - 1).map(lambda value: {"int64_param": value}),
    st.text(max_size=3).map(lambda value: {"string_param": value}),
)
PARAMETERS = st.dictionaries(st.text(max_size=3), CHOICES, max_size=2)
TENSORS = st.fixed_dictionaries(
    {
        "name": st.text(max_size=3),
        "datatype": st.sampled_from(["", "FP32"]),
        "shape": st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
        "parameters": PARAMETERS,
    }
)
RESPONSES = st.fixed_dictionaries(
    {
        "model_name": st.text(max_size=3),
        "id": st.text(max_size=3),
        "parameters": PARAMETERS,
        "outputs": st.lists(TENSORS, max_size=2),
        "raw_output_contents": st.lists(st.binary(max_size=3), max_size=2),
    }
)


def plain(value: Any) -> Any:
    """A decoded message with lists in the place of views."""
    if isinstance(value, Packed):
        return numbers(value, "int64").tolist()
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


def full(value: Any) -> Any:
    """A message without the fields that nobody would send."""
    return {
        key: [full(one) if isinstance(one, dict) else one for one in given]
        if isinstance(given, list)
        else given
        for key, given in value.items()
        if given or given is False or given == 0
    }


@settings(max_examples=40)
@given(RESPONSES)
def test_a_message_is_read_by_others_and_read_again(value: dict[str, Any]) -> None:
    name = "inference.ModelInferResponse"
    body = encode(value, name, MESSAGES)
    theirs = messages.ModelInferResponse.FromString(body)
    assert theirs == messages.ModelInferResponse(**value)
    again = decode(memoryview(theirs.SerializeToString(deterministic=True)), name, MESSAGES)
    assert plain(again) == full(value)


@pytest.mark.parametrize("name", sorted(FIELDS))
@settings(max_examples=40)
@given(data=st.data())
def test_numbers_are_read_and_written_as_others_do(name: str, data: st.DataObject) -> None:
    """Packed and one by one."""
    given_numbers = data.draw(st.lists(_WHOLE[name], max_size=5))
    theirs = messages.InferTensorContents(**{name: given_numbers}).SerializeToString()
    kind = FIELDS[name]
    read = numbers(decode(memoryview(theirs), CONTENTS, MESSAGES).get(name, Packed()), kind)
    assert read.tolist() == given_numbers
    assert encode({name: np.array(given_numbers, NUMBERS[kind])}, CONTENTS, MESSAGES) == theirs
    single = b"".join(encode({name: [one]}, CONTENTS, MESSAGES) for one in given_numbers)
    assert (
        numbers(decode(memoryview(single), CONTENTS, MESSAGES).get(name, Packed()), kind).tolist()
        == given_numbers
    )


@given(st.binary(max_size=40))
def test_any_bytes_are_a_message_or_a_fault(body: bytes) -> None:
    with suppress(InvalidInstance):
        decode(memoryview(body), INFER, MESSAGES)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"\x0a\x05ab", "a field is longer than the message"),
        (b"\xff" * 11, "a number has no end"),
        (b"\x0a\x01\xff", "a text is not UTF-8"),
        (b"\x0b", "a field of the kind 3"),
        (b"\x02\x00", "a field 0"),
        (b"\x2a\x04\x2a\x00\x2a\x00", "contents comes twice"),
        pytest.param(
            encode({"id": "x" * 2**19, "model_name": "é" * 2**18 + "x"}, INFER, MESSAGES),
            "its texts have more than 1,048,576 bytes; send tensors in raw form",
            id="long texts",
        ),
        (b"\x3a\x00" * 10_001, "it has more than 10,000 fields; send tensors in raw form"),
    ],
)
def test_what_breaks_the_format_is_refused_with_the_reason(body: bytes, why: str) -> None:
    with pytest.raises(InvalidInstance, match=f"the message breaks the wire format: {why}"):
        decode(memoryview(body), INFER, MESSAGES)


def test_a_message_travels_in_a_frame() -> None:
    assert bytes(unframed(frame(b"abc"))) == b"abc"
    for broken in (b"", b"\0\0\0\0", b"\0\0\0\0\2a", b"\1\0\0\0\0"):
        with pytest.raises(InvalidInstance):
            unframed(broken)


def test_deadlines_and_ends_are_written_as_grpc_says() -> None:
    assert [seconds_of(one) for one in ("2S", "300m", "1H", "5", "-1S", "123456789S")] == [
        2.0,
        0.3,
        3600.0,
        None,
        None,
        None,
    ]
    assert ended(0) == {"grpc-status": "0"}
    assert ended(3, "50 % é\n") == {"grpc-status": "3", "grpc-message": r"50 %25 %C3%A9\x0a"}
