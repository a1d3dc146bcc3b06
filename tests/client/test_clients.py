"""Both clients against predictors: what is given, what is answered, and what is refused."""

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from PIL import Image

from knoll.client import LabelsCounted, TensorInfo
from knoll.client.given import v1_body
from knoll.client.tensors import tensors_of
from knoll.errors import InvalidData, InvalidInstance, KnollError, NotFound, Rejected, Unavailable

LIGHT = np.full((4, 4), 255, np.uint8)
Ask = Callable[..., Any]
Urls = Mapping[str, str]


@pytest.fixture
def predict(asking: Ask, urls: Urls) -> Ask:
    """Asks a model with what is given."""

    def asked(model: str, given: Any) -> Any:
        return asking(urls[model], lambda client: client.model(model).predict(given))

    return asked


def png(pixels: Any = LIGHT) -> bytes:
    body = io.BytesIO()
    Image.fromarray(pixels).save(body, "PNG")
    return body.getvalue()


def test_a_picture_in_every_form_gets_the_same_label(predict: Ask, tmp_path: Path) -> None:
    """A path, as text too, bytes, Pillow, pixels, also with opacity, and the tensor itself, which goes in
    binary form."""
    path = tmp_path / "light.png"
    path.write_bytes(png())
    tensor = np.ones((1, 4, 4), np.float32)
    files, clear = (path, str(path), path.read_bytes(), Image.open(path)), np.zeros((5, 6, 4), np.uint8)
    for given in (*files, LIGHT, np.stack([LIGHT] * 3, axis=2), clear, tensor, tensor[np.newaxis]):
        answer = predict("shade", given)
        assert (answer.label, answer.version, len(answer)) == ("light", "v000001", 1)
        assert answer.probabilities == pytest.approx({"dark": 0.018, "light": 0.982}, abs=0.01)
        assert answer.array.argmax() == 1
        assert answer.id.startswith("shade.v000001.")


def test_a_list_is_a_batch_of_whatever_it_holds(predict: Ask) -> None:
    """Pictures, arrays, a mixture, and a file with a whole request."""
    dark, request = np.zeros((4, 4), np.uint8), json.dumps({"instances": [[[250] * 4] * 4] * 2}).encode()
    tensors = [np.zeros((1, 4, 4)), np.ones((1, 4, 4))]
    for given in (
        [png(dark), png()],
        [dark, LIGHT],
        tensors,
        np.stack(tensors),
        [Image.fromarray(dark), png()],
    ):
        answer = predict("shade", given)
        assert [one.label for one in answer] == ["dark", "light"]
        assert answer[1].version == "v000001"
    assert [one.label for one in predict("shade", [png(dark), request])] == ["dark", "light", "light"]
    with pytest.raises(KnollError, match="2 predictions, not one"):
        predict("shade", request).label  # noqa: B018


def test_numbers_become_numbers_in_json_and_as_arrays(predict: Ask) -> None:
    """A list of numbers is one instance; what has named inputs may have them as arrays."""
    for given in ([4, 9.0], [np.float32(4), 9], np.array([4, 9]), {"x": np.array([[4.0, 9.0]])}):
        assert predict("roots", given).array.tolist() == [2, 3]
    for batch in ([[4, 9], [16, 25]], np.array([[4, 9], [16, 25]]), [{"x": np.array([4, 9])}] * 2):
        assert predict("roots", batch)[0].array.tolist() == [2, 3]


def test_a_generated_picture_comes_as_one(predict: Ask) -> None:
    """In JSON as the PNG that was sent; of an array the tensor, which is the same picture."""
    latent = np.array([0.5, -1.0, 0.25])
    in_json, in_array = predict("art", {"latent": latent.tolist()}), predict("art", latent)
    assert in_json.picture.size == (5, 2)
    assert in_json.picture.tobytes() == in_array.picture.tobytes()
    assert (in_json.array.shape, in_array.array.shape) == ((2, 5, 3), (3, 2, 5))
    assert predict("art", [{"seed": 7}, {"seed": 7}])[0].picture == predict("art", {"seed": 7}).picture


def test_what_an_answer_is_not_is_told(predict: Ask) -> None:
    picture, numbers = predict("art", {"seed": 7}), predict("roots", [4, 9])
    with pytest.raises(KnollError, match="the answer of v000001 is a picture, not a label") as error:
        picture.label  # noqa: B018
    assert "take .raw in place of .label" in error.value.fix
    with pytest.raises(KnollError, match="is a list, not a picture"):
        numbers.picture  # noqa: B018
    with pytest.raises(KnollError, match="an array of float32 with the shape"):
        predict("roots", np.array([4, 9])).probabilities  # noqa: B018
    assert numbers.raw == [2, 3]


@pytest.mark.parametrize(
    ("model", "given", "kind", "told"),
    [
        ("shade", "seven", InvalidInstance, "a picture is no bare text"),
        ("shade", "nowhere.png", NotFound, "nowhere.png: there is no such file"),
        ("shade", b"GIF89a", InvalidData, "neither a PNG nor a JPEG, and is not JSON"),
        (
            "shade",
            b'{"a": 1, "a": 2}',
            InvalidData,
            "the bytes: it is neither a PNG nor a JPEG, and is not JSON",
        ),
        ("shade", [], InvalidInstance, "an empty list"),
        ("shade", [float("nan")], InvalidInstance, "as JSON: a number in it is NaN or infinite"),
        ("shade", {(1, 2): 3}, InvalidInstance, "as JSON: something in it is no object, list, text, number"),
        ("shade", {1}, InvalidInstance, "a value of the type set cannot be sent"),
        ("shade", np.ones((1, 5, 4)), InvalidInstance, "the shape [1, 5, 4], not [-1, 1, 4, 4]"),
        ("shade", np.ones((1, 4, 4)) * 7, InvalidInstance, "its values lie in 7..7"),
        ("shade", np.array(["x"]), InvalidInstance, "the shape [1]"),
        ("roots", [np.ones(2), np.ones((2, 2))], InvalidInstance, "have different shapes"),
        ("roots", np.array([1j, 2]), InvalidInstance, "an array of complex128 is no FP32"),
        ("roots", {"z": np.ones(2)}, InvalidInstance, "there is no input 'z'; known: x"),
        ("roots", np.zeros((10_000_000, 2), np.float32), InvalidInstance, "77Mi, more than 32Mi"),
    ],
    ids=str,
)
def test_what_cannot_be_predicted_is_told_with_what_helps(
    predict: Ask, model: str, given: Any, kind: type[KnollError], told: str
) -> None:
    with pytest.raises(kind) as error:
        predict(model, given)
    assert told in str(error.value)
    assert error.value.fix


def test_a_refusal_shows_a_right_request(predict: Ask) -> None:
    with pytest.raises(InvalidInstance) as error:
        predict("roots", [1, 2, 3])
    assert str(error.value).startswith("predict roots: HTTP 400: instance 0: the shape is [3], not [2]")
    assert error.value.fix == 'a right request: {"instances": [[0.0, 0.0]]}'


def test_models_metadata_and_readiness(asking: Ask, urls: Urls) -> None:
    url = urls["shade"]
    assert asking(url, lambda client: client.models()) == ["shade"]
    told = asking(url, lambda client: client.model("shade").metadata())
    assert (told.versions, told.inputs[0].shape, told.outputs[0].name) == (
        ("v000001",),
        (-1, 1, 4, 4),
        "probabilities",
    )
    assert asking(url, lambda client: client.model("shade").ready()) is True
    assert asking(url, lambda client: client.model("other").ready()) is False
    assert asking("http://127.0.0.1:1", lambda client: client.model("shade").ready()) is False
    with pytest.raises(NotFound, match="there is no such model here"):
        asking(url, lambda client: client.model("other").predict([1]))


def test_feedback_counts_once_and_may_be_told_again(asking: Ask, urls: Urls) -> None:
    async def told(client: Any) -> list[LabelsCounted]:
        model = client.model("shade")
        id, ids = (await model.predict(png())).id, (await model.predict([png(), png()])).id
        return [
            await model.feedback(id, "light"),
            await model.feedback(id, "light"),
            await model.feedback(ids, ["dark", None]),
        ]

    assert asking(urls["shade"], told) == [
        LabelsCounted(1, 1, 0),
        LabelsCounted(0, 0, 0),
        LabelsCounted(1, 0, 1),
    ]
    with pytest.raises(InvalidInstance, match="is no id of an answer"):
        asking(urls["shade"], lambda client: client.model("shade").feedback("x", "light"))


def test_the_first_answer_tells_how_long_the_start_took(
    asking: Ask, start: Ask, files_of: Ask, classifier: Any
) -> None:
    predictor = start("shade", files_of(classifier))
    assert predictor.wait_ready("/v2/models/shade/ready"), predictor.stop()

    async def twice(client: Any) -> list[Any]:
        return [await client.model("shade").predict([png(), png()]) for _ in range(2)]

    first, second = asking(predictor.url, twice)
    assert {*first.cold} == {"start", "fetch", "verify", "load", "warm-up"}
    assert first[1].cold["load"] > 0
    assert not second.cold


def test_what_was_converted_is_told(predict: Ask) -> None:
    answer = predict("shade", np.full((9, 7, 3), 255, np.uint8))
    assert answer.label == "light"
    assert answer.warnings == (
        "instance 0: its 7x9 pixels were resized to 4x4",
        "instance 0: its colours became grey",
    )


@pytest.mark.parametrize(
    "seconds", [None, "5", True, 0, -1, 1e-9, float("nan"), float("inf"), 1e300], ids=repr
)
def test_a_timeout_that_nobody_can_wait_is_refused_at_once(asking: Ask, seconds: Any) -> None:
    with pytest.raises(Rejected, match=r"and must be seconds: a number from 0\.001 to 1,000,000"):
        asking("http://x", lambda client: client.models(), timeout=seconds)


def test_no_picture_and_no_path_is_told_as_such() -> None:
    cut = Image.open(io.BytesIO(png(np.zeros((99, 99), np.uint8))[:60]))
    for given, told in (
        ({"x": Image.new("L", (0, 0))}, "a picture of 0x0 pixels cannot be made a PNG"),
        (cut, "a picture of 99x99 pixels cannot be made a PNG"),
        ("a\0.png", r"a\\x00.png: this can be no path"),
    ):
        with pytest.raises((InvalidData, InvalidInstance), match=told):
            v1_body(given)


def test_a_table_of_pandas_becomes_rows_of_v1() -> None:
    """What is missing is null. A row is one instance. A tensor stays one."""
    table = pandas.DataFrame(
        {"age": [63, None], "sex": ["F", "M"], "old": pandas.array([True, None], "boolean")}
    )
    rows = [{"age": 63.0, "sex": "F", "old": True}, {"age": None, "sex": "M", "old": None}]
    takes_rows, takes_tensor = (TensorInfo("x", "FP32", shape) for shape in ((-1, 3, 2), (-1, 2)))
    assert json.loads(v1_body(table)) == {"instances": rows}
    assert json.loads(v1_body(table.iloc[0])) == {"instances": rows[:1]}
    assert tensors_of(table, [takes_rows]) is None
    tensor = tensors_of(pandas.DataFrame([[1.0, 2.0]]), [takes_tensor])
    assert tensor is not None
    assert tensor["x"].tolist() == [[1, 2]]


@pytest.mark.parametrize(
    "url", ["nowhere", "ftp://x", "http://", "http://x:port", "http://x?x=1", "http://x#x"]
)
def test_what_is_no_url_is_refused_at_once(asking: Ask, url: str) -> None:
    with pytest.raises(Rejected, match="is no URL of a server"):
        asking(url, lambda client: client.models())


def test_without_a_url_it_is_that_of_the_settings_or_nothing(
    asking: Ask, urls: Urls, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KNOLL_HOME", str(tmp_path))
    monkeypatch.delenv("KNOLL_URL", raising=False)
    with pytest.raises(Unavailable, match="no platform runs in"):
        asking("", lambda client: client.models())
    monkeypatch.setenv("KNOLL_URL", urls["roots"])
    assert asking("", lambda client: client.models()) == ["roots"]
