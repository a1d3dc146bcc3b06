import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.declared import Knoll, Records, model_yaml
from knoll.families import FAMILIES
from knoll.ports import Platform

WHAT_IS_LOADED = """
import json, sys
from knoll.cli import main
try:
    main()
finally:
    heavy = {"torch", "numpy", "PIL", "onnxruntime", "kserve", "lightkube", "starlette", "matplotlib"}
    print(json.dumps(sorted(heavy & set(sys.modules))))
"""

FAULTY = """
apiVersion: knoll.dev/v1alpha1
kind: Model
metadata: {name: digits}
spec: {family: image-classifier, dataset: {uri: s3://data/digits}, epochs: 3, training: {config: {epoch: 3}}}
---
apiVersion: knoll.dev/v1alpha1
kind: Model
metadata: {name: FACES}
spec: {family: gan, dataset: {uri: s3://cli-models/faces/}}
"""


def test_says_created_then_unchanged_then_configured(
    knoll: Knoll, platform: Platform, model_file: Path
) -> None:
    """The same file twice changes nothing; another spec updates the stored document."""
    assert "model/digits created" in knoll("apply", "-f", model_file).stdout
    before = platform.cluster.get("Model", "digits")
    assert "model/digits unchanged" in knoll("apply", "-f", model_file).stdout
    assert platform.cluster.get("Model", "digits") == before
    model_file.write_text(model_file.read_text().replace("0.9", "0.8"))
    assert "model/digits configured" in knoll("apply", "-f", model_file).stdout
    assert platform.cluster.get("Model", "digits")["spec"]["gate"]["atLeast"] == 0.8


def test_the_result_comes_first_and_nothing_heavy_is_loaded(platform: Platform, model_file: Path) -> None:
    """The family's config is checked without the libraries that train it."""
    done = subprocess.run(
        [sys.executable, "-c", WHAT_IS_LOADED, "apply", "-f", str(model_file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    result, hint, loaded = done.stdout.splitlines()
    assert result == "model/digits created"
    assert hint.startswith("s3://cli-data/digits/ has no data yet. Next: knoll upload digits")
    assert json.loads(loaded) == []


def test_a_dry_run_changes_nothing(knoll: Knoll, platform: Platform, model_file: Path) -> None:
    """--dry-run tells what would happen, and stores nothing."""
    result = knoll("apply", "-f", model_file, "--dry-run", "-o", "json")
    assert json.loads(result.stdout) == {
        "applied": [{"model": "digits", "result": "created", "dryRun": True}]
    }
    assert platform.cluster.list("Model") == []


def test_lists_every_fault_of_every_document_with_its_place(
    knoll: Knoll, platform: Platform, tmp_path: Path
) -> None:
    """Faults of all documents, the family's and its config's among them, are told at once with file, number
    and field."""
    path = tmp_path / "faulty.yaml"
    path.write_text(FAULTY)
    result = knoll("apply", "-f", path)
    assert result.exit_code == 1
    first, second = result.stderr.split("faulty.yaml:9: metadata.name", 1)
    for part in ("faulty.yaml:5: spec.dataset.uri", "spec.epochs: there is no such field", "config.epoch: "):
        assert part in first
    for part in (
        f"there is no family 'gan'; did you mean dcgan? (one of: {', '.join(sorted(FAMILIES))})",
        "lies in the model bucket",
        "Fix: ",
    ):
        assert part in second
    assert platform.cluster.list("Model") == []


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_what_the_cluster_would_refuse_is_told_before_anything_is_stored(
    knoll: Knoll, platform: Platform, tmp_path: Path, dry: list[str]
) -> None:
    """Also of a Model behind others, with lines and what to do; a dry run promises no more."""
    path, odd = tmp_path / "model.yaml", "{name: odd, namespace: other, labels: [1], annotations: {a: 1}}"
    last = model_yaml("cli-data", "odd").replace("metadata: {name: odd}", f"metadata: {odd}")
    path.write_text("---\n".join([model_yaml("cli-data"), last]))
    result = knoll("apply", "-f", path, *dry)
    assert result.exit_code == 1
    for field in ("namespace", "labels", "annotations"):
        assert re.search(rf"model\.yaml:\d+: metadata\.{field}\b", result.stderr)
    assert "Fix: correct the file" in result.stderr
    assert platform.cluster.list("Model") == []


def test_the_document_of_a_stored_model_can_be_applied_again(
    knoll: Knoll, platform: Platform, model_file: Path, tmp_path: Path
) -> None:
    """What the cluster has written into it stands in nobody's way."""
    knoll("apply", "-f", model_file)
    path = tmp_path / "stored.json"
    path.write_text(json.dumps(platform.cluster.get("Model", "digits")))
    platform.cluster.delete("Model", "digits")
    assert knoll("apply", "-f", path).exit_code == 0
    assert [one["metadata"]["name"] for one in platform.cluster.list("Model")] == ["digits"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("family: gan\ndataset: {uri: s3://data/digits/}", "there is no family 'gan'"),
        ("family: image-classifier\ndataset: {uri: s3://cli-models/digits/}", "lies in the model bucket"),
        (
            "family: image-classifier\ndataset: {uri: s3://data/digits/}\ntraining: {config: {epoch: 3}}",
            "spec.training.config.epoch",
        ),
        (
            "family: dcgan\ndataset: {uri: s3://data/digits/}\ngate: {metric: accuracy}",
            "no metric 'accuracy'",
        ),
    ],
)
def test_refuses_what_only_training_would_find_out(
    knoll: Knoll, platform: Platform, text: str, told: str
) -> None:
    """Family, dataset place and training config are checked before anything is stored; stdin is a file,
    too."""
    spec = text.replace("\n", "\n  ")
    result = knoll(
        "apply",
        "-f",
        "-",
        stdin=f"apiVersion: knoll.dev/v1alpha1\nkind: Model\nmetadata: {{name: digits}}\nspec:\n  {spec}\n",
    )
    assert result.exit_code == 1
    assert "stdin" in result.stderr
    assert told in result.stderr
    assert platform.cluster.list("Model") == []


def test_delete_asks_first_and_keeps_the_data(
    knoll: Knoll, platform: Platform, model_file: Path, records: Records
) -> None:
    """Without a yes nothing is deleted; with one, Model, InferenceService and the model's own Jobs go, and
    versions stay."""
    knoll("apply", "-f", model_file)
    records.version(records.run())
    platform.cluster.create(labelled("InferenceService", "digits", "knoll", "digits"))
    for run, model in (("digits-1", "digits"), ("faces-1", "faces")):
        platform.cluster.create(labelled("Job", run, "knoll", model))
    assert knoll("delete", "digits", stdin="n\n").exit_code == 1
    assert platform.cluster.get("Model", "digits")
    assert knoll("delete", "digits", "--yes").exit_code == 0
    assert platform.cluster.list("Model") == platform.cluster.list("InferenceService") == []
    assert [job["metadata"]["name"] for job in platform.cluster.list("Job")] == ["faces-1"]
    assert json.loads(knoll("versions", "digits", "-o", "json").stdout)["versions"][0]["version"] == "v000001"
    again = knoll("delete", "digits", "--yes")
    assert again.exit_code == 4
    assert "Fix: knoll models lists them" in again.stderr


@pytest.mark.parametrize(("manager", "model"), [("helm", "digits"), ("knoll", "faces"), ("", "")])
def test_delete_leaves_what_is_not_knolls(
    knoll: Knoll, platform: Platform, model_file: Path, manager: str, model: str
) -> None:
    """Somebody else's InferenceService of the model's name stays, as does a Job that says it is the model's
    and not knoll's."""
    knoll("apply", "-f", model_file)
    platform.cluster.create(labelled("InferenceService", "digits", manager, model))
    platform.cluster.create(labelled("Job", "digits-1", manager, model))
    assert knoll("delete", "digits", "--yes").exit_code == 0
    assert platform.cluster.list("Model") == []
    assert platform.cluster.get("InferenceService", "digits")
    assert platform.cluster.get("Job", "digits-1")


def labelled(kind: str, name: str, manager: str, model: str) -> dict[str, Any]:
    labels = {"app.kubernetes.io/managed-by": manager, "knoll.dev/model": model} if manager else {}
    group = "batch/v1" if kind == "Job" else "serving.kserve.io/v1beta1"
    return {"apiVersion": group, "kind": kind, "metadata": {"name": name, "labels": labels}, "spec": {}}


def test_a_file_reads_as_it_is_written(knoll: Knoll, platform: Platform, tmp_path: Path) -> None:
    """9e-1 is a number, a byte order mark is none of the text, and a key that stands twice is refused."""
    path = tmp_path / "model.yaml"
    path.write_text(
        "\ufeff" + model_yaml("cli-data", gate="{metric: accuracy, atLeast: 9e-1}"), encoding="utf-8"
    )
    assert knoll("apply", "-f", path).exit_code == 0
    assert platform.cluster.get("Model", "digits")["spec"]["gate"]["atLeast"] == 0.9
    path.write_text(model_yaml("cli-data") + "  gate: {metric: accuracy}\n")
    refused = knoll("apply", "-f", path)
    assert refused.exit_code == 1
    assert "model.yaml:8: spec.gate stands here and in line 7" in refused.stderr.replace("\n", "")
    path.write_bytes("ä".encode("latin-1"))
    assert "model.yaml:1:1: the byte E4 is not UTF-8" in knoll("apply", "-f", path).stderr


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (
            {"gate": "{metric: accuracy, atLeast: 95}"},
            "lies in 0..1, never at 95; did you mean 0.95?",
        ),
        ({"gate": "{metric: acuracy, atLeast: 0.9}"}, "has no metric 'acuracy'; did you mean accuracy?"),
        ({"gate": "{metric: loss, atLeast: 0.9}"}, "spec.gate.atLeast: less loss is better, so give atMost"),
        (
            {"gate": "{metric: accuracy, maxRegression: 2}"},
            "spec.gate.maxRegression: accuracy lies in 0..1, so it must be at most 1, not 2",
        ),
        (
            {"training": "{config: {learningRate: .inf}}"},
            "learningRate: must be a finite number, more than 0 and at most 1, not .inf",
        ),
        ({"training": "{config: {learningRate: 1000000}}"}, "more than 0 and at most 1, not 1000000"),
        ({"training": "{config: {weightDecay: .nan}}"}, "weightDecay: must be a finite number"),
        ({"training": "{config: {epochs: 1000000000}}"}, "at least 1 and at most 1000000, not 1000000000"),
        (
            {"training": "{processesPerNode: 2, resources: {memory: 500Mi}}"},
            "must be at least 640Mi, the least for 2 processes that train, not 500Mi",
        ),
        ({"training": "{resources: {memory: 1}}"}, "spec.training.resources.memory: must be at least 320Mi"),
        ({"serving": "{resources: {memory: 1}}"}, "spec.serving.resources.memory: must be at least 128Mi"),
        ({"gate": "{metric: accuracy, atLeast: high}"}, "must be a number such as 0.95, not 'high'"),
        ({"family": "image-clasifier"}, "no family 'image-clasifier'; did you mean image-classifier?"),
        ({"trainin": "{}"}, "spec.trainin: there is no such field; did you mean training?"),
        (
            {"training": "{config: {epoch: 3}}"},
            "spec.training.config.epoch: there is no such field; did you mean",
        ),
        (
            {"training": "{nodes: 0}"},
            "spec.training.nodes: must be at least 1 and at most 64, not 0 (default: 1)",
        ),
        (
            {"training": "{config: {dropout: much}}"},
            "must be a number such as 0.95, at least 0 and less than 1, not 'much' (default: 0.25)",
        ),
        (
            {"training": "{config: {imageWidth: 4}}"},
            "at least 8 and at most 1024, not 4 (default: that of most pictures, or less)",
        ),
        ({"training": "{deadline: soon}"}, "'soon' is not a duration such as 90s, 5m or 2h (default: 2h)"),
        (
            {"training": "{resources: {cpu: lots}}"},
            "'lots' is not a quantity such as 2, 500m or 2Gi (default: 1 core",
        ),
        (
            {"rollout": "{steps: [0]}"},
            "spec.rollout.steps.0: must be at least 1 and at most 99, not 0 (default: [5,",
        ),
        (
            {"rollout": "{idle: hold on}"},
            "must be one of replay, hold, promote, not 'hold on'; did you mean hold? (default: replay)",
        ),
        (
            {"gate": "{metric: accuracy, goldenSet: s3://cli-data/digits/exam/}"},
            "spec.gate.goldenSet: s3://cli-data/digits/exam/ overlaps the data, s3://cli-data/digits/",
        ),
        (
            {"gate": "{metric: accuracy, goldenSet: s3://cli-models/exam/}"},
            "spec.gate.goldenSet: s3://cli-models/exam/ lies in the model bucket",
        ),
        ({"gate": "{metric: accuracy, goldenSet: s3://exams/digits}"}, "end the prefix with a slash"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused_with_line_and_suggestion(
    knoll: Knoll, platform: Platform, tmp_path: Path, fields: dict[str, str], told: str
) -> None:
    path = tmp_path / "model.yaml"
    path.write_text(model_yaml("cli-data", **fields))
    refused = knoll("apply", "-f", path, "--dry-run")
    assert refused.exit_code == 1
    assert told in refused.stderr
    line = int(refused.stderr.split("model.yaml:", 1)[1].split(":", 1)[0])
    assert next(iter(fields)) in path.read_text().splitlines()[line - 1]


def test_a_fault_has_the_line_of_a_key_with_dots(knoll: Knoll, platform: Platform, tmp_path: Path) -> None:
    """And of a key of digits, which is no place in a list."""
    path = tmp_path / "model.yaml"
    path.write_text(
        model_yaml("cli-data")
        + "  training:\n    resources:\n      cpu: 1\n      nvidia.com/gpu: minus\n    example.com/foo: x\n"
        + "    '7': x\n"
    )
    refused = knoll("apply", "-f", path, "--dry-run")
    for line, told in (
        (11, "spec.training.resources.nvidia.com/gpu: 'minus' is not a quantity"),
        (12, "spec.training.example.com/foo: there is no such field"),
        (13, "spec.training.7: there is no such field"),
    ):
        assert f"model.yaml:{line}: {told}" in refused.stderr


def test_what_is_probably_not_meant_is_a_warning(knoll: Knoll, platform: Platform, tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    path.write_text(model_yaml("cli-data"))
    knoll("apply", "-f", path)
    path.write_text(
        model_yaml(
            "cli-data",
            "sevens",
            dataset="{uri: s3://cli-data/digits/7/}",
            training="{resources: {nvidia.com/gpu: 99}}",
        )
    )
    warned = knoll("apply", "-f", path)
    assert warned.exit_code == 0
    assert "sevens and digits share data" in warned.stderr
    assert "spec.training asks for 99 of nvidia.com/gpu, and this machine has" in warned.stderr


def test_a_dry_run_warns_of_what_is_hardly_meant_once(
    knoll: Knoll, platform: Platform, tmp_path: Path
) -> None:
    """Also of two Models of one file that share data."""
    path = tmp_path / "model.yaml"
    landed = "{when: quiet, quiet: 0s, marker: X}"
    odd = model_yaml(
        "cli-data",
        dataset=f"{{uri: s3://cli-data/digits/, landed: {landed}}}",
        training="{deadline: 1s}",
        rollout="{minRequests: 1000000000000, bake: 9999h}",
    )
    picture = "{uri: s3://cli-data/digits/7/, landed: {marker: a.png}}"
    hasty = "{uri: s3://cli-data/hasty/, landed: {when: quiet, quiet: 1h}}"
    others = [("sevens", picture), ("hasty", hasty)]
    path.write_text("---\n".join([odd, *(model_yaml("cli-data", name, dataset=one) for name, one in others)]))
    warned = knoll("apply", "-f", path, "--dry-run")
    assert warned.exit_code == 0
    for told in (
        "digits and sevens share data",
        "digits: spec.dataset.landed.marker is for the rule marker, and the rule is quiet",
        "digits: spec.dataset.landed.quiet is 0s",
        "digits: spec.training.deadline is 1s",
        "digits: spec.rollout.bake is 9999h, which is more than 30 days",
        "digits: spec.rollout.minRequests is 1,000,000,000,000",
        "sevens: spec.dataset.landed.marker is a.png",
        "hasty: spec.dataset.landed.maxWait is 10m, less than quiet, 1h",
    ):
        assert warned.stderr.count(told) == 1
    assert warned.stderr.count("share data") == 1


def test_no_model_reads_its_data_where_the_golden_set_of_another_one_lies(
    knoll: Knoll, platform: Platform, tmp_path: Path
) -> None:
    """Whichever of the two is stored first, and also in one file. A golden set without files is a warning."""
    examined = model_yaml("cli-data", gate="{metric: accuracy, goldenSet: s3://cli-exams/digits/}")
    uploads = model_yaml("cli-exams", "uploads", dataset="{uri: s3://cli-exams/}")
    first, second = tmp_path / "examined.yaml", tmp_path / "uploads.yaml"
    first.write_text(f"{examined}---\n{uploads}")
    refused = knoll("apply", "-f", first)
    assert "s3://cli-exams/digits/ overlaps s3://cli-exams/, the data of uploads" in refused.stderr
    assert platform.cluster.list("Model") == []
    first.write_text(examined)
    second.write_text(uploads)
    stored = knoll("apply", "-f", first)
    assert stored.exit_code == 0
    assert "s3://cli-exams/digits/ has no files yet" in stored.stderr
    refused = knoll("apply", "-f", second)
    assert refused.exit_code == 1
    assert "uploads.yaml:6: spec.dataset.uri: s3://cli-exams/ overlaps" in refused.stderr
    assert "the golden set of digits" in refused.stderr
