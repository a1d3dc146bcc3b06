import json
from collections.abc import Sequence
from pathlib import Path

from cli.declared import Knoll, Records
from knoll.data_files import Skipped
from knoll.families.sound_files import SoundSurvey
from knoll.ports import Platform
from knoll.records.dataset import Dataset, DatasetObject, write_dataset
from knoll.records.manifest import version_uri
from knoll.records.outcome import Outcome, write_outcome
from knoll.records.run import Run, write_run
from knoll.records.signature import SIGNATURE, Signature, Tensor


def test_classes_are_counted_and_what_is_skipped_is_named_by_reason(
    knoll: Knoll, platform: Platform, model_file: Path, bucket: str
) -> None:
    knoll("apply", "-f", model_file)
    uri = f"s3://{bucket}/digits/"
    for key in ("tall/_MG_1.JPG", "wide/1.png", "wide/2.png", ".ipynb_checkpoints/1.png", "wide/Thumbs.db"):
        platform.store.put(uri + key, b"123")
    found = json.loads(knoll("data", "digits", "-o", "json").stdout)
    assert [(one["name"], one["files"], one["bytes"]) for one in found["groups"]] == [
        ("tall", 1, 3),
        ("wide", 2, 6),
    ]
    assert {one["reason"]: one["examples"] for one in found["skipped"]} == {
        "in a hidden folder": [".ipynb_checkpoints/1.png"],
        "made by the operating system": ["wide/Thumbs.db"],
    }
    assert found["fault"] == ""
    assert "skipped 1 file, in a hidden folder: .ipynb_checkpoints/1.png" in knoll("data", "digits").stdout
    platform.store.put(f"{uri}wide/indoor/3.png", b"123")
    assert "did you mean the classes tall, wide, or" in knoll("data", "digits").stdout
    assert knoll("data", "nobody").exit_code == 4


def test_objects_are_told_from_files(knoll: Knoll, platform: Platform, model_file: Path, bucket: str) -> None:
    """A state counts objects; the log of a run counts files, also those in archives."""
    knoll("apply", "-f", model_file)
    uri = f"s3://{bucket}/digits/"
    for key in ("0/a.png", "1/b.png"):
        platform.store.put(uri + key, b"123")
    assert f"2 files, 6 B, in {uri}" in knoll("data", "digits").stdout
    platform.store.put(f"{uri}more.zip", b"1234")
    shown = knoll("data", "digits").stdout
    assert f"3 objects, 10 B, in {uri}" in shown
    assert "These are 2 files and 1 archive of 4 B. An archive is one object" in shown
    found = json.loads(knoll("data", "digits", "-o", "json").stdout)
    assert (found["objects"], found["files"], found["archives"]["files"]) == (3, 2, 1)


def test_the_sounds_are_those_of_the_newest_version(
    knoll: Knoll, platform: Platform, model_file: Path, records: Records
) -> None:
    knoll("apply", "-f", model_file)
    assert json.loads(knoll("data", "digits", "-o", "json").stdout)["sounds"] is None
    learnt = SoundSurvey(22_050, 5400.0, {16_000: 1, 22_050: 3}, {1: 4})
    records.version(records.run(), "v000001")
    output = Tensor("sound", "FP32", (-1, 16_384), options={"sounds": learnt.option})
    uri = version_uri(platform.bucket.root, "digits", "v000001") + SIGNATURE
    platform.store.delete(uri)
    platform.store.put(uri, Signature((), (output,)).encode())
    shown = " ".join(knoll("data", "digits").stdout.split())
    assert "v000001 learnt 1h30m of sound from 4 files, at 22,050 Hz" in shown
    assert "Rates: 16,000 Hz in 1 file, 22,050 Hz in 3 files. Channels: 1 in 4 files" in shown
    found = json.loads(knoll("data", "digits", "-o", "json").stdout)["sounds"]
    assert (found["version"], found["files"], found["rates"]) == ("v000001", 4, {"16000": 1, "22050": 3})


def test_each_landing_tells_what_changed_and_what_became_of_it(
    knoll: Knoll, platform: Platform, model_file: Path, records: Records
) -> None:
    """Newest first: the data that is there now, the one whose version is quarantined, the one that was
    refused, the first."""
    knoll("apply", "-f", model_file)
    for number, objects in enumerate((TWO, THREE, OTHER, TWO[:1]), 1):
        land(records, number, objects)
    records.entry(f"digits-{4:020x}")
    for number, (state, version) in enumerate((("succeeded", 1), ("rejected", 0), ("succeeded", 2)), 1):
        run = f"digits-{number:020x}"
        records.outcome(run, state, f"v{version:06d}", "" if version else "only one class")
        if version:
            records.version(run, f"v{version:06d}")
    records.status(
        champion="v000001",
        quarantine={"v000002": "5 of 50 requests failed"},
        dataset={"state": "Landed", "digest": digest_of(TWO[:1]), "run": f"digits-{4:020x}"},
    )
    found = json.loads(knoll("data", "digits", "-o", "json").stdout)["landings"]
    assert [one["digest"] for one in found] == [digest_of(one) for one in (TWO[:1], OTHER, THREE, TWO)]
    assert [one["now"] for one in found] == [True, False, False, False]
    assert [one["change"] and tuple(one["change"].values()) for one in found] == [
        (0, 2, 0),
        (0, 0, 1),
        (1, 0, 0),
        None,
    ]
    assert [(one["version"], one["state"], one["reason"]) for one in found] == [
        ("", "Queued", found[0]["reason"]),
        ("v000002", "quarantined", "5 of 50 requests failed"),
        ("", "Rejected", "only one class"),
        ("v000001", "champion", ""),
    ]
    assert [(one["objects"], one["bytes"], one["classes"]) for one in found[:2]] == [
        (1, 10, ["tall"]),
        (3, 30, ["tall", "wide"]),
    ]
    table = knoll("data", "digits").stdout
    assert "1 added" in table
    assert "quarantined" in table
    assert len(json.loads(knoll("data", "digits", "--limit", "1", "-o", "json").stdout)["landings"]) == 1


TWO = (("tall/1.png", "a"), ("wide/1.png", "b"))
THREE = (*TWO, ("wide/2.png", "c"))
OTHER = (*TWO, ("wide/2.png", "d"))


def dataset_of(objects: Sequence[tuple[str, str]], landed_at: str = "") -> Dataset:
    prefix = "s3://cli-data/digits/"
    return Dataset(
        "digits", prefix, tuple(DatasetObject(prefix + key, etag, 10) for key, etag in objects), landed_at
    )


def digest_of(objects: Sequence[tuple[str, str]]) -> str:
    return dataset_of(objects).digest


def land(records: Records, number: int, objects: Sequence[tuple[str, str]]) -> None:
    """A landing, and its run. The store's clock has seconds, so one landing may be as old as the next."""
    at = f"2026-01-01T00:00:{number:02d}+00:00"
    data, id = dataset_of(objects, at), f"digits-{number:020x}"
    uri = write_dataset(data, records.bucket)
    run = Run(id, "digits", "image-classifier", data.digest, uri, {}, at, data_at=at)
    write_run(run, records.bucket)


def test_few_bad_files_are_told_and_what_a_run_has_left_out(
    knoll: Knoll, platform: Platform, model_file: Path, bucket: str, records: Records
) -> None:
    """By their names, of the data that is there now; by its outcome, of a run."""
    model_file.write_text(f"{model_file.read_text()}  training: {{badData: skip, maxBad: 0.3}}\n")
    assert knoll("apply", "-f", model_file).exit_code == 0
    uri = f"s3://{bucket}/digits/"
    for key in ("tall/1.png", "tall/2.png", "wide/1.png", "wide/list.csv"):
        platform.store.put(uri + key, b"123")
    land(records, 1, TWO)
    left_out = (Skipped("it is cut short", 2, ("tall/7.png", "tall/8.png")),)
    outcome = Outcome("succeeded", "2026-01-01T00:01:00+00:00", "v000001", left_out=left_out)
    write_outcome(f"digits-{1:020x}", outcome, records.bucket)
    found = json.loads(knoll("data", "digits", "-o", "json").stdout)
    assert [(one["name"], one["files"]) for one in found["groups"]] == [("tall", 2), ("wide", 1)]
    assert [one["examples"] for one in found["bad"]] == [["wide/list.csv"]]
    assert found["landings"][0]["leftOut"][0]["count"] == 2
    shown = knoll("data", "digits").stdout
    assert "a run would leave out 1 bad file, it is not a picture" in shown
    assert "left out 2 bad files, it is cut short: tall/7.png, tall/8.png" in shown
    platform.store.put(f"{uri}list.csv", b"1")
    assert "A run would be rejected: list.csv: it is not a picture" in knoll("data", "digits").stdout


def test_the_columns_are_those_of_the_newest_version(
    knoll: Knoll, platform: Platform, model_file: Path, records: Records
) -> None:
    """A category with its values, and how many rows lack a number; no data is read."""
    knoll("apply", "-f", model_file)
    assert json.loads(knoll("data", "digits", "-o", "json").stdout)["columns"] is None
    options = {
        "columns": [
            {"name": "age", "kind": "number", "optional": True, "missing": 7, "example": 63},
            {"name": "sex", "kind": "category", "optional": False, "example": "F", "categories": ["F", "M"]},
        ],
        "rows": 1200,
        "target": {"name": "died", "counts": {"0": 900, "1": 300}},
        "ignored": ["days", "died"],
    }
    records.version(records.run(), "v000001")
    signature = Signature((Tensor("row", "FP32", (-1, 2, 2), "row", options),), ())
    uri = version_uri(platform.bucket.root, "digits", "v000001") + SIGNATURE
    platform.store.delete(uri)
    platform.store.put(uri, signature.encode())
    shown = [" ".join(line.split()) for line in knoll("data", "digits").stdout.splitlines()]
    assert "COLUMN KIND MISSING VALUES EXAMPLE" in shown
    assert "age number 7 63" in shown
    assert "sex category 2: F, M 'F'" in shown
    assert "v000001 learnt died from 1,200 rows: 0 900, 1 300" in shown
    assert "It did not learn from: days" in shown
    found = json.loads(knoll("data", "digits", "-o", "json").stdout)["columns"]
    assert (found["target"], found["columns"][1]["values"]) == ("died", ["F", "M"])
