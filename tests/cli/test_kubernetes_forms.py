"""A Model takes what Kubernetes takes, and a slip of the pen gets the value that was probably meant."""

import json
import re
from pathlib import Path

import pytest

from cli.declared import model_yaml
from knoll.cli.documents import read_declared
from knoll.errors import InvalidModel
from knoll.settings import Settings

HEAD = "apiVersion: knoll.dev/v1alpha1\nkind: Model\n"
SPEC = "spec: {family: image-classifier, dataset: {uri: s3://cli-data/digits/}}\n"


def _read(text: str, folder: Path) -> dict[str, object]:
    path = folder / "model.yaml"
    path.write_text(text)
    (one,) = read_declared([str(path)], Settings(), list)
    return dict(one.document)


def _refused(text: str, folder: Path) -> str:
    with pytest.raises(InvalidModel) as refused:
        _read(text, folder)
    return str(refused.value)


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("1.5", "1.5"),
        (".5", "0.5"),
        ("'.5'", ".5"),
        ("1e3", "1000"),
        ("2", 2),
        ("'1.5'", "1.5"),
        ("500m", "500m"),
    ],
)
def test_a_part_of_a_core_is_taken_and_stored_as_an_api_server_takes_it(
    written: str, stored: object, tmp_path: Path
) -> None:
    """Its schema knows whole numbers and texts."""
    found = _read(model_yaml("cli-data", training=f"{{resources: {{cpu: {written}}}}}"), tmp_path)
    assert found["spec"]["training"]["resources"] == {"cpu": stored}  # type: ignore[index]
    pattern = re.search(r"pattern: (\^\(\[0-9\].*\$)", Path("deploy/crd/models.yaml").read_text())
    assert pattern
    assert isinstance(stored, int) or re.search(pattern[1], stored)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (
            "resources: {memory: 2GB}",
            "'2GB' is not a quantity such as 2, 500m or 2Gi; did you mean 2G or 2Gi?",
        ),
        ("resources: {memory: 2g}", "did you mean 2G or 2Gi?"),
        ("resources: {memory: 512 mb}", "did you mean 512M or 512Mi?"),
        ("resources: {memory: 1.5KB}", "did you mean 1.5k or 1.5Ki?"),
        ("resources: {memory: ٣Gi}", "'٣Gi' is not a quantity such as 2, 500m or 2Gi"),
        ("resources: {cpu: null}", "null is not a quantity"),
        ("resources: {cpu: .nan}", ".nan is not a quantity"),
        ("resources: {cpu: true}", "true is not a quantity"),
        ("resources: {cpu: [1]}", "a list is not a quantity"),
        ("deadline: 90", "90 is not a duration such as 90s, 5m or 2h; did you mean 1m30s?"),
        ("deadline: 5 min", "did you mean 5m?"),
        ("deadline: 2 hours", "did you mean 2h?"),
        ("deadline: 1d", "did you mean 24h?"),
        ("deadline: 1500ms", "did you mean 1.5s?"),
        ("deadline: ٣s", "'٣s' is not a duration such as 90s, 5m or 2h"),
        ("deadline: null", "null is not a duration"),
        ("deadline: -5", "-5 is not a duration"),
    ],
)
def test_a_slip_of_the_pen_is_told_with_what_was_meant(written: str, meant: str, tmp_path: Path) -> None:
    told = _refused(model_yaml("cli-data", training=f"{{{written}}}"), tmp_path)
    assert meant in told
    assert told.count("did you mean") == meant.count("did you mean")


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("config: {epochs: 1e1}", "not 1e1"),
        ("config: {epochs: 0x0}", "not 0x0 (default: 12)"),
        ("config: {batchSize: -1.50}", "not -1.50"),
        ("deadline: 1.0e3", "1.0e3 is not a duration"),
        ("nodes: 2.0", "not 2.0"),
        ("nodes: .Inf", "not .Inf"),
    ],
)
def test_a_number_is_shown_as_it_is_written(written: str, told: str, tmp_path: Path) -> None:
    assert told in _refused(model_yaml("cli-data", training=f"{{{written}}}"), tmp_path)


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ("", "metadata: must be given"),
        ("metadata: {}\n", "metadata.name: must be given"),
        ("metadata:\n", "metadata: must be an object with a name, not null"),
        ("metadata: {name: null}\n", "metadata.name: null, which is no text without quotes, must be 1-40"),
        ("metadata: {name: 1e3}\n", "metadata.name: 1e3, which is no text without quotes, must be 1-40"),
        ("metadata: [y]\n", "metadata: must be an object with a name, not a list"),
        ("metadata: {name: .nan}\n", "metadata.name: .nan, which is no text without quotes, must be"),
        ("metadata: {name: 'a\u00a0b'}\n", "metadata.name: 'a\\xa0b' must be 1-40"),
        ("metadata: {name: a, labels: {-team: x}}\n", "metadata.labels.-team: a key is 1-63 letters"),
        ("metadata: {name: a, labels: {a/b/c: x}}\n", "metadata.labels.a/b/c: a key is"),
        ("metadata: {name: a, labels: {team: two words}}\n", "'two words' is not, but an annotation can be"),
        ("metadata: {name: a, labels: {n: 1.10}}\n", "metadata.labels.n: 'n': 1.10 must be two texts"),
        ("metadata: {name: a, labels: {n: 1}}\n", "metadata.labels.n: 'n': 1 must be two texts"),
        ("metadata: {name: a, annotations: {'no key': x}}\n", "metadata.annotations.no key: a key is"),
    ],
)
def test_metadata_that_an_api_server_refuses_is_told(metadata: str, told: str, tmp_path: Path) -> None:
    words = _refused(HEAD + metadata + SPEC, tmp_path)
    assert told in words
    assert len(words.splitlines()) == 1
    assert "None" not in words


def test_labels_and_annotations_as_people_have_them_are_taken(tmp_path: Path) -> None:
    labels = "labels: {team: vision, example.com/stage_1: '', app.kubernetes.io/name: A.b-c}"
    _read(
        f"{HEAD}metadata: {{name: a, {labels}, annotations: {{Example.com/x: any text}}}}\n{SPEC}", tmp_path
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "apiVersion: v1\nkind: List\nmetadata: {resourceVersion: ''}\nitems: []\n",
            "this is a list of objects",
        ),
        (
            "apiVersion: apps/v1\nkind: Deployment\nspec: {a: 1}\n",
            "must be Model, not 'Deployment': kubectl apply",
        ),
    ],
)
def test_an_object_of_another_kind_has_one_fault(text: str, told: str, tmp_path: Path) -> None:
    words = _refused(text, tmp_path)
    assert told in words
    assert len(words.splitlines()) == 1


def test_a_space_of_a_web_page_is_named(tmp_path: Path) -> None:
    words = _refused(HEAD + SPEC + "\u00a0\u00a0training: {}\n", tmp_path)
    assert words.endswith("the character U+00A0 stands before '\\xa0training'; put spaces in its place")


def test_json_may_be_indented_with_tabs(tmp_path: Path) -> None:
    document = {
        "apiVersion": "knoll.dev/v1alpha1",
        "kind": "Model",
        "metadata": {"name": "digits", "annotations": {"note": "a\tb"}},
        "spec": {"family": "image-classifier", "dataset": {"uri": "s3://cli-data/digits/"}},
    }
    assert _read(json.dumps(document, indent="\t"), tmp_path) == document
