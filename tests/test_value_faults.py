"""What people are told of a value that does not fit."""

from typing import Annotated

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from knoll.value_faults import value_fault


@pytest.mark.parametrize(
    ("value", "words"),
    [("", "must have at least 1 character"), ("abcd", "must have at most 3 characters")],
)
def test_a_length_counts_characters(value: str, words: str) -> None:
    with pytest.raises(ValidationError) as raised:
        TypeAdapter(Annotated[str, Field(min_length=1, max_length=3)]).validate_python(value)
    (error,) = raised.value.errors()
    assert value_fault(error) == words
