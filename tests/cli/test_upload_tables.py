"""`knoll upload` looks into tables before the first byte is sent, in the words of a run."""

import io
import zipfile
from pathlib import Path

import pytest

from cli.declared import Knoll, model_yaml
from knoll.ports import Platform

GOOD = b"n,y\n1,p\n2,q\n"
ROWS = b"".join(b"%d,p\n" % number for number in range(300_000))


@pytest.fixture
def send(knoll: Knoll, platform: Platform, bucket: str, tmp_path: Path) -> Knoll:
    """Send files of a Model of tables: pairs of a name and its bytes."""

    def run(files: dict[str, bytes], *words: str, **training: str) -> object:
        told = ", ".join(f"{name}: {value}" for name, value in training.items())
        spec = {"family": "tabular", "gate": "null", "training": f"{{config: {{target: y}}, {told}}}"}
        (tmp_path / "model.yaml").write_text(model_yaml(bucket, **spec))
        assert knoll("apply", "-f", tmp_path / "model.yaml").exit_code == 0
        folder = tmp_path / "data"
        folder.mkdir()
        for name, body in files.items():
            (folder / name).write_bytes(body)
        return knoll("upload", "digits", folder, *words)

    return run  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("name", "body", "told"),
    [
        ("a.csv", "näme,y\n1,p\n".encode("latin-1"), "a.csv: it is not UTF-8: line 1 has the byte 0xE4"),
        ("a.csv", b"n,yy\n1,p\n2,q\n", "target names the column y, which is not there; did you mean yy?"),
        ("a.csv", b"", "a.csv: it has no columns"),
        ("a.csv", b"n,y\n", "the tables have no rows"),
        ("a.jsonl", b'[{"n":1,"y":"p"}]', "alone in its line: in line 1"),
        ("a.csv", b"n,y\n1,p,q\n2,p,q\n", "a.csv, line 2: it has 3 cells, and the header has 2"),
        ("a.csv", b"n,y\n1,p\n2,\n", "a.csv, line 3: the target y has no value"),
        ("a.npz", b"no archive", "a.npz: it is no npz that can be read"),
    ],
    ids=["latin", "target", "empty", "header", "array", "cells", "value", "npz"],
)
def test_a_table_that_no_run_could_learn_is_not_sent(
    send: Knoll, platform: Platform, bucket: str, name: str, body: bytes, told: str
) -> None:
    result = send({name: body}, "--dry-run")
    assert result.exit_code == 1
    assert "a run would be rejected, so nothing is sent" in " ".join(result.stderr.split())
    assert told in " ".join(result.stderr.split())
    assert not list(platform.store.list(f"s3://{bucket}/"))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"n,yy\n1,p\n2,q\n", "all.zip/a.csv: target names the column y, which is not there"),
        (b"n,y\n1,p,q\n2,p,q\n", "all.zip/a.csv, line 2: it has 3 cells, and the header has 2"),
    ],
    ids=["target", "cells"],
)
def test_a_table_in_an_archive_is_looked_into_too(send: Knoll, body: bytes, told: str) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.csv", body)
        archive.writestr("b.csv", GOOD)
    result = send({"all.zip": file.getvalue()}, "--dry-run")
    assert result.exit_code == 1
    assert told in " ".join(result.stderr.split())


def test_texts_in_an_archive_are_no_tables_without_rows(
    knoll: Knoll, bucket: str, tmp_path: Path, platform: Platform
) -> None:
    spec = {"family": "text-classifier", "gate": "null"}
    (tmp_path / "model.yaml").write_text(model_yaml(bucket, **spec))
    assert knoll("apply", "-f", tmp_path / "model.yaml").exit_code == 0
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for number in range(4):
            archive.writestr(f"neg/{number}.txt", f"bad {number}")
            archive.writestr(f"pos/{number}.txt", f"good {number}")
    result = knoll("upload", "digits", tmp_path / "all.zip", "--dry-run")
    assert result.exit_code == 0, result.stderr


@pytest.mark.parametrize(
    ("files", "training"),
    [
        ({"a.csv": GOOD, "b.csv": b'n,y\n"' + b"1" * 9 + b'",p\n' + ROWS}, {}),
        ({"a.csv": b"\xef\xbb\xbf" + GOOD, "b.jsonl": b'{"n": 1, "y": "p"}\n'}, {}),
        ({"a.csv": GOOD + b"3,p,q\n"}, {"badData": "skip", "maxBad": "0.5"}),
        ({"a.csv": GOOD, "b.csv": b""}, {"badData": "skip", "maxBad": "0.5"}),
    ],
    ids=["large", "mark", "a bad row", "a bad file"],
)
def test_tables_that_a_run_can_learn_are_sent(
    send: Knoll, files: dict[str, bytes], training: dict[str, str]
) -> None:
    result = send(files, "--dry-run", **training)
    assert result.exit_code == 0, result.stderr
