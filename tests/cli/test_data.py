import json
from pathlib import Path

from cli.declared import Knoll
from knoll.ports import Platform


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
