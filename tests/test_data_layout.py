"""Which class a key names, decided by all keys together."""

import pytest

from knoll.data_layout import Form, bad_names, fault_of, find_layout, foldered
from knoll.errors import InvalidData


def classes(*keys: str) -> set[str]:
    return set(find_layout(keys).classes.values())


@pytest.mark.parametrize(
    "keys",
    [
        ("tall/1.png", "wide/1.png"),
        ("data/tall/1.png", "data/wide/1.png"),
        ("2026/may/tall/1.png", "2026/may/wide/1.png"),
        ("./tall//1.png", "wide/1.png"),
        ("d.zip/tall/1.png", "d.zip/wide/1.png"),
        ("d.ZIP/data/tall/1.png", "d.ZIP/data/wide/1.png"),
        ("tall/a.zip/1.png", "wide/b.zip/1.png"),
        ("a.zip/tall/1.png", "b.zip/wide/1.png", "wide/2.png"),
        ("train/tall/1.png", "train/wide/1.png"),
    ],
)
def test_the_folder_of_a_file_is_its_class_also_below_one_folder_and_in_archives(
    keys: tuple[str, ...],
) -> None:
    assert classes(*keys) == {"tall", "wide"}
    assert not find_layout(keys).held_out


def test_names_that_differ_in_their_unicode_form_alone_are_one_class() -> None:
    assert classes("cafe\u0301/1.png", "caf\u00e9/2.png", "bar/1.png") == {"caf\u00e9", "bar"}


@pytest.mark.parametrize(("train", "score"), [("train", "val"), ("Training", "TEST"), ("train", "valid")])
def test_splits_over_equal_classes_are_used_as_they_are(train: str, score: str) -> None:
    keys = [f"photos/{split}/{name}/1.png" for split in (train, score) for name in ("tall", "wide")]
    layout = find_layout(keys)
    assert set(layout.classes.values()) == {"tall", "wide"}
    assert layout.held_out == {key for key in keys if score in key}


@pytest.mark.parametrize(
    "keys",
    [
        ("tall/indoor/1.png", "tall/outdoor/1.png", "wide/indoor/1.png", "wide/outdoor/1.png"),
        ("tall/1.png", "wide/1.png", "tall/indoor/1.png", "wide/outdoor/1.png"),
        ("tall/indoor/1.png", "wide/outdoor/1.png"),
    ],
)
def test_folders_that_can_be_read_in_two_ways_are_refused_with_both(keys: tuple[str, ...]) -> None:
    with pytest.raises(InvalidData, match="did you mean the classes tall, wide, or the classes ") as caught:
        find_layout(keys)
    assert "indoor" in str(caught.value)
    assert "outdoor" in str(caught.value)


def test_two_equal_readings_are_told_as_one_folder_too_deep() -> None:
    for keys, told in (
        (("tall/1.png", "wide/1.png", "wide/tall/1.png"), "wide/tall lies in .* of the class wide or tall"),
        (("tall/tall/1.png", "tall/1.png", "wide/1.png"), r"tall/tall lies in .* of the class tall\?"),
    ):
        with pytest.raises(InvalidData, match=told):
            find_layout(keys)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (("1.png", "tall/1.png"), "1.png: it lies in no folder"),
        (("tall.zip/1.png", "wide/1.png"), "tall.zip/1.png: it lies in no folder"),
        (("train/1.png", "val/1.png"), "the folders train, val are splits"),
        (("train/a/1.png", "train/b/1.png", "val/a/1.png"), "val/ lacks the classes b, which train has"),
        (("\x1b[2J.png",), r"\\x1b\[2J.png: it lies in no folder"),
    ],
)
def test_files_without_a_class_and_halves_of_splits_are_refused(keys: tuple[str, ...], told: str) -> None:
    with pytest.raises(InvalidData, match=told):
        find_layout(keys)


def test_a_name_of_windows_is_told_what_its_backslash_is() -> None:
    with pytest.raises(InvalidData, match=r"a\\0\.png: it lies in no folder") as refused:
        find_layout(["a\\0.png", "b\\0.png"])
    assert "a backslash separates folders on Windows alone" in refused.value.fix


TEXTS = Form(has_classes=True, takes_tables=True, takes_texts=True)


def test_tables_need_no_folder_where_texts_do() -> None:
    keys = ["a.csv", "2026/b.parquet", "good/1.txt", "2.txt", "good/3.docx", "good/4.txt.gz"]
    assert foldered(keys, TEXTS) == keys[2:]
    found = bad_names(keys, TEXTS)
    assert [*found] == ["2.txt", "good/3.docx", "good/4.txt.gz"]
    assert found["2.txt"] == "it lies in no folder"
    assert found["good/3.docx"].startswith("it is neither a text, as .txt is, nor a table: only .csv, ")
    assert "it is compressed" in found["good/4.txt.gz"]
    assert fault_of(["a.csv", "b/b.csv"], TEXTS) == ""
    assert "1.txt: it lies in no folder" in fault_of(["1.txt", "good/2.txt"], TEXTS)
