"""A model of texts: what comes as a plain body, as JSON, as BYTES and by gRPC, and why it answers so."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from onnx import TensorProto, helper, numpy_helper

from knoll.codecs.text import open_tokenizer
from knoll.families.text.tokens import learn_tokenizer
from knoll.predict.about import about
from knoll.predict.facets import facets_of
from knoll.predict.recorder import recorded_body
from knoll.predict.served import Served
from knoll.predict.work import Work
from knoll.records.samples import Sample
from knoll.records.signature import Signature, Tensor, with_files
from knoll.rpc.framing import frame, unframed
from knoll.rpc.messages import MESSAGES
from knoll.rpc.reading import decode
from knoll.rpc.writing import encode
from predict.conftest import Recipe
from predict.test_served import error, served_from

Files = Callable[..., dict[str, bytes]]
SIZE = 6
PLAIN = {"content-type": "text/plain; charset=UTF-8"}
CALL = "inference.ModelInferRe"


@pytest.fixture(scope="module")
def files(files_of: Files) -> dict[str, bytes]:
    """Of a model whose log-odds are a sum over words: lovely 3, dull -2, and 0.25 in any case."""
    content = learn_tokenizer(["a lovely film", "a dull film"] * 5, 320, lowercase=True)
    tokenizer = open_tokenizer(content)
    weights = np.zeros((tokenizer.get_vocab_size(), 2), np.float32)
    weights[tokenizer.token_to_id("Ġlovely"), 1], weights[tokenizer.token_to_id("Ġdull"), 1] = 3, -2
    nodes = [
        helper.make_node("Gather", ["weights", "text"], ["found"]),
        helper.make_node("ReduceSum", ["found", "one"], ["sum"], keepdims=0),
        helper.make_node("Add", ["sum", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    constants = {"weights": weights, "one": np.array([1], np.int64), "bias": np.array([0, 0.25], np.float32)}
    graph = helper.make_graph(
        nodes,
        "words",
        [helper.make_tensor_value_info("text", TensorProto.INT32, ["batch", SIZE])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = {"is_text": True, "file": "tokenizer.json", "example": "a lovely film"}
    signature = Signature(
        (Tensor("text", "INT32", (-1, SIZE), "text", options),),
        (Tensor("probabilities", "FP32", (-1, 2), "classes", {"labels": ["bad", "good"]}),),
    )
    whole = with_files(signature, {"tokenizer.json": content.encode()})
    recipe = Recipe("shade", whole, model.SerializeToString(), ("a lovely film", {"text": "a dull film"}))
    changes = {"tokenizer.json": content.encode(), "signature.json": signature.encode()}
    return files_of(recipe, changes)


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> Served:
    return served_from(tmp_path_factory.mktemp("words"), files)


def labels(served: Served, body: bytes, headers: dict[str, str]) -> list[str]:
    answer = served.predict(body, headers, Work())
    assert answer.status == 200, answer.body
    return [one["label"] for one in orjson.loads(answer.body)["predictions"]]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"what a lovely day", PLAIN),
        (b"\xef\xbb\xbflovely", {"content-type": "Text/Plain"}),
        (b'{"instances": ["lovely"]}', {"content-type": "application/x-www-form-urlencoded"}),
        (b'{"instances": [{"text": "lovely"}]}', {}),
        (b"lovely", {**PLAIN, **{f"ce-{name}": "1.0" for name in ("specversion", "id", "source", "type")}}),
    ],
    ids=["plain", "mark", "form", "object", "event"],
)
def test_a_text_comes_plain_or_in_json(words: Served, body: bytes, headers: dict[str, str]) -> None:
    assert labels(words, body, headers) == ["good"]


@pytest.mark.parametrize(
    ("body", "headers", "told"),
    [
        (b"caf\xe9", PLAIN, "the body is not UTF-8: byte 4 is 0xE9; send text in UTF-8"),
        (b"", PLAIN, "the text is empty"),
        (b" \n", PLAIN, "the text is empty"),
        (b"caf\xe9", {"content-type": "text/plain; charset=latin-1"}, "the charset latin-1 is not read"),
        (b"x" * 131_073, PLAIN, "the text has 131,073 characters, more than 131,072"),
        (b"a lovely film", {}, "the body is not JSON"),
        (b'{"instances": [[1]]}', {}, "instance 0: it is a list, and must be a text"),
    ],
    ids=range(7),
)
def test_what_is_no_text_is_refused_with_an_example(
    words: Served, body: bytes, headers: dict[str, str], told: str
) -> None:
    answer = words.predict(body, headers, Work())
    assert told in error(answer)
    assert orjson.loads(answer.body)["example"] == {"instances": ["a lovely film"]}


def test_a_text_that_was_cut_is_answered_with_a_warning(words: Served) -> None:
    answer = words.predict(b"film " * 9, PLAIN, Work())
    (told,) = orjson.loads(answer.body)["warnings"]
    assert told == "instance 0: it has 9 tokens, and only the first 6 were read"


def raw_of(*texts: bytes) -> bytes:
    return b"".join(len(one).to_bytes(4, "little") + one for one in texts)


def infer(served: Served, data: Any, shape: list[int], tail: bytes | None = None) -> Any:
    tensor: dict[str, Any] = {"name": "text", "datatype": "BYTES", "shape": shape}
    tensor |= {"data": data} if tail is None else {"parameters": {"binary_data_size": len(tail)}}
    head = json.dumps({"inputs": [tensor]}).encode()
    headers = {} if tail is None else {"inference-header-content-length": str(len(head))}
    return served.infer(head + (tail or b""), headers, Work())


@pytest.mark.parametrize(
    ("data", "shape", "tail"),
    [
        (["lovely", "dull"], [2], None),
        (["lovely", "dull"], [2, 1], None),
        ([["lovely"], ["dull"]], [2, 1], None),
        (None, [2], raw_of(b"lovely", b"dull")),
    ],
    ids=["flat", "shaped", "nested", "binary"],
)
def test_v2_takes_bytes(words: Served, data: Any, shape: list[int], tail: bytes | None) -> None:
    answer = infer(words, data, shape, tail)
    assert answer.status == 200, answer.body
    (output,) = orjson.loads(answer.body)["outputs"]
    assert (output["shape"], np.reshape(output["data"], (2, 2)).argmax(1).tolist()) == ([2, 2], [1, 0])
    (shown,) = orjson.loads(about(words)["/v2/models/shade"].body)["inputs"]
    assert shown == {"name": "text", "datatype": "BYTES", "shape": [-1]}


@pytest.mark.parametrize(
    ("data", "shape", "tail", "told"),
    [
        (["lovely"], [2], None, "its shape [2] is not that of its 1 texts, [1]"),
        (["lovely", 7], [2], None, "text 1: it is 7, and must be a text"),
        (["lovely", ""], [2], None, "text 1: the text is empty"),
        (None, [1], raw_of(b"caf\xe9"), "text 0 is not UTF-8: byte 4 is 0xE9"),
        (None, [2], raw_of(b"lovely") + b"\x09\0\0\0du", "text 1 is cut short"),
        (None, [2], raw_of(b"lovely") + b"\x09\0", "text 1 is cut short"),
        (None, [1], b"\xff\xff\xff\xff", "text 0 is cut short"),
    ],
    ids=range(7),
)
def test_bytes_that_are_no_texts_are_refused(
    words: Served, data: Any, shape: list[int], tail: bytes | None, told: str
) -> None:
    assert f"input 'text': {told}" in error(infer(words, data, shape, tail))


def test_numbers_of_tokens_are_no_texts(words: Served) -> None:
    tensor = {"name": "text", "datatype": "INT32", "shape": [1, 6], "data": [1] * 6}
    answer = words.infer(json.dumps({"inputs": [tensor]}).encode(), {}, Work())
    assert "its datatype is INT32; send BYTES" in error(answer)


@pytest.mark.parametrize("is_raw", [True, False])
def test_grpc_takes_bytes(words: Served, is_raw: bool) -> None:
    texts = [b"lovely", b"dull"]
    tensor: dict[str, Any] = {"name": "text", "datatype": "BYTES", "shape": np.array([2])}
    more = {"raw_input_contents": [raw_of(*texts)]} if is_raw else {}
    tensor |= {} if is_raw else {"contents": {"bytes_contents": texts}}
    body = encode({"model_name": "shade", "inputs": [tensor], **more}, f"{CALL}quest", MESSAGES)
    answer = words.call(frame(body), {}, Work())
    assert answer.status == 200, answer.body
    told = decode(unframed(answer.body), f"{CALL}sponse", MESSAGES)
    raw = (
        told["raw_output_contents"][0]
        if is_raw
        else b"".join(told["outputs"][0]["contents"]["fp32_contents"])
    )
    assert np.frombuffer(raw, np.float32).reshape(2, 2).argmax(1).tolist() == [1, 0]


def explained(served: Served, *instances: Any, **more: Any) -> Any:
    body = json.dumps({"instances": instances, "explain": True, **more}).encode()
    return served.predict(body, {}, Work())


def test_the_weight_of_a_word_is_what_it_adds_to_the_log_odds(words: Served) -> None:
    answer = explained(words, "a Lovely, dull film", "dull dull")
    mixed, bad = (one["weights"] for one in orjson.loads(answer.body)["predictions"])
    assert [one["part"] for one in mixed] == ["a", "Lovely,", "dull", "film"]
    assert [one["weight"] for one in mixed] == pytest.approx([0, 3, -2, 0], abs=1e-5)
    assert [one["weight"] for one in bad] == pytest.approx([2, 2], abs=1e-5), "of the answer, which is bad"


def test_an_explanation_is_bounded_and_its_warnings_come_once(words: Served) -> None:
    assert "have more than 2,000 parts to explain" in error(explained(words, *["a b c"] * 700))
    assert len(orjson.loads(explained(words, "film " * 9).body)["warnings"]) == 1
    assert "explain is neither true nor false" in error(explained(words, "a", explain=1))


def test_a_plain_text_is_recorded_as_json(words: Served) -> None:
    kept = recorded_body(b"lovely", PLAIN, words.version.signature, [])
    assert json.loads(kept) == {"instances": ["lovely"]}


def test_a_text_is_a_facet_by_how_many_tokens_are_read(words: Served) -> None:
    samples = [Sample("film " * (1 + number % 6), None) for number in range(16)]
    assert "text tokens" in facets_of(words.version.signature, samples).names


def test_a_predictor_of_texts_needs_no_torch_and_others_need_no_tokenizers(
    tmp_path: Path, files: dict[str, bytes]
) -> None:
    for name, body in files.items():
        (tmp_path / name).write_bytes(body)
    code = f"""
import sys
sys.modules["torch"] = None
from knoll.predict import protocol
assert "tokenizers" not in sys.modules
from pathlib import Path
from knoll.predict.loading import read_version
from knoll.predict.predictor import load
version, graph = load(lambda: read_version(Path({str(tmp_path)!r})), threads=1)
assert "tokenizers" in sys.modules and "huggingface_hub" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
