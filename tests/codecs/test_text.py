"""Texts: which tokens they become, what is cut, and what is refused."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from knoll.codecs import CODECS, Reading, decode, example_request
from knoll.codecs.text import open_tokenizer
from knoll.errors import InvalidInstance, InvalidVersion
from knoll.families.text.tokens import learn_tokenizer, texts_of, tokenize
from knoll.predict.explanation import explain
from knoll.records.signature import Signature, Tensor, with_files
from knoll.rollout.signature_change import signature_change

WORDS = ["a good film", "a bad film", "not a good day", "the best day", "Straße über 東京"]
CONTENT = learn_tokenizer(WORDS * 3, 400, lowercase=True)
SIZE = 8
OPTIONS = {"is_text": True, "file": "tokenizer.json", "example": "a good film"}
ANSWER = Tensor("probabilities", "FP32", (-1, 2), "classes", {"labels": ["bad", "good"]})


def of(size: int = SIZE) -> Signature:
    plain = Signature((Tensor("text", "INT32", (-1, size), "text", OPTIONS),), (ANSWER,))
    return with_files(plain, {"tokenizer.json": CONTENT.encode()})


TEXTS = of()


def read(text: Any, signature: Signature = TEXTS) -> tuple[list[str], list[str]]:
    """The tokens that are read, and the warnings."""
    told: list[str] = []
    (row,) = decode([text], signature, reading=Reading(told.append))["text"]
    assert (row.dtype, row.shape) == (np.int32, signature.inputs[0].shape[1:])
    return [str(open_tokenizer(CONTENT).id_to_token(int(one))) for one in row if one], told


@pytest.mark.parametrize(
    "text", ["a good film", "A GOOD  film\n", "\ta\u00a0good film", {"text": "a good film"}], ids=range(4)
)
def test_case_and_blanks_make_no_other_tokens(text: Any) -> None:
    assert read(text) == (["Ġa", "Ġgood", "Ġfilm"], [])


def test_a_text_may_have_the_name_of_no_token_in_it() -> None:
    tokens, _ = read("<none>")
    assert "".join(tokens) == "Ġ<none>"


def test_a_text_that_is_too_long_is_cut_with_a_warning() -> None:
    tokens, (told,) = read("good " * 9)
    assert tokens == ["Ġgood"] * SIZE
    assert told == "instance 0: it has 9 tokens, and only the first 8 were read"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the text is empty"),
        (" \n\u2003", "the text is empty"),
        (7, "it is 7, and must be a text"),
        (None, "it is null, and must be a text"),
        (["good"], "it is a list, and must be a text"),
        ({"txt": "good"}, "it is an object with fields, and must be a text"),
        ({"text": "good", "more": 1}, "it is an object with fields"),
        ({"text": 3}, "it is 3, and must be a text"),
        ("a" * 131_073, "the text has 131,073 characters, more than 131,072"),
        ("ab\ud800", r"character 3 of the text is half of a pair \(U\+D800\)"),
    ],
    ids=range(10),
)
def test_what_is_no_text_is_refused(text: Any, told: str) -> None:
    with pytest.raises(InvalidInstance, match=f"instance 0: {told}") as raised:
        read(text)
    assert raised.value.fix


@pytest.mark.parametrize("character", ["a", "🦆", " ."], ids=range(3))
def test_the_longest_text_is_read_also_of_one_strange_word(character: str) -> None:
    tokens, _ = read((character * 131_072)[:131_072])
    assert len(tokens) == SIZE


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_any_text_is_decoded_or_refused_and_comes_back_but_for_case_and_blanks(text: str) -> None:
    signature = of(400)
    try:
        row = decode([text], signature)["text"]
    except InvalidInstance:
        return
    (back,) = texts_of(CONTENT, torch.from_numpy(row))
    if back.strip():
        assert np.array_equal(decode([back], signature)["text"], row)


def test_the_order_of_texts_makes_no_other_tokenizer() -> None:
    assert learn_tokenizer(WORDS[::-1] * 3, 400, lowercase=True) == CONTENT


def test_most_texts_are_read_as_a_whole_if_the_config_does_not_say_how_many_tokens() -> None:
    few = tokenize(CONTENT, ["a good film", "film"], None)
    assert few.numbers.shape == (2, SIZE)
    long = tokenize(CONTENT, ["good " * 20] * 99 + ["good " * 600], None)
    assert (long.numbers.shape[1], long.cut) == (512, 1)


def test_the_example_is_answered_without_a_warning() -> None:
    (text,) = example_request(TEXTS)["instances"]
    assert read(text) == (["Ġa", "Ġgood", "Ġfilm"], [])


def test_a_version_without_its_tokenizer_is_refused() -> None:
    bare = Signature((Tensor("text", "INT32", (-1, 8), "text", OPTIONS),), (ANSWER,))
    with pytest.raises(InvalidVersion, match=r"names the file tokenizer.json, which is not there"):
        with_files(bare, {})


def test_clients_do_not_see_how_many_tokens_are_read() -> None:
    assert not signature_change(TEXTS, of(9), "v000001")


def weigh(text: str, size: int = SIZE) -> dict[str, float]:
    """The weights that a model has whose log-odds of `good` are a sum over words: good 2, best 3, bad -1, and
    0.5 in any case."""
    known = {"Ġgood": 2.0, "Ġbest": 3.0, "Ġbad": -1.0}
    numbers = {open_tokenizer(CONTENT).token_to_id(name): weight for name, weight in known.items()}

    def run(inputs: Any) -> dict[str, Any]:
        sums = np.array([0.5 + sum(numbers.get(int(one), 0) for one in row) for row in inputs["text"]])
        share = 1 / (1 + np.exp(-sums))
        return {"probabilities": np.stack([1 - share, share], 1)}

    (found,) = explain([text], of(size), run, 3, Reading())
    return {f"{place} {one['part']}": round(one["weight"], 6) for place, one in enumerate(found)}


def test_a_word_weighs_what_it_adds_to_the_log_odds() -> None:
    assert weigh("a good, BEST day") == {"0 a": 0, "1 good,": 2, "2 BEST": 3, "3 day": 0}
    assert weigh("bad bad day") == {"0 bad": 1, "1 bad": 1, "2 day": 0}, "the answer is bad"
    assert weigh("good") == {"0 good": 2}


def test_without_a_word_others_are_read_that_were_cut_off() -> None:
    assert weigh("day good best best", size=2) == {"0 day": -3, "1 good": -1}
    endless = "x" * 3000
    assert weigh(f"{endless} good best", size=2) == {f"0 {endless}": -5}


def test_rows_have_no_parts() -> None:
    assert CODECS["row"].parts is None
    row = Signature((Tensor("row", "FP32", (-1, 0, 2), "row", {"columns": []}),), (ANSWER,))
    with pytest.raises(InvalidInstance, match="this model explains no answers"):
        next(explain([{}], row, lambda _: {}, 3, Reading()))
