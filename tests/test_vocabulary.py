"""The words that all parts share: Models are read strictly, identities are stable, manifests miss no
difference."""

import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import knoll
from knoll.adapters.memory.store import MemoryStore
from knoll.errors import InvalidModel, InvalidVersion, Rejected
from knoll.models import parse_model
from knoll.names import digest, object_uri, run_id, split_uri, version_name, version_number
from knoll.ports import Bucket
from knoll.records.dataset import Dataset, DatasetObject, load_dataset
from knoll.records.inbox import inbox_entry, inbox_uri, list_inbox
from knoll.records.manifest import Manifest, entry_of, load_manifest, verify
from knoll.records.run import Run, why_not_asked


def document(**spec: Any) -> dict[str, Any]:
    whole = {"family": "image-classifier", "dataset": {"uri": "s3://data/digits/"}, **spec}
    return {
        "apiVersion": "knoll.dev/v1alpha1",
        "kind": "Model",
        "metadata": {"name": "digits"},
        "spec": whole,
    }


def test_a_model_in_full_is_read_in_seconds_and_percent() -> None:
    model = parse_model(
        document(
            training={"deadline": "1h30m", "resources": {"cpu": 2, "memory": "2Gi", "nvidia.com/gpu": 1}},
            rollout={"steps": [5, 25], "bake": "1.5s"},
        )
    )
    assert (model.training.deadline, model.rollout.bake, model.rollout.steps) == (5400, 1.5, (5, 25))
    assert model.training.resources == {"cpu": "2", "memory": "2Gi", "nvidia.com/gpu": "1"}


def test_every_fault_of_a_model_is_named_with_its_path_at_once() -> None:
    faulty = document(
        dataset={"uri": "http://x", "landed": {"when": "soon"}},
        training={"resources": {"cpu": "two"}, "nodes": 65, "epochs": 3},
        gate={"metric": "accuracy", "atLeast": 0.9, "atMost": 0.1},
        rollout={"steps": [50, 20], "bake": 3},
    )
    with pytest.raises(InvalidModel) as caught:
        parse_model({**faulty, "kind": "Modell", "metadata": {"name": "Digits!"}})
    for path in (
        *(
            "kind",
            "metadata.name",
            "spec.dataset.uri",
            "spec.dataset.landed.when",
            "spec.training.resources.cpu",
            "spec.training.nodes",
        ),
        *("spec.training.epochs", "spec.gate", "spec.rollout.steps", "spec.rollout.bake"),
    ):
        assert f"\n  {path}: " in str(caught.value), f"{path} is not named in\n{caught.value}"


@pytest.mark.parametrize(
    ("path", "impossible"),
    [
        ("spec.training.resources.gpu", {"training": {"resources": {"gpu": 1}}}),
        ("spec.serving.resources.nvidia.com/", {"serving": {"resources": {"nvidia.com/": 1}}}),
        *(
            ("spec.dataset.uri", {"dataset": {"uri": f"s3://{name}/digits/"}})
            for name in ("My_Data", "ab", "a" * 64, "data-", "a..b", "10.0.0.1")
        ),
        *(
            ("spec.dataset.landed.marker", {"dataset": {"uri": "s3://data/", "landed": {"marker": name}}})
            for name in ("", "done/_SUCCESS")
        ),
        ("spec.serving", {"serving": {"minReplicas": 3, "maxReplicas": 2}}),
        ("spec.serving", {"serving": {"minReplicas": 5}}),
        ("spec.gate.atLeast", {"gate": {"metric": "accuracy", "atLeast": float("nan")}}),
        ("spec.gate.atMost", {"gate": {"metric": "loss", "atMost": float("inf")}}),
        ("spec.gate.maxRegression", {"gate": {"metric": "loss", "maxRegression": float("inf")}}),
        ("spec.training.deadline", {"training": {"deadline": "0s"}}),
        ("spec.training.deadline", {"training": {"deadline": f"{'9' * 400}h"}}),
        ("spec.rollout.progressDeadline", {"rollout": {"progressDeadline": "0m"}}),
    ],
)
def test_a_value_that_nothing_can_have_is_a_fault(path: str, impossible: dict[str, Any]) -> None:
    """What Kubernetes, S3 or arithmetic would refuse later is refused where it is declared."""
    with pytest.raises(InvalidModel, match=rf"\n  {re.escape(path)}: "):
        parse_model(document(**impossible))


def test_values_at_the_edge_are_taken() -> None:
    """A thousandth of a core, no bake, as many replicas at least as at most, and a bucket name as short as S3
    allows."""
    edge = document(
        dataset={"uri": "s3://a.1/"},
        training={"resources": {"cpu": "1m", "ephemeral-storage": "1Gi"}, "deadline": "0.5s"},
        serving={"minReplicas": 2, "maxReplicas": 2},
        rollout={"bake": "0s"},
    )
    model = parse_model(edge)
    assert (model.training.resources["cpu"], model.rollout.bake, model.serving.min_replicas) == ("1m", 0, 2)


@pytest.mark.parametrize("rubbish", [None, [], "text", {}, {"spec": []}, {"metadata": 3, "spec": None}])
def test_rubbish_is_no_model(rubbish: Any) -> None:
    with pytest.raises(InvalidModel):
        parse_model(rubbish)


def test_identities_do_not_change_between_releases() -> None:
    """Golden: a run id that changes would train everything again."""
    assert digest(["a", "bc"]) == "3fafa1cf2f19a7c1129beb20cf0983f73a489a221fc0dd2f16d1be292d089205"
    assert digest(["a", "bc"]) != digest(["ab", "c"])
    assert run_id("digits", "d" * 64, "c" * 64) == "digits-abb99b361e76bc835425"
    model = parse_model(document(training={"config": {"epochs": 8, "batchSize": 64}}))
    assert model.config_digest == "461775f749a3abb9a28c3dbc5cc055b2f1c84f24e4ae5f65158db85fab004f7e"


def test_only_files_that_may_be_bad_ask_for_another_run() -> None:
    """Data that was rejected is tried again when the Model says skip."""
    plain, rejecting, skipping, never = (
        parse_model(document(training=training))
        for training in (
            {},
            {"badData": "reject", "maxBad": 0.5},
            {"badData": "skip"},
            {"badData": "skip", "maxBad": 0.0},
        )
    )
    assert plain.config_digest == rejecting.config_digest == never.config_digest
    assert skipping.config_digest != plain.config_digest
    run = Run("digits-0", "digits", "image-classifier", "d", "s3://d", {}, "now", most_bad=0.01)
    assert why_not_asked(run, skipping) == ""
    assert why_not_asked(run, plain) == "the Model lets 0 of the files be bad now, and let 0.01"


def test_another_golden_set_asks_for_another_run() -> None:
    plain, first, second = (
        parse_model(document(gate={"metric": "accuracy", "goldenSet": uri}))
        for uri in (None, "s3://exams/one/", "s3://exams/two/")
    )
    assert len({plain.config_digest, first.config_digest, second.config_digest}) == 3
    run = Run(
        "digits-0", "digits", "image-classifier", "d", "s3://d", {}, "now", golden_set="s3://exams/one/"
    )
    assert why_not_asked(run, first) == ""
    assert "golden set is s3://exams/two/ now, and was s3://exams/one/" in why_not_asked(run, second)
    assert "golden set is none now" in why_not_asked(run, plain)


def test_other_compressed_graphs_ask_for_another_run() -> None:
    """The order in which they are named does not matter, nor a default that is written down."""
    plain, first, same, other = (
        parse_model(document(compression=compression))
        for compression in (
            None,
            {"candidates": ["int8", "fp16"]},
            {"candidates": ["fp16", "int8"], "maxLoss": 0.01, "pruning": {"share": 0.5}},
            {"candidates": ["fp16", "int8"], "maxLoss": 0.02},
        )
    )
    assert plain.config_digest == parse_model(document()).config_digest
    assert first.config_digest == same.config_digest
    assert len({plain.config_digest, first.config_digest, other.config_digest}) == 3
    asked = {"candidates": ["fp16", "int8"]}
    run = Run("digits-0", "digits", "image-classifier", "d", "s3://d", {}, "now", compression=asked)
    assert why_not_asked(run, first) == ""
    assert why_not_asked(run, plain) == "the Model asks for other compressed graphs now"


def test_another_way_to_compute_asks_for_another_run() -> None:
    """What the rule chooses by the device does not: a default that is written down neither."""
    plain, same, first, other = (
        parse_model(document(training={"accelerate": accelerate}))
        for accelerate in (
            {},
            {"precision": "auto", "fused": None},
            {"precision": "fp32", "fused": False},
            {"precision": "fp32"},
        )
    )
    assert plain.config_digest == same.config_digest == parse_model(document()).config_digest
    assert len({plain.config_digest, first.config_digest, other.config_digest}) == 3
    asked = {"fused": False, "precision": "fp32"}
    run = Run("digits-0", "digits", "image-classifier", "d", "s3://d", {}, "now", accelerate=asked)
    assert why_not_asked(run, first) == ""
    assert why_not_asked(run, plain) == "the Model's config has changed since"


def test_a_dataset_is_the_same_whatever_the_order_of_its_listing() -> None:
    objects = [DatasetObject(f"s3://data/digits/{number}", f"etag{number}", number) for number in range(50)]
    shuffled = random.Random(1).sample(objects, len(objects))
    first, again = (
        Dataset("digits", "s3://data/digits/", tuple(some), at)
        for some, at in ((objects, "now"), (shuffled, "later"))
    )
    assert first.digest == again.digest
    assert first.digest != replace(first, objects=first.objects[1:]).digest
    assert load_dataset(first.encode()) == first


def test_the_entries_of_an_inbox_are_told_apart_by_run_and_time_of_the_data() -> None:
    """Any zone is read as UTC, and what comes back sorts as time does."""
    run = run_id("digits", "d" * 64, "c")
    times = ["2026-01-01T01:00:00.5+01:00", "2026-01-01T00:00:01+00:00", "2026-01-01T00:00:01.000001+00:00"]
    uris = [inbox_uri("s3://models", run, time) for time in times]
    entries = [inbox_entry(uri) for uri in uris]
    assert uris[0] == f"s3://models/inbox/{run}.20260101T000000500000Z.json"
    assert entries[0] == (run, "2026-01-01T00:00:00.500000+00:00")
    assert [data_at for _, data_at in entries[1:]] == times[1:]
    assert sorted(entries) == entries
    assert sorted(uris) == uris


@pytest.mark.parametrize("stamp", ["20269999T000000000000Z", "20260101T240000000000Z", "20260101T000000Z"])
def test_a_name_without_a_time_of_the_data_is_no_entry(stamp: str) -> None:
    """A listing passes over it."""
    bucket = Bucket(MemoryStore(), "s3://models")
    uri = f"s3://models/inbox/{run_id('digits', 'd' * 64, 'c')}.{stamp}.json"
    bucket.store.put(uri, b"{}")
    with pytest.raises(Rejected, match="is no entry of an inbox"):
        inbox_entry(uri)
    assert list(list_inbox(bucket)) == []


@pytest.mark.parametrize("data_at", ["", "yesterday", "0001-01-01T00:00:00+23:00"])
def test_a_run_without_a_time_of_the_data_has_no_entry(data_at: str) -> None:
    with pytest.raises(Rejected, match="the time of the data of run digits-1 is"):
        inbox_uri("s3://models", "digits-1", data_at)


@pytest.mark.parametrize("name", ["v1", "000001", "v00000x", "v000001/", ""])
def test_only_padded_numbers_name_versions(name: str) -> None:
    assert version_number(version_name(7)) == 7
    with pytest.raises(Rejected):
        version_number(name)


@pytest.mark.parametrize("uri", ["http://bucket/key", "s3://", "s3://bucket", "bucket/key", ""])
def test_only_s3_uris_with_a_key_or_slash_are_taken(uri: str) -> None:
    with pytest.raises(Rejected):
        split_uri(uri)


@pytest.mark.parametrize("key", ["", "a/b", "/a", "a b%20ü"])
def test_a_uri_made_of_bucket_and_key_is_split_into_them(key: str) -> None:
    assert split_uri(object_uri("bucket", key)) == ("bucket", key)


@pytest.mark.parametrize(
    ("fact", "home"),
    [
        (r"""f["']s3://\{""", "names.py"),
        (r"v\\d\{6|v\(\?:\[0-9\]\{6", "names.py"),
        (r"%Y%m%dT", "names.py"),
        (r"\(408, 429\)", "rollout/questions.py"),
        (r"""["'}\]]-predictor""", "kube/predictors.py"),
        (r"\}:predict", "paths.py"),
    ],
)
def test_a_fact_that_parts_share_has_one_home(fact: str, home: str) -> None:
    """No other module spells it out."""
    source = Path(knoll.__file__).parent
    modules = [path for path in source.rglob("*.py") if re.search(fact, path.read_text())]
    assert modules == [source / home]


def test_verify_lists_every_missing_and_changed_file() -> None:
    files = {name: name.encode() for name in ("model.onnx", "signature.json", "README.md")}
    entries = {name: entry_of(body) for name, body in files.items()}
    manifest = load_manifest(
        Manifest(
            "digits", "v000001", "image-classifier", "run", "d", {}, {"accuracy": 0.9}, "now", "0", entries
        ).encode()
    )
    verify(manifest, files)
    with pytest.raises(InvalidVersion) as caught:
        verify(manifest, {"model.onnx": b"model.onnX", "signature.json": b"signature.json", "model.pkl": b""})
    for fault in ("README.md is missing", "model.onnx has sha256"):
        assert fault in str(caught.value)
    assert "model.pkl" not in str(caught.value)
