"""One rule says what is data."""

import pytest

from knoll.data_files import Skipped, normal, skipped_words, tally, why_skipped


@pytest.mark.parametrize(
    "key",
    [
        "tall/_MG_0001.JPG",
        "tall/_DSC0001.JPG",
        "_private/1.png",
        "tall/1..png",
        "$5/~a.png",
        "thumbs/1.png",
        "tall/_SUCCESS.png",
        "recycled/1.png",
        "found/1.part",
        "CVS/1.png",
        "CVS/deep/1.png",
        "_metadata/1.png",
        "tall/sums.png",
        "12:30/1.png",
        "Ordner mit Leerzeichen/ä.png",
    ],
)
def test_pictures_of_cameras_and_odd_names_are_data(key: str) -> None:
    assert why_skipped(key) is None


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (".ipynb_checkpoints/1-checkpoint.png", "in a hidden folder"),
        ("tall/.git/objects/1", "in a hidden folder"),
        ("../../etc/passwd", "in a hidden folder"),
        ("tall/._1.png", "hidden"),
        ("tall/.DS_Store", "hidden"),
        ("tall/.~lock.a.ods#", "hidden"),
        ("__MACOSX/tall/1.png", "made by the operating system"),
        ("tall/Thumbs.db", "made by the operating system"),
        ("tall/THUMBS.DB", "made by the operating system"),
        ("wide/Desktop.ini", "made by the operating system"),
        ("tall/@eaDir/1.png/SYNOPHOTO_THUMB_M.jpg", "made by the operating system"),
        ("$RECYCLE.BIN/1.png", "made by the operating system"),
        ("RECYCLED/1.png", "made by the operating system"),
        ("FOUND.000/FILE0000.CHK", "made by the operating system"),
        ("Network Trash Folder/1.png", "made by the operating system"),
        ("Temporary Items/1.png", "made by the operating system"),
        ("TheVolumeSettingsFolder/1.png", "made by the operating system"),
        ("~snapshot/hourly.0/tall/1.png", "made by the operating system"),
        ("tall/ZbThumbnail.info", "made by a photo program"),
        ("tall/Picasa.ini", "made by a photo program"),
        ("tall/1.xmp", "made by a photo program"),
        ("tall/1.png~", "copy that an editor has kept"),
        ("tall/1.png.crdownload", "unfinished download"),
        ("tall/1.png.part", "unfinished download"),
        *(
            (f"tall/000.png.{ending}", "unfinished download")
            for ending in ("tmp", "!ut", "!qB", "!sync", "ut!", "partial", "1a2b3c4d.partial", "filepart")
        ),
        ("tall/rclone.partial", "unfinished download"),
        ("tall/000.png.aria2", "unfinished download"),
        ("tall/000.png_.gstmp", "unfinished download"),
        ("tall/000.png.part.minio", "unfinished download"),
        ("tall/~syncthing~000.png.tmp", "unfinished download"),
        ("tall/~WRL0001.tmp", "unfinished download"),
        *(
            (f"tall/000.png.{ending}", "copy that an editor has kept")
            for ending in ("bak", "orig", "old", "swp")
        ),
        ("tall/a.csv___jb_tmp___", "copy that an editor has kept"),
        ("tall/000.png:Zone.Identifier", "made by the operating system"),
        ("tall/000.png\uf03aZone.Identifier", "made by the operating system"),
        ("tall/000.png:com.dropbox.attrs:$DATA", "made by the operating system"),
        ("sync.ffs_db", "made by a program that keeps copies in step"),
        ("sync.x64.ffs_db", "made by a program that keeps copies in step"),
        ("tall/x.crc", "checksum of other files"),
        ("tall/000.png.md5", "checksum of other files"),
        ("SHA256SUMS", "checksum of other files"),
        ("tall/000 - Shortcut.lnk", "shortcut to another file"),
        ("CVS/Entries", "kept by a version control program"),
        ("tall/CVS/Entries.Log", "kept by a version control program"),
        ("RCS/labels.csv,v", "kept by a version control program"),
        ("part/_metadata", "marker of another program"),
        ("_common_metadata", "marker of another program"),
        ("_delta_log/00000000000000000000.json", "marker of another program"),
        ("~$labels.xlsx", "lock of an open document"),
        ("part/_SUCCESS", "marker of another program"),
        ("_temporary/0/1.png", "marker of another program"),
        ("tall/", "a folder's own key"),
        (".hidden/", "a folder's own key"),
    ],
)
def test_what_systems_leave_behind_is_no_data(key: str, reason: str) -> None:
    assert why_skipped(key) == reason


def test_names_are_compared_in_one_form() -> None:
    assert normal("cafe\u0301") == normal("caf\u00e9") == "caf\u00e9"


def test_what_is_skipped_is_counted_by_reason_with_examples_that_are_safe_to_show() -> None:
    skipped = tally([("hidden", f".{n}\x1b[2J") for n in range(5)] + [("lock", "~$a")])
    assert skipped[0] == Skipped("hidden", 5, (".0\x1b[2J", ".1\x1b[2J", ".2\x1b[2J"))
    assert skipped_words(skipped) == [
        "skipped 5 files, hidden: .0\\x1b[2J, .1\\x1b[2J, .2\\x1b[2J, …",
        "skipped 1 file, lock: ~$a",
    ]
