import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tarfile import TarFile, TarInfo
from threading import Barrier
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import pytest
from PIL import Image

from cli.declared import Knoll, Records
from knoll.cli.upload_plan import UploadFile
from knoll.cli.upload_send import Sent, tenths
from knoll.cli.upload_turn import one_at_a_time
from knoll.ingest.look import look_and_learn
from knoll.ingest.verdict import Landed
from knoll.models import parse_model
from knoll.ports import Platform
from knoll.records.dataset import write_dataset
from knoll.records.strays import find_strays
from knoll.records.upload import hang_out, upload_uri


def png(shade: int) -> bytes:
    body = io.BytesIO()
    Image.new("L", (8, 8), shade).save(body, "PNG")
    return body.getvalue()


def zipped(members: dict[str, bytes], compression: int = ZIP_DEFLATED) -> bytes:
    body = io.BytesIO()
    with ZipFile(body, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return body.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    body = io.BytesIO()
    with TarFile.open(fileobj=body, mode="w") as archive:
        for name, content in members.items():
            entry = TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return body.getvalue()


A, B, C = png(0), png(1), png(2)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    for name, body in {"0/a.png": A, "1/b.png": B, ".hidden": b"x", ".git/config": b"x"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    return folder


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def keys(platform: Platform, uri: str) -> list[str]:
    return [one.uri.removeprefix(uri) for one in platform.store.list(uri)]


def test_files_keep_their_paths_and_the_marker_comes_last(
    knoll: Knoll, platform: Platform, model_file: Path, bucket: str, data: Path
) -> None:
    """Files lie under the prefix as in the folder, hidden ones stay at home, and no object is newer than the
    marker."""
    knoll("apply", "-f", model_file)
    result = knoll("upload", "digits", data)
    assert result.exit_code == 0, result.output
    uri = f"s3://{bucket}/digits/"
    assert keys(platform, uri) == ["0/a.png", "1/b.png", "_SUCCESS"]
    assert max(platform.store.list(uri), key=lambda one: (one.modified, one.uri)).uri == f"{uri}_SUCCESS"
    assert platform.store.get(f"{uri}1/b.png") == B
    assert "knoll runs digits -w" in result.stdout
    assert "100 %" in result.stderr


def test_replace_deletes_what_is_not_uploaded_after_a_yes(
    knoll: Knoll, platform: Platform, model_file: Path, bucket: str, data: Path
) -> None:
    """--replace asks, and then leaves exactly the uploaded files; without it older files stay."""
    knoll("apply", "-f", model_file)
    knoll("upload", "digits", data)
    (data / "0/a.png").rename(data / "0/c.png")
    assert knoll("upload", "digits", data, "--replace", stdin="n\n").exit_code == 1
    assert "0/a.png" in keys(platform, f"s3://{bucket}/digits/")
    shown = json.loads(knoll("upload", "digits", data, "--replace", "--yes", "-o", "json").stdout)
    assert shown["objects"] == 2
    assert shown["deleted"] == 1
    assert keys(platform, f"s3://{bucket}/digits/") == ["0/c.png", "1/b.png", "_SUCCESS"]


def test_a_manifest_lists_what_is_uploaded_and_what_stays_of_what_it_listed(
    knoll: Knoll, platform: Platform, model_file: Path, bucket: str, data: Path, tmp_path: Path
) -> None:
    """So the data lands as it is: after a first upload, after more files, and after --replace."""
    model_file.write_text(model_file.read_text().replace("{uri:", "{landed: {when: manifest}, uri:"))
    knoll("apply", "-f", model_file)
    model, uri = parse_model(platform.cluster.get("Model", "digits")), f"s3://{bucket}/digits/"
    platform.store.put(f"{uri}2/stray.png", b"nobody lists it")
    more = tmp_path / "more" / "1"
    more.mkdir(parents=True)
    (more / "b.png").write_bytes(C)
    (more / "c.png").write_bytes(C)
    for paths, landed in (
        ([data], "0/a.png 1/b.png"),
        ([more.parent], "0/a.png 1/b.png 1/c.png"),
        ([data, "--replace"], "0/a.png 1/b.png"),
    ):
        result = knoll("upload", "digits", *paths, "--yes")
        assert result.exit_code == 0, result.output
        assert "The manifest manifest.json is written" in result.stdout
        verdict = look_and_learn(model, platform)
        assert isinstance(verdict, Landed), verdict
        assert " ".join(one.uri.removeprefix(uri) for one in verdict.datasets[0].objects) == landed
    platform.store.put(f"{uri}manifest.json", b"no manifest")
    platform.store.put(f"{uri}2/stray.png", b"nobody lists it")
    assert "upload MODEL PATH --replace" in knoll("upload", "digits", data).stderr


def test_a_dry_run_sends_nothing(
    knoll: Knoll, platform: Platform, model_file: Path, bucket: str, data: Path
) -> None:
    """--dry-run names every file and its place, and sends none."""
    knoll("apply", "-f", model_file)
    assert f"s3://{bucket}/digits/0/a.png" in knoll("upload", "digits", data, "--dry-run").stdout
    assert keys(platform, f"s3://{bucket}/") == []


def test_a_dry_run_names_only_what_would_be_sent(
    knoll: Knoll, platform: Platform, model_file: Path, bucket: str, data: Path
) -> None:
    """What is there already is counted. A file of the same size with other bytes is sent."""
    knoll("apply", "-f", model_file)
    platform.store.put(f"s3://{bucket}/digits/0/a.png", A)
    platform.store.put(f"s3://{bucket}/digits/1/b.png", A)
    shown = knoll("upload", "digits", data, "--dry-run").stdout
    assert "0/a.png" not in shown
    assert f"to s3://{bucket}/digits/1/b.png" in shown
    assert "would not send what is there already: 1 file" in shown
    assert json.loads(knoll("upload", "digits", data, "--dry-run", "-o", "json").stdout)["unchanged"] == 1


def test_an_upload_that_cannot_be_whole_sends_nothing(
    knoll: Knoll, platform: Platform, model_file: Path, bucket: str, data: Path, tmp_path: Path
) -> None:
    """No files, a missing path, two files for one place and a name that no object can have are errors before
    the first byte is sent."""
    knoll("apply", "-f", model_file)
    (tmp_path / "empty").mkdir()
    other = tmp_path / "other" / "0"
    other.mkdir(parents=True)
    (other / "a.png").write_bytes(C)
    latin = tmp_path / "latin" / "0"
    latin.mkdir(parents=True)
    (latin / os.fsdecode(b"caf\xe9.png")).write_bytes(C)
    for paths, told, code in (
        (
            [latin.parent],
            r"the names of 1 file are not UTF-8, as those of objects must be: 0/caf\udce9.png",
            1,
        ),
        ([tmp_path / "empty"], "there is no file to upload", 1),
        ([data, tmp_path / "gone"], "gone: there is no such file", 4),
        ([data, other.parent], "two of the files have this place", 1),
    ):
        result = knoll("upload", "digits", *paths)
        assert told in result.stderr
        assert result.exit_code == code
    assert keys(platform, f"s3://{bucket}/") == []


@pytest.mark.parametrize("option", [[], ["--dry-run"]])
def test_what_a_run_would_be_rejected_for_is_told_before_the_first_byte(
    knoll: Knoll, platform: Platform, model_file: Path, bucket: str, data: Path, option: list[str]
) -> None:
    """Pictures that are none or cut short, other files, and folders that can be read in two ways."""
    knoll("apply", "-f", model_file)
    for name, body, told in (
        ("0/page.png", b"<html>", "page.png: it is a web page; only PNG and JPEG are read"),
        ("1/half.png", A[: len(A) // 2], "half.png: it is cut short"),
        ("1/table.csv", b"1", "1/table.csv: it is not a picture: only .png"),
        ("set.tar.gz", b"1", "set.tar.gz: it is compressed in a way that is not read: only .zip and .tar"),
        ("1/indoor/c.png", C, "1/indoor: did you mean the classes 0, 1, or the classes 0, 1, indoor?"),
        ("c.png", C, "c.png: it lies in no folder"),
    ):
        (data / name).parent.mkdir(exist_ok=True)
        (data / name).write_bytes(body)
        result = knoll("upload", "digits", data, *option)
        assert told in result.stderr, result.stderr
        assert result.exit_code == 1
        (data / name).unlink()
    assert keys(platform, f"s3://{bucket}/") == []


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"rubbish, no", "it is neither a zip nor a tar archive, or its end is missing"),
        (zipped({"0/a.png": bytes(65 * 2**20)}), "times its size, and 200 times are allowed"),
        (zipped({"0/a.png": A, "../../etc/passwd": B}), "../../etc/passwd leads out of the archive"),
        (zipped({"0/a.png": A, "1/b.png": B[: len(B) // 2]}), "set.zip/1/b.png: it is cut short"),
        (tarred({"0/a.png": B[: len(B) // 2], "1/b.png": B}), "set.zip/0/a.png: it is cut short"),
        (zipped({"0/a.png": A, "1/b.csv": b"1"}), "set.zip/1/b.csv: it is not a picture: only .png"),
        (zipped({"0/a.png": A, "1/x/b.png": B}), "did you mean the classes 0, 1, or the classes 0, x?"),
        (zipped({"0/caf\u00e9.png": A, "0/cafe\u0301.png": B}), "two files have the same name 0/cafe"),
    ],
    ids=lambda one: "zip" if isinstance(one, bytes) else None,  # its bytes have the time in them
)
def test_an_archive_is_refused_as_a_run_would_reject_it(
    knoll: Knoll, platform: Platform, model_file: Path, bucket: str, tmp_path: Path, body: bytes, told: str
) -> None:
    knoll("apply", "-f", model_file)
    (tmp_path / "set.zip").write_bytes(body)
    result = knoll("upload", "digits", tmp_path / "set.zip")
    assert result.exit_code == 1
    assert "a run would be rejected, so nothing is sent" in result.stderr
    assert told in result.stderr
    assert keys(platform, f"s3://{bucket}/") == []


def test_classes_in_archives_count(
    knoll: Knoll, platform: Platform, model_file: Path, bucket: str, data: Path, tmp_path: Path
) -> None:
    """Archives that are in the bucket are not read, so nothing is told of classes that may lie in them."""
    knoll("apply", "-f", model_file)
    knoll("upload", "digits", data)
    model = parse_model(platform.cluster.get("Model", "digits"))
    landed = look_and_learn(model, platform)
    assert isinstance(landed, Landed)
    write_dataset(landed.datasets[0], platform.bucket)
    one, two = tmp_path / "one.zip", tmp_path / "two.zip"
    one.write_bytes(zipped({"0/a.png": A, "1/b.png": B, "0/Thumbs.db": b"x"}))
    told = knoll("upload", "digits", one, "--replace", "--dry-run").stderr
    assert "classes" not in told
    assert "skipped 1 file, made by the operating system: one.zip/0/Thumbs.db" in told
    two.write_bytes(zipped({"1/a.png": A, "2/b.png": B}))
    told = knoll("upload", "digits", two, "--replace", "--dry-run").stderr
    assert "these classes are gone: 0." in told
    assert "these classes are new: 2." in told
    platform.store.put(f"s3://{bucket}/digits/old.zip", b"of another upload")
    told = knoll("upload", "digits", two, "--dry-run").stderr
    assert "gone" not in told


@pytest.mark.parametrize(
    ("members", "told"),
    [
        (
            {"0/a.png": A, "0/b.png": B},
            "the data has only the class 0, but needs at least two; make one folder per class",
        ),
        (
            {"0/a.png": A, "0/b.png": B, "1/c.png": C},
            "there is only one picture in class 1; add a second one",
        ),
    ],
)
@pytest.mark.parametrize("is_archive", [True, False])
def test_too_few_classes_or_pictures_are_told_at_once(
    knoll: Knoll,
    platform: Platform,
    model_file: Path,
    bucket: str,
    tmp_path: Path,
    members: dict[str, bytes],
    told: str,
    is_archive: bool,
) -> None:
    """More may follow, so it is no refusal; and what is in an archive of the bucket is not known."""
    knoll("apply", "-f", model_file)
    path = tmp_path / ("set.zip" if is_archive else "set")
    if is_archive:
        path.write_bytes(zipped(members))
    else:
        for name, body in members.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(body)
    shown = knoll("upload", "digits", path, "--dry-run")
    assert shown.exit_code == 0
    assert f"A run would be rejected: {told}" in shown.stderr.replace("\n", " ")
    platform.store.put(f"s3://{bucket}/digits/1/x.png", C)
    platform.store.put(f"s3://{bucket}/digits/1/y.png", C)
    assert "rejected" not in knoll("upload", "digits", path, "--dry-run").stderr
    platform.store.delete(f"s3://{bucket}/digits/1/x.png")
    platform.store.delete(f"s3://{bucket}/digits/1/y.png")
    platform.store.put(f"s3://{bucket}/digits/old.zip", b"of another upload")
    assert "rejected" not in knoll("upload", "digits", path, "--dry-run").stderr


@pytest.mark.parametrize("members", [{}, {"0/": b""}, {"__MACOSX/0/a.png": b"x", ".DS_Store": b"x"}])
def test_an_archive_without_data_is_told_at_once(
    knoll: Knoll,
    platform: Platform,
    model_file: Path,
    bucket: str,
    data: Path,
    tmp_path: Path,
    members: dict[str, bytes],
) -> None:
    """Alone it is refused; beside other data it is named."""
    knoll("apply", "-f", model_file)
    path = tmp_path / "empty.zip"
    path.write_bytes(zipped(members))
    for option in ([], ["--dry-run"]):
        refused = knoll("upload", "digits", path, *option)
        assert refused.exit_code == 1
        assert "a run would be rejected, so nothing is sent" in refused.stderr
        assert "empty.zip: there is no file with data in it" in refused.stderr.replace("\n", "")
    assert keys(platform, f"s3://{bucket}/") == []
    beside = knoll("upload", "digits", path, data, "--dry-run")
    assert beside.exit_code == 0
    assert "empty.zip: there is no file with data in it." in beside.stderr.replace("\n", "")


def test_archives_that_are_datasets_of_their_own_are_checked_one_by_one(
    knoll: Knoll, platform: Platform, model_file: Path, tmp_path: Path
) -> None:
    """One of them may have a folder around its classes that another lacks."""
    model_file.write_text(model_file.read_text().replace("{uri:", "{landed: {when: object}, uri:"))
    knoll("apply", "-f", model_file)
    folder = tmp_path / "sets"
    folder.mkdir()
    (folder / "one.zip").write_bytes(zipped({"all/0/a.png": A, "all/1/b.png": B}))
    (folder / "two.tar").write_bytes(tarred({"0/a.png": A, "1/b.png": C}))
    assert knoll("upload", "digits", folder, "--dry-run").exit_code == 0


@pytest.mark.parametrize("option", [[], ["--dry-run"]])
def test_two_files_with_one_name_in_nfc_are_refused_if_their_bytes_differ(
    knoll: Knoll, platform: Platform, model_file: Path, bucket: str, data: Path, option: list[str]
) -> None:
    """As a run does; equal ones are one file there. One that is there already is told of."""
    knoll("apply", "-f", model_file)
    (data / "0" / "caf\u00e9.png").write_bytes(A)
    (data / "0" / "cafe\u0301.png").write_bytes(C)
    refused = knoll("upload", "digits", data, *option)
    assert refused.exit_code == 1
    assert "or differ only in Unicode form" in refused.stderr
    assert keys(platform, f"s3://{bucket}/") == []
    (data / "0" / "cafe\u0301.png").write_bytes(A)
    assert knoll("upload", "digits", data, *option).exit_code == 0
    (data / "0" / "cafe\u0301.png").unlink()
    platform.store.put(f"s3://{bucket}/digits/0/cafe\u0301.png", A)
    assert "in another Unicode form" in knoll("upload", "digits", data, *option).stderr


def test_classes_that_look_alike_are_told(
    knoll: Knoll, platform: Platform, model_file: Path, data: Path
) -> None:
    knoll("apply", "-f", model_file)
    for name in ("tall", "Tall", "tall "):
        (data / name).mkdir()
        (data / name / "a.png").write_bytes(A)
    warned = knoll("upload", "digits", data, "--dry-run")
    assert "the classes 'Tall', 'tall', 'tall ' differ only in case or in blanks" in warned.stderr


def test_skipped_files_and_changed_classes_are_told_and_what_is_there_is_not_sent_again(
    knoll: Knoll, platform: Platform, model_file: Path, bucket: str, data: Path
) -> None:
    knoll("apply", "-f", model_file)
    (data / "link").symlink_to(data / "0")
    (data / "0/dangling.png").symlink_to(data / "gone.png")
    result = knoll("upload", "digits", data)
    assert "skipped 1 file, a link to a folder: link" in result.stderr
    assert "skipped 1 file, a link to nothing: 0/dangling.png" in result.stderr
    assert "skipped 1 file, in a hidden folder: .git/config" in result.stderr
    verdict = look_and_learn(parse_model(platform.cluster.get("Model", "digits")), platform)
    assert isinstance(verdict, Landed)
    write_dataset(verdict.datasets[0], platform.bucket)
    before = {one.uri: one.modified for one in platform.store.list(f"s3://{bucket}/digits/")}
    (data / "1").rename(data / "2")
    result = knoll("upload", "digits", data, "--replace", "--yes")
    assert "these classes are gone: 1." in result.stderr
    assert "these classes are new: 2." in result.stderr
    assert "1 of them were there already" in result.stdout
    after = {one.uri: one.modified for one in platform.store.list(f"s3://{bucket}/digits/")}
    assert after[f"s3://{bucket}/digits/0/a.png"] == before[f"s3://{bucket}/digits/0/a.png"]


def test_a_second_upload_at_the_same_time_is_refused_and_an_old_sign_is_not_believed(
    knoll: Knoll,
    platform: Platform,
    model_file: Path,
    bucket: str,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    knoll("apply", "-f", model_file)
    with one_at_a_time("digits", platform):
        result = knoll("upload", "digits", data)
        assert result.exit_code == 1
        assert "another upload to digits goes on" in result.stderr
        assert f"in process {os.getpid()}, last seen" in result.stderr
        with one_at_a_time("beans", platform):
            pass
    assert knoll("upload", "digits", data).exit_code == 0
    hang_out(upload_uri(platform.bucket.root, "digits", "killed-1-0123abcd"), platform.bucket)
    monkeypatch.setattr("knoll.records.upload.SIGN_SECONDS", -60.0)
    assert knoll("upload", "digits", data).exit_code == 0
    assert not list(platform.store.list(upload_uri(platform.bucket.root, "digits", "")))


def test_a_sign_that_a_killed_upload_of_this_machine_left_does_not_count(
    knoll: Knoll, platform: Platform, model_file: Path, data: Path
) -> None:
    """The store may have been away when it ended."""
    knoll("apply", "-f", model_file)
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    uri = upload_uri(platform.bucket.root, "digits", f"{socket.gethostname()}-{ended.pid}-0123abcd")
    hang_out(uri, platform.bucket)
    assert knoll("upload", "digits", data).exit_code == 0
    assert not list(platform.store.list(uri))


@pytest.mark.parametrize("name", ["someone", "a-1", "\u202ex", "a-1-0123abcd.txt"])
def test_a_stray_among_the_signs_of_uploads_stops_none(
    knoll: Knoll, platform: Platform, model_file: Path, data: Path, name: str
) -> None:
    """It is named with the other strays, and nobody deletes it."""
    knoll("apply", "-f", model_file)
    hang_out(uri := upload_uri(platform.bucket.root, "digits", name), platform.bucket)
    assert knoll("upload", "digits", data).exit_code == 0
    assert [one.uri for one in platform.store.list(uri)] == [uri]
    assert f"uploads/digits/{name}" in {one.key for one in find_strays(platform.bucket)}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_upload_that_is_interrupted_says_what_is_left_and_a_repetition_goes_on(
    knoll: Knoll,
    platform: Platform,
    model_file: Path,
    bucket: str,
    data: Path,
    number: signal.Signals,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also if its terminal was closed: its sign does not keep the repetition waiting."""
    knoll("apply", "-f", model_file)

    def interrupt(_: bytes) -> None:
        raise KeyboardInterrupt

    def interrupted(self: Sent, item: UploadFile, *, is_there: bool) -> None:
        self.files, self.bytes = 1, item.size
        signal.raise_signal(number)

    with monkeypatch.context() as patched:
        patched.setattr("knoll.cli.upload_check.check_raster", interrupt)
        result = knoll("upload", "digits", data)
    assert result.exit_code == 130
    assert "Interrupted. Nothing has been sent." in result.stderr
    with monkeypatch.context() as patched:
        patched.setattr(Sent, "add", interrupted)
        before = signal.signal(number, signal.SIG_DFL)  # whatever runs the tests, nohup too
        result = knoll("upload", "digits", data)
        assert signal.signal(number, before) is signal.SIG_DFL
    assert result.exit_code == 130
    assert "1 of 2 files are there, 1 (" in result.stderr
    assert "The marker is not written, so the data does not land. Run the same command again" in result.stderr
    assert "_SUCCESS" not in keys(platform, f"s3://{bucket}/digits/")
    assert "were there already" in knoll("upload", "digits", data).stdout


def test_progress_is_told_in_order(capsys: pytest.CaptureFixture[str], eager_threads: None) -> None:
    """Each tenth is told once, and none after a later one, when all threads have sent at the same moment."""
    advance, start = tenths(10), Barrier(10)

    def send_one() -> None:
        start.wait()
        advance(1)

    with ThreadPoolExecutor(10) as pool:
        for done in [pool.submit(send_one) for _ in range(10)]:
            done.result()
    assert re.findall(r"Uploaded (\d+) % of", capsys.readouterr().err) == [
        str(percent) for percent in range(10, 101, 10)
    ]


def test_large_files_arrive_whole(
    knoll: Knoll, platform: Platform, model_file: Path, bucket: str, tmp_path: Path
) -> None:
    """A file that travels in several parts has the same bytes afterwards."""
    knoll("apply", "-f", model_file)
    body = zipped({"0/a.png": A, "1/b.png": B, "1/.junk": bytes(range(256)) * 4 * 20_000}, ZIP_STORED)
    (tmp_path / "large.zip").write_bytes(body)
    assert "Uploaded 1 file, 19.5 MiB, to " in knoll("upload", "digits", tmp_path / "large.zip").stdout
    assert platform.store.get(f"s3://{bucket}/digits/large.zip") == body


@pytest.mark.parametrize("when", ["marker", "quiet"])
def test_an_upload_says_what_the_data_has_led_to_before(
    knoll: Knoll, platform: Platform, model_file: Path, data: Path, records: Records, when: str
) -> None:
    """New data trains; data that was trained on brings its version back, unless that is in quarantine."""
    model_file.write_text(model_file.read_text().replace("{uri:", f"{{landed: {{when: {when}}}, uri:"))
    knoll("apply", "-f", model_file)

    def told() -> str:
        return str(knoll("upload", "digits", data).stdout)

    first = told()
    assert ("Training starts at once." if when == "marker" else "Training starts when no object") in first
    assert "Next: knoll runs digits -w" in first
    run = json.loads(knoll("upload", "digits", data, "-o", "json").stdout)["run"]
    records.entry(records.run(id=run))
    assert f"Run {run} trains on it." in told()
    records.outcome(run)
    records.version(run)
    returns = told()
    assert "v000001 was trained on it before: it comes back, and is rolled out again without" in returns
    assert "starts" not in returns
    assert "Next: knoll rollout status digits, knoll data digits" in returns
    records.status(champion="v000001")
    assert "v000001 was trained on it before, and serves." in told()
    records.status(champion="v000002", quarantine={"v000001": "5 of 50 requests failed"})
    shown = json.loads(knoll("upload", "digits", data, "-o", "json").stdout)
    assert (shown["run"], shown["version"]) == (run, "v000001")
    assert "in quarantine, so it does not come back: 5 of 50 requests failed" in shown["follows"]


def test_an_upload_of_data_whose_run_was_rejected_says_so(
    knoll: Knoll, platform: Platform, model_file: Path, data: Path, records: Records
) -> None:
    knoll("apply", "-f", model_file)
    run = json.loads(knoll("upload", "digits", data, "-o", "json").stdout)["run"]
    records.run(id=run)
    records.outcome(run, "rejected", reason="only one class")
    told = knoll("upload", "digits", data).stdout
    assert f"Its run {run} has ended, and the same data gets no second one. Rejected: only one class." in told


def test_few_bad_files_are_told_and_sent_if_the_model_leaves_them_out(
    knoll: Knoll, platform: Platform, model_file: Path, bucket: str, data: Path
) -> None:
    """More of them are refused before the first byte."""
    model_file.write_text(f"{model_file.read_text()}  training: {{badData: skip, maxBad: 0.3}}\n")
    knoll("apply", "-f", model_file)
    for name, body in {"0/c.png": C, "1/half.png": A[: len(A) // 2], "1/list.csv": b"1"}.items():
        (data / name).write_bytes(body)
    result = knoll("upload", "digits", data)
    assert "a run would be rejected, so nothing is sent" in result.stderr
    assert "; 1/list.csv: it is not a picture" in result.stderr
    assert keys(platform, f"s3://{bucket}/") == []
    (data / "1/list.csv").unlink()
    result = knoll("upload", "digits", data)
    assert result.exit_code == 0, result.output
    assert "A run would leave out 1 bad file:" in result.stderr
    assert "half.png: it is cut short" in result.stderr
    assert "digits/1/half.png" in keys(platform, f"s3://{bucket}/")
