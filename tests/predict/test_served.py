"""What is answered to the bytes of a request, without a server."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from knoll.adapters.memory.clock import MemoryClock
from knoll.predict.answer import Answer
from knoll.predict.bins import NOT_FINITE
from knoll.predict.blame import Usual
from knoll.predict.feedback import Feedback
from knoll.predict.graph import Graph
from knoll.predict.label_book import LabelBook
from knoll.predict.loading import read_version
from knoll.predict.memory_budget import MemoryBudget
from knoll.predict.served import Served
from knoll.predict.work import ClientGone, Work
from support.pictures import jpeg_of_scans, odd_pngs, png_of_chunks

Files = Callable[..., dict[str, bytes]]
DARK, LIGHT = [[0] * 4] * 4, [[255] * 4] * 4
IMAGE: dict[str, Any] = {"name": "image", "datatype": "FP32", "shape": [1, 1, 4, 4], "data": [0.0] * 16}


def served_from(folder: Path, files: dict[str, bytes]) -> Served:
    for name, body in files.items():
        (folder / name).write_bytes(body)
    version = read_version(folder)
    without_ids = Feedback("shade", "v000001", version.signature, "", LabelBook(), MemoryClock().now)
    return Served("shade", version, Graph(version, threads=1), Usual(version), without_ids)


@pytest.fixture(scope="module")
def shade(tmp_path_factory: pytest.TempPathFactory, files_of: Files, classifier: Any) -> Served:
    """A classifier of pictures."""
    return served_from(tmp_path_factory.mktemp("shade"), files_of(classifier))


def predict(served: Served, *instances: Any, **headers: str) -> Answer:
    return served.predict(json.dumps({"instances": instances}).encode(), headers, Work())


def infer(served: Served, **change: Any) -> Answer:
    return served.infer(json.dumps({"inputs": [IMAGE], **change}).encode(), {}, Work())


def error(answer: Answer) -> str:
    assert answer.status == 400, answer
    return str(orjson.loads(answer.body)["error"])


def test_base64_is_read_as_clients_write_it(shade: Served) -> None:
    """Lines of 76, a data URI, the URL-safe alphabet and missing padding."""
    body = png_of_chunks((b"tEXt", b"k\0" + b"\xff\xfe\xfb" * 60))
    plain, safe = base64.b64encode(body).decode(), base64.urlsafe_b64encode(body).decode()
    assert plain != safe
    forms = [
        plain,
        base64.encodebytes(body).decode(),
        plain.replace("\n", "\r\n"),
        "data:image/png;base64," + plain,
        safe,
        plain.rstrip("="),
        " " + safe.rstrip("=") + "\n",
    ]
    answer = predict(shade, *({"b64": one} for one in forms))
    assert answer.status == 200, answer.body
    assert len({one["label"] for one in orjson.loads(answer.body)["predictions"]}) == 1


@pytest.mark.parametrize(
    ("b64", "fault"),
    [
        ("iVBO*w0KGgo=", "b64 is not base64: character 5 of 12 is '*'"),
        ("iVBO\x1bw0K", r"character 5 of 8 is '\x1b'"),
        ("iVB=w0KGgo=", "character 4 of 11 is '='"),
        ("iVBOR", "cut short"),
        ("", "b64 is empty"),
        ("data:image/png,abc", "data URI that is not base64"),
        (base64.b64encode(b"RIFF\0\0\0\0WEBPVP8 ").decode(), "it is a WebP"),
        (base64.b64encode(b"\0\0\1\0\1\0").decode(), "it is an icon"),
        (base64.b64encode(b"qoif\0\0").decode(), "it is a QOI"),
        (base64.b64encode(b"version https://git-lfs.github.com/spec/v1").decode(), "it is a git-lfs pointer"),
        (base64.b64encode(b"<?xml version='1.0'?>\n<Error><Code>").decode(), "an error of a store"),
        (base64.b64encode(base64.b64encode(b"\x89PNG\r\n\x1a\n" * 3)).decode(), "encoded twice"),
        (base64.b64encode(b'{"a": 1}').decode(), "it is JSON"),
        (None, "b64 is no text"),
    ],
)
def test_refused_base64_says_what_is_wrong(shade: Served, b64: Any, fault: str) -> None:
    answer = predict(shade, {"b64": b64})
    assert fault in error(answer)
    example = orjson.loads(answer.body)["example"]
    assert shade.predict(orjson.dumps(example), {}, Work()).status == 200


@pytest.mark.parametrize("body", odd_pngs())
def test_odd_pictures_are_no_failure_of_the_version(shade: Served, body: bytes) -> None:
    """They are answered or refused, so that no client can have a version rolled back."""
    assert predict(shade, {"b64": base64.b64encode(body).decode()}).status in (200, 400)


def test_pixels_in_0_to_1_are_told_from_0_to_255(shade: Served) -> None:
    """Fractions are parts of white, booleans black and white; 0 and 1 alone could be either."""
    parts = predict(shade, [[0.5, 1.0], [1.0, 0.9]], [[True, True], [True, True]], DARK)
    found = orjson.loads(parts.body)
    assert [one["label"] for one in found["predictions"]] == ["light", "light", "dark"]
    assert any("0 as black and 1 as white" in one for one in found["warnings"])
    assert "all 0 or 1" in error(predict(shade, [[0, 1], [1, 0]]))
    assert "mixes numbers" in error(predict(shade, [[True, 7], [1, 0]]))
    assert "in 0..1" in error(infer(shade, inputs=[{**IMAGE, "data": [255.0] * 16}]))


@pytest.mark.parametrize(("low", "high"), [(0, 1.02), (-0.05, 1.1), (-0.1, 0.95)])
def test_fractions_that_resampling_carried_out_of_0_to_1_are_clipped(
    shade: Served, low: float, high: float
) -> None:
    """In V1 and V2, with a warning that names the range."""
    row = [high, high, high, 0.99]
    found = predict(shade, [row, row, row, [*row[:3], low]])
    assert orjson.loads(found.body)["predictions"][0]["label"] == "light"
    assert "0 as black and 1 as white, and clipped" in found.headers["x-model-warnings"]
    same = infer(shade, inputs=[{**IMAGE, "data": [*row * 3, *row[:3], low]}])
    assert same.status == 200
    assert "clipped to 0..1: they lie in" in same.headers["x-model-warnings"]


@pytest.mark.parametrize(("low", "high"), [(0, 1.11), (0, 2.01), (0, 15.5), (-0.11, 0.9), (-1, 1)])
def test_fractions_farther_out_are_refused_with_their_range(shade: Served, low: float, high: float) -> None:
    row = [low, high, 0.5, 0.25]
    v1 = error(predict(shade, [row] * 4))
    assert f"fractions in {low:g}..{high:g}; send numbers in 0..255, or fractions in 0..1" in v1
    v2 = error(infer(shade, inputs=[{**IMAGE, "data": row * 4}]))
    assert f"lie in {low:g}..{high:g}, those of a picture in 0..1; scale them" in v2


def test_fractions_of_0_to_255_and_dark_whole_numbers_are_taken_as_they_are(shade: Served) -> None:
    """With a warning: fractions are rounded, and white may be another number than 255."""
    found = predict(shade, [[250.5, 255], [254.25, 255]], [[0, 2], [1, 0]])
    assert [one["label"] for one in orjson.loads(found.body)["predictions"]] == ["light", "dark"]
    warnings = orjson.loads(found.body)["warnings"]
    assert any("their fractions were rounded" in one for one in warnings)
    assert any("in 0..2, were taken as numbers in 0..255: all are nearly black" in one for one in warnings)
    assert not any("white" in one for one in warnings)


@pytest.mark.parametrize("white", [8, 16])
def test_another_white_than_255_is_warned_of(shade: Served, white: int) -> None:
    found = orjson.loads(predict(shade, [[0, white], [white, 3]]).body)
    assert any(f"in 0..{white}" in one and "nearly black" in one for one in found["warnings"])


def test_nothing_is_said_of_black_or_of_bright_pixels(shade: Served) -> None:
    """A picture that is black all over is no sign of another white."""
    found = orjson.loads(predict(shade, [[0, 0], [0, 0]], [[0, 255], [17, 3]]).body)
    assert not any("nearly black" in one for one in found["warnings"])


def test_truth_that_becomes_numbers_is_warned_of(shade: Served) -> None:
    answer = infer(shade, inputs=[{**IMAGE, "data": [True, False] * 8}])
    told = "input 'image': true was taken as 1 and false as 0"
    assert (answer.status, answer.headers["x-model-warnings"]) == (200, told)


def test_the_example_is_answered(shade: Served) -> None:
    answer = shade.predict(orjson.dumps(shade.example), {}, Work())
    assert set(orjson.loads(answer.body)) == {"predictions"}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"shape": [0, 1, 4, 4], "data": []}, "its batch is empty"),
        ({"shape": [2**63 - 1, 0], "data": []}, "too large for a tensor without numbers"),
        ({"shape": [1, 0, 2**63 - 1, 4], "data": []}, "too large for a tensor without numbers"),
        ({"shape": [2**62, 0, 2], "data": []}, "too large for a tensor without numbers"),
        ({"shape": [2**64 - 1, 0], "data": []}, "too large for a tensor without numbers"),
        ({"shape": [10**7, 0], "data": []}, "too large for a tensor without numbers"),
        ({"shape": [-1, 1, 4, 4]}, "the negative side -1"),
        ({"shape": [2**40, 2**40, 4, 4]}, "needs"),
        ({"shape": [True, 1, 4, 4]}, "no whole number"),
        ({"shape": None}, "its shape is no list"),
        ({"shape": [1] * 33}, "33 sides"),
        ({"data": [3e38] * 16}, "divide pixels by 255"),
        ({"data": None}, "either data or binary_data_size"),
        ({"data": ["a"] * 16}, "text"),
        ({"data": [[0.0] * 8, [0.0] * 7]}, "different lengths"),
        ({"datatype": "BYTES"}, "its datatype is BYTES; send FP32"),
        ({"datatype": "\x1b[31m\u202eFP"}, r"its datatype is \x1b[31m\u202eFP; send FP32"),
        ({"datatype": None}, "its datatype is missing, or no text; send FP32"),
        ({"name": None}, "an input has no text as its name; known: "),
        ({"parameters": []}, "no object"),
        ({"parameters": {"shared_memory_region": "a"}}, "input 'image': shared memory is not known here"),
        ({"name": ["image"]}, "an input has no text as its name"),
    ],
)
def test_a_faulty_tensor_is_refused_with_its_fault(shade: Served, change: Any, fault: str) -> None:
    assert fault in error(infer(shade, inputs=[{**IMAGE, **change}]))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"inputs": [IMAGE, IMAGE]}, "comes twice"),
        ({"inputs": {}}, "no list of tensors"),
        ({"id": 5}, "id is no text"),
        ({"outputs": [{"name": "probabilities"}] * 2}, "comes twice"),
        ({"outputs": [{"name": "probabilities", "parameters": {"classification": 3}}]}, "classification"),
        ({"outputs": [{"name": "probabilities", "parameters": {"shared_memory_region": "a"}}]}, "shared"),
        ({"outputs": [{"name": "x"}]}, "there is no output 'x'; known: probabilities"),
        ({"parameters": {"binary_data_output": 1}}, "neither true nor false"),
    ],
)
def test_a_faulty_inference_is_refused_with_its_fault(shade: Served, change: Any, fault: str) -> None:
    assert fault in error(infer(shade, **change))


@pytest.mark.parametrize(
    ("parameters", "outputs", "is_binary"),
    [
        ({"binary_data_output": True}, None, True),
        ({"binary_data_output": True}, [{"name": "probabilities"}], True),
        ({"binary_data_output": True}, [{"name": "probabilities", "parameters": {}}], True),
        (
            {"binary_data_output": True},
            [{"name": "probabilities", "parameters": {"binary_data": False}}],
            False,
        ),
        ({}, [{"name": "probabilities", "parameters": {"binary_data": True}}], True),
        ({}, [{"name": "probabilities"}], False),
    ],
)
def test_outputs_are_binary_where_the_request_says_so(
    shade: Served, parameters: Any, outputs: Any, is_binary: bool
) -> None:
    answer = infer(shade, parameters=parameters, outputs=outputs)
    length = answer.headers.get("inference-header-content-length")
    assert (length is not None) == is_binary
    head = orjson.loads(answer.body[: int(length)] if length else answer.body)
    (output,) = head["outputs"]
    found = np.frombuffer(answer.body[int(length) :], np.float32) if length else np.array(output["data"])
    assert found.sum() == pytest.approx(1)


def test_a_failed_graph_is_the_versions_fault_only_for_inputs_like_its_samples(
    tmp_path: Path, files_of: Files, roots: Any
) -> None:
    """A number far from all samples may give NaN: 400. One like them may not: 500, which counts."""
    served = served_from(tmp_path, files_of(roots))
    assert predict(served, [1e30, 25.0]).status == 200
    assert "not finite" in error(predict(served, [-1e9, 4.0]))
    assert predict(served, [-0.5, 4.0]).status == 500


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "empty"),
        (b"\x89PNG\r\n", "the body is a PNG, not JSON"),
        (b'{"instances":["\xe9"]}', "not JSON: it is not in UTF-8, from byte 16 of 19"),
        (b'{"instances":["\\ud800"]}', "line 1, column 16: a text has half of a surrogate pair"),
        (b'{"instances":[NaN]}', "line 1, column 15: NaN and Infinity are no JSON numbers"),
        (b'{"instances":[-Infinity]}', "NaN and Infinity are no JSON numbers"),
        (b'{"instances":[None]}', "write true, false and null as JSON does"),
        (b"{'instances': [1]}", "texts stand in double quotes"),
        (b'{"instances":[' + b"9" * 5000 + b"]}", "a number is too large for 64 bits"),
        (b'\xef\xbb\xbf{"instances":[1]}', "it begins with a byte order mark"),
        (b"--x\r\nContent-Disposition: form-data", "it is a form (multipart/form-data)"),
        (b"instances=1", "it is a form"),
        (b'{"instances":[1,', "its end is missing"),
        (b'{"instances":[1,\n+2]}', "line 2, column 1: no value can begin so"),
        (b"null", "instances"),
        (b'{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"e30="}', "in data_base64"),
        (b'{"instances":[' + b"1," * 10_001 + b"1]}", "more than 10,000"),
        (b'{"instances":[' + b"[1]," * 500_000 + b"[1]]}", "lists and objects"),
        (b'{"instances":' + b"[" * 500 + b"1" + b"]" * 500 + b"}", "instance 0: it is nested too deeply"),
        (b"[" * 1100 + b"]" * 1100, "nested too deeply: more than 1,024"),
        (b'{"instances":[1],"instances":[2]}', "the key 'instances' twice"),
        (b'{"instances":[1], "x":{}, "instance\\u0073" : [2]}', "the key 'instances' twice"),
        (b'{"instances":[{"b64":"\\"}{"}],"instances":[2]} ', "the key 'instances' twice"),
        (b'{"instances":[[[{"a":1,"b64":"x","b64":"y"}]]]}', "the key 'b64' twice"),
        (b'[[1],{"a":":","b":{},"a":{}}]', "the key 'a' twice"),
        (b'{"data":{"instances":[1],"instances":[{"b64":":"}]},"id":"1"}', "the key 'instances' twice"),
        (b'{"%b":1,"%b":2}' % (b"a" * 300, b"a" * 300), "has a key twice"),
        (
            b'{"instances":[{%b"a":1,"a":2}]}' % b"".join(b'"%d":1,' % i for i in range(100_000)),
            "a key twice",
        ),
    ],
)
def test_a_body_that_is_no_request_is_refused_with_its_fault(shade: Served, body: bytes, fault: str) -> None:
    assert fault in error(shade.predict(body, {}, Work()))


@pytest.mark.parametrize(
    "value", ['"instances"', '{"instances": 1}', '"instances\\": "', '"\\u0041"', '[{"a": ":"}, {"a": 1}]']
)
def test_a_key_of_another_object_is_no_second_one(shade: Served, value: str) -> None:
    """Nor is the same text in a value."""
    body = f'{{"x": {value}, "instances": {json.dumps([DARK])}}}'
    assert shade.predict(body.encode(), {}, Work()).status == 200


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"{}", b"\x89PNG\r\n", b'{"inputs": 7}'])
def test_a_body_that_is_no_inference_is_told_the_shape_of_v2(shade: Served, body: bytes) -> None:
    answer = shade.infer(body, {"inference-header-content-length": str(len(body))}, Work())
    assert 'send {"inputs": [{"name", "shape", "datatype", "data"}]}' in error(answer)
    assert "GET /v2/models/shade" in orjson.loads(answer.body)["example"]
    assert "instances" not in error(answer)


def test_a_key_of_an_inference_comes_once(shade: Served) -> None:
    body = json.dumps({"inputs": [IMAGE]})[:-1] + ', "inputs": []}'
    assert "the key 'inputs' twice" in error(shade.infer(body.encode(), {}, Work()))
    body = json.dumps({"inputs": [IMAGE]})[:-3] + ', "data": [1]}]}'
    assert "the key 'data' twice" in error(shade.infer(body.encode(), {}, Work()))


def test_a_long_text_among_numbers_takes_no_memory(shade: Served) -> None:
    """Each number would get the room of the text: 4 TB."""
    assert "text" in error(predict(shade, ["a" * 1_000_000, *range(9_000)]))


def test_a_cloud_event_is_answered_by_one(shade: Served) -> None:
    """Binary and structured, as KServe's own server does; an unknown version of the format is refused."""
    attributes = {"specversion": "1.0", "id": "1", "source": "s", "type": "t"}
    binary = {f"ce-{name}": value for name, value in attributes.items()}
    answer = predict(shade, DARK, **binary)
    assert answer.headers["ce-source"] == "io.kserve.inference.shade"
    assert orjson.loads(answer.body)["predictions"][0]["label"] == "dark"
    event = orjson.dumps({**attributes, "data": {"instances": [DARK]}})
    structured = {"content-type": "application/cloudevents+json"}
    answer = shade.predict(event, structured, Work())
    assert orjson.loads(answer.body)["data"]["predictions"][0]["label"] == "dark"
    assert "specversion" in error(predict(shade, DARK, **{**binary, "ce-specversion": "9"}))


def test_work_ends_when_its_client_has_gone_or_reading_takes_too_long(shade: Served) -> None:
    gone = Work()
    gone.cancel()
    body = json.dumps({"instances": [DARK]}).encode()
    with pytest.raises(ClientGone):
        shade.predict(body, {}, gone)
    assert "takes more than 0 s" in error(shade.predict(body, {}, Work(decoding=0)))


@pytest.mark.parametrize(
    "accept", ["image/png;q=\xb2", "image/png;q=1.,*/*;q=.", ";;;,,q=", "image/png;q=nan"]
)
def test_an_odd_accept_header_harms_nothing(shade: Served, accept: str) -> None:
    assert predict(shade, DARK, accept=accept).status in (200, 400)


class Impatient(Work):
    """The work of a client who goes at the given look."""

    def __init__(self, look: int) -> None:
        super().__init__()
        self.looks, self._look = 0, look

    def check(self) -> None:
        self.looks += 1
        if self.looks == self._look:
            self.cancel()
        super().check()


def test_work_ends_in_the_middle_of_a_picture(shade: Served) -> None:
    """One picture may have hundreds of scans, each over all of its pixels."""
    picture = base64.b64encode(jpeg_of_scans(64, 64, 500)).decode()
    body = json.dumps({"instances": [{"b64": picture}]}).encode()
    whole, gone = Impatient(10**9), Impatient(250)
    assert shade.predict(body, {}, whole).status == 200
    with pytest.raises(ClientGone):
        shade.predict(body, {}, gone)
    assert (whole.looks > 500, gone.looks < 300) == (True, True)
    assert (whole.longest_run > 0, gone.longest_run) == (True, 0)


def test_what_a_request_takes_is_held_until_its_answer_is_sent(shade: Served) -> None:
    """Its numbers, its picture, and its answer; one that takes more than there is names the number."""
    budget = MemoryBudget(6 * 2**20)
    work = Work(budget)
    numbers = json.dumps({"instances": [[[200.5] * 300] * 100] * 2}).encode()
    assert shade.predict(numbers, {}, work).status == 200
    assert budget.held > 60_000 * 64
    work.end()
    assert budget.held == 0
    many = json.dumps({"instances": [[[200.5] * 300] * 100] * 4}).encode()
    assert "this takes 8Mi of memory" in error(shade.predict(many, {}, Work(budget)))
    large = png_of_chunks(side=3000)
    asked = json.dumps({"instances": [{"b64": base64.b64encode(large).decode()}]}).encode()
    assert "instance 0: this takes" in error(shade.predict(asked, {}, Work(budget)))
    assert budget.held == 0


def test_a_request_that_finds_no_memory_is_asked_to_come_again(
    shade: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503, which counts for nothing: the version did not fail."""
    monkeypatch.setattr("knoll.predict.memory_budget._PATIENCE", 0.0)
    budget = MemoryBudget(6 * 2**20)
    budget.take(5 * 2**20, lambda: None)
    numbers = json.dumps({"instances": [[[200.5] * 300] * 100]}).encode()
    answer = shade.predict(numbers, {}, Work(budget))
    assert (answer.status, answer.headers["retry-after"]) == (503, "2")
    assert "try again" in orjson.loads(answer.body)["error"]


def test_a_batch_is_no_larger_than_its_memory(tmp_path: Path, files_of: Files, classifier: Any) -> None:
    """It grows until a run takes more than it may; many instances are then answered in smaller parts."""
    served = served_from(tmp_path, files_of(classifier))
    example = {"image": np.zeros((1, 1, 4, 4), np.float32)}
    served.graph.fit_batch(example, 2**40)
    assert served.graph.batch == 32
    served.graph.fit_batch(example, 0)
    assert served.graph.batch == 1
    assert len(orjson.loads(predict(served, *[DARK] * 3).body)["predictions"]) == 3


def test_what_was_answered_is_noted_for_the_counts(
    shade: Served, tmp_path: Path, files_of: Files, roots: Any
) -> None:
    """The class of the first instance; that a number was not finite; nothing of a request that cannot be
    read."""
    for instances, expected in (((LIGHT, DARK), 1), ((DARK,), 0), (("x",), None)):
        work = Work()
        shade.predict(json.dumps({"instances": instances}).encode(), {}, work)
        assert (work.shown and work.shown.bin) == expected
    work = Work()
    assert served_from(tmp_path, files_of(roots)).predict(b'{"instances": [[-4, 9]]}', {}, work).status >= 400
    assert work.shown == NOT_FINITE
