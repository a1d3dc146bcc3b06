"""Bad files in the data: all are named, or left out if the Model says so and they are few."""

import io
import weakref
from collections.abc import Mapping
from zipfile import ZIP_STORED, ZipFile

import numpy as np
import pytest
from PIL import Image

from families.trainings import train_once
from knoll.adapters.memory.platform import memory_platform
from knoll.data_files import Skipped
from knoll.data_layout import Form
from knoll.errors import BadFiles, InvalidData, Rejected
from knoll.families.base import Examples, Files
from knoll.families.image.family import ImageClassifier
from knoll.records.manifest import CARD, read_file
from knoll.records.progress import find_progress
from knoll.trainer.bad_data import decode_good, summed
from support.data import sorted_files

FAMILY = ImageClassifier()
CONFIG = FAMILY.configure({})


def png(shade: int) -> bytes:
    body = io.BytesIO()
    Image.new("L", (8, 8), shade).save(body, "PNG")
    return body.getvalue()


HALF, CUT = png(0)[:40], "it is cut short: its end is missing"


def pictures(classes: str = "ab", count: int = 50) -> dict[str, bytes]:
    return {f"{name}/{row:02d}.png": png(5 * row) for name in classes for row in range(count)}


def decoded(
    files: Mapping[str, bytes], most_bad: float = 0, bad: Mapping[str, str] | None = None
) -> Mapping[str, str]:
    """Which files are bad, if the rest can be learnt from."""
    some = files if isinstance(files, Files) else Files.of(files)
    return decode_good(some, bad or {}, lambda some: FAMILY.examples(some, CONFIG), FAMILY.form, most_bad)[1]


def refusal(files: Mapping[str, bytes], most_bad: float = 0) -> str:
    with pytest.raises(InvalidData) as caught:
        decoded(files, most_bad)
    return str(caught.value)


def test_all_kinds_of_bad_files_are_named_at_once() -> None:
    """Names, places and content are looked at one after the other, and one refusal names all that is
    wrong."""
    odd = {"a/list.csv": b"1", "0.png": png(0), "b/half.png": HALF, "a/page.png": b"<html>"}
    assert refusal({**pictures(), **odd}) == (
        "0.png: it lies in no folder; a/list.csv: it is not a picture: only .png, .jpg and .jpeg are; "
        "a/page.png: it is a web page; only PNG and JPEG are read; "
        f"b/half.png: {CUT}"
    )


def test_few_bad_files_are_left_out_if_the_model_says_so() -> None:
    files = {**pictures(), "b/50.png": HALF}
    assert decoded(files, 0.01) == {"b/50.png": CUT}
    told = refusal({**files, "a/51.png": HALF}, 0.01)
    assert told.startswith("2 of 102 files are bad, and 0.01 of them may be: a/51.png: it is cut short")


def test_a_share_of_100_files_is_a_whole_number_of_them() -> None:
    """29 % of 100 is a little less than 29 in floats."""
    files = {**pictures(), **{f"a/{row:02d}.png": HALF for row in range(29)}}
    assert len(decoded(files, 0.29)) == 29
    assert refusal(files, 0.28).startswith("29 of 100 files are bad, and 0.28 of them may be")


def test_a_class_whose_files_are_all_bad_rejects_the_run() -> None:
    """The class is named, of data with splits, too; a folder without pictures is no class."""
    files = pictures("abc")
    files |= {key: HALF for key in files if key.startswith("c/")}
    assert "without 50 bad files, nothing is left of the class c; c/00.png: it is cut" in refusal(files, 0.5)
    lonely = {**pictures("ab"), "c/1.png": png(1), "c/2.png": HALF}
    assert "without 1 bad file, there is only one picture in class c; c/2.png" in refusal(lonely, 0.5)
    split = {f"{side}/{key}": body for side in ("train", "val") for key, body in pictures(count=2).items()}
    split |= {"val/b/00.png": HALF, "val/b/01.png": HALF}
    assert "without 2 bad files, val/ lacks the classes b, which train has" in refusal(split, 0.5)
    assert decoded({**pictures(), "notes/list.txt": b"1"}, 0.5).keys() == {"notes/list.txt"}


def test_members_of_archives_are_bad_files_like_others() -> None:
    """The others of an archive are learnt from. Nobody knows how many files lie in an archive that cannot be
    opened, so it always rejects the run."""
    body = io.BytesIO()
    with ZipFile(body, "w", ZIP_STORED) as archive:
        for key, content in {**pictures(), "b/50.png": png(0) + b"marked", "b/51.png": HALF}.items():
            archive.writestr(key, content)
    damaged = body.getvalue().replace(b"marked", b"marred")
    files, _, bad = sorted_files({"d.zip": damaged})
    assert len(files) == 102
    found = decoded(files, 0.02, bad)
    assert {key: why[:14] for key, why in found.items()} == {
        "d.zip/b/50.png": "it is damaged,",
        "d.zip/b/51.png": "it is cut shor",
    }
    with pytest.raises(InvalidData, match=r"d\.zip: it is neither a zip nor a tar archive"):
        sorted_files({"d.zip": b"rubbish"})


def test_nothing_of_one_attempt_to_decode_stays_during_the_next() -> None:
    """Else a data set with a bad file would take twice the memory."""
    alive: list[weakref.ref[np.ndarray[tuple[int], np.dtype[np.uint8]]]] = []

    def decode(files: Files) -> Examples:
        assert not [one for one in alive if one() is not None]
        pixels = np.zeros(10, np.uint8)
        alive.append(weakref.ref(pixels))
        if "bad" in files:
            raise BadFiles({"bad": "it is bad"})
        return Examples((), ())

    assert decode_good(Files.of({"bad": b"", "good": b""}), {}, decode, Form(), 0.5)[1] == {
        "bad": "it is bad"
    }
    assert len(alive) == 2


def test_a_family_that_names_a_file_that_it_was_not_given_ends_the_run() -> None:
    """It is not asked for ever."""

    def decode(files: Files) -> Examples:
        raise BadFiles({"unknown": "it is bad"})

    with pytest.raises(Rejected, match="unknown: it is bad"):
        decode_good(Files.of({"good": b""}), {}, decode, Form(), 0.5)


def test_bad_files_are_counted_by_reason_and_rare_reasons_together() -> None:
    bad = {f"{number}.png": f"it is {min(number, 30)}\x1b" for number in range(60)}
    first, *_, last = summed(bad)
    assert first == Skipped("it is 30\\x1b", 30, ("30.png", "31.png", "32.png"))
    assert last == Skipped("for other reasons", 11)
    assert sum(one.count for one in summed(bad)) == 60


def test_a_run_says_everywhere_what_it_has_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """Log, progress, outcome and card name the file and why."""
    files = {**pictures(count=10), "b/\x1b10.png": HALF}
    config = {"epochs": 1, "width": 4, "batchSize": 16}
    training = train_once("image-classifier", config, files, memory_platform(), most_bad=0.1)
    left_out = (Skipped(CUT, 1, ("b/\x1b10.png",)),)
    assert training.outcome.left_out == left_out
    progress = find_progress(training.outcome.run, training.platform.bucket)
    assert progress is not None
    assert progress.left_out == left_out
    assert f"left out 1 bad file, {CUT}: b/\\x1b10.png" in capsys.readouterr().out
    card = read_file("toy", training.outcome.version, CARD, training.platform.bucket).decode()
    assert f"left out 1 bad file, {CUT}: b/\\\\x1b10.png" in card
