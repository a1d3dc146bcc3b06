"""Archives from all systems are read as folders, up to the limits; what is no data is counted."""

import io
import struct
import zlib
from collections.abc import Mapping
from tarfile import DIRTYPE, FIFOTYPE, GNU_FORMAT, PAX_FORMAT, SYMTYPE, USTAR_FORMAT, TarFile, TarInfo
from typing import Any
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import pytest

from knoll.adapters.memory.store import MemoryStore
from knoll.data_files import Skipped
from knoll.errors import BadFiles, InvalidData
from knoll.trainer.memory import Limits
from knoll.trainer.reading import files_at
from knoll.trainer.sorting import sort_files
from support.data import data_of, sorted_files


def archive(members: Mapping[str | ZipInfo, bytes], compression: int = ZIP_DEFLATED) -> bytes:
    body = io.BytesIO()
    with ZipFile(body, "w", compression) as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return body.getvalue()


def tar(members: Mapping[str | TarInfo, bytes], **options: Any) -> bytes:
    body = io.BytesIO()
    with TarFile.open(fileobj=body, mode="w", errors="surrogateescape", **options) as opened:
        for name, content in members.items():
            entry = name if isinstance(name, TarInfo) else TarInfo(name)
            entry.size = len(content)
            opened.addfile(entry, io.BytesIO(content))
    return body.getvalue()


def of_type(name: str, kind: bytes) -> TarInfo:
    entry = TarInfo(name)
    entry.type = kind
    return entry


def renamed(body: bytes, name: bytes, other: bytes) -> bytes:
    """The archive with other bytes for a name, and without the flag that says that it is UTF-8."""
    assert len(name) == len(other)
    return body.replace(name, other)


def keys(body: bytes) -> list[str]:
    return list(sorted_files({"d.zip": body})[0])


def of_mode(name: str, mode: int) -> ZipInfo:
    entry = ZipInfo(name)
    entry.create_system, entry.external_attr = 3, mode << 16
    return entry


def test_members_take_the_place_of_their_archive() -> None:
    more = archive({"b/": b"", "./b//2.png": b"2"})
    files, *others = sorted_files({"a/1.png": b"1", "more.ZIP": more})
    assert files == {"a/1.png": b"1", "more.ZIP/b/2.png": b"2"}
    assert others == [(), {}]


@pytest.mark.parametrize("form", [USTAR_FORMAT, GNU_FORMAT, PAX_FORMAT])
def test_a_tar_archive_is_read_as_a_folder(form: int) -> None:
    """In all its forms, with long names, empty files and what is no data; whatever it is called."""
    long = f"caf\u00e9/{'x' * 90}.png"
    body = tar(
        {
            of_type("a", DIRTYPE): b"",
            "./a/1.png": b"1" * 1000,
            "a/2.png": b"",
            long: b"3",
            of_type("a/4.png", SYMTYPE): b"",
            of_type("a/5.png", FIFOTYPE): b"",
            "._a/6.png": b"6",
        },
        format=form,
    )
    for name in ("d.tar", "d.TAR", "d.zip"):
        files, skipped, bad = sorted_files({name: body, "b/1.png": b"b"})
        assert files == {
            f"{name}/a/1.png": b"1" * 1000,
            f"{name}/a/2.png": b"",
            f"{name}/{long}": b"3",
            "b/1.png": b"b",
        }
        assert {one.reason: one.count for one in skipped} == {
            "a link": 1,
            "not a file": 1,
            "in a hidden folder": 1,
        }
        assert bad == {}


def test_backslashes_of_windows_separate_folders() -> None:
    assert keys(archive({"tall\\": b"", "tall\\1.png": b"1", "wide\\1.png": b"2"})) == [
        "d.zip/tall/1.png",
        "d.zip/wide/1.png",
    ]


@pytest.mark.parametrize(
    "junk", ["digits/Thumbs.db", "__MACOSX/digits/._1.png", "digits/.x/1.png", "digits/"]
)
def test_members_that_are_no_data_do_not_decide_whether_backslashes_separate(junk: str) -> None:
    body = archive({of_mode("digits\\0\\0.png", 0): b"1", junk: b""})
    assert keys(body) == ["d.zip/digits/0/0.png"]


def test_a_backslash_is_a_part_of_a_name_beside_data_with_slashes() -> None:
    body = archive({of_mode("a/0\\1.png", 0): b"1", "a/1.png": b"2"})
    assert keys(body) == ["d.zip/a/0\\1.png", "d.zip/a/1.png"]


def test_what_systems_add_links_and_doubles_are_skipped_and_counted() -> None:
    _, skipped, _ = sorted_files(
        {
            ".hidden/1.png": b"1",
            "cafe\u0301/1.png": b"1",
            "caf\u00e9/1.png": b"1",
            "d.zip": archive(
                {
                    "a/1.png": b"1",
                    "__MACOSX/a/._1.png": b"x",
                    "a/Thumbs.db": b"x",
                    of_mode("a/link.png", 0o120777): b"/etc/passwd",
                    of_mode("a/pipe", 0o010644): b"",
                }
            ),
        },
    )
    assert {one.reason: one.examples for one in skipped} == {
        "in a hidden folder": (".hidden/1.png",),
        "the same file twice, under names that look alike": ("caf\u00e9/1.png",),
        "hidden": ("d.zip/__MACOSX/a/._1.png",),
        "made by the operating system": ("d.zip/a/Thumbs.db",),
        "a link": ("d.zip/a/link.png",),
        "not a file": ("d.zip/a/pipe",),
    }


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_different_files_of_one_name_are_refused() -> None:
    twice = archive({ZipInfo("a/1.png"): b"1", ZipInfo("a/1.png"): b"2"})
    for files in ({"d.zip": twice}, {"cafe\u0301/1.png": b"1", "caf\u00e9/1.png": b"2"}):
        with pytest.raises(InvalidData, match="two files have the same name"):
            sorted_files(files)
    same = archive({ZipInfo("a/1.png"): b"1", ZipInfo("a/1.png"): b"1"})
    (skipped,) = sorted_files({"d.zip": same})[1]
    assert isinstance(skipped, Skipped)


def test_names_are_read_as_their_maker_saw_them() -> None:
    plain = archive({"abcdef/1.png": b"1"})
    assert keys(archive({"caf\u00e9/1.png": b"1"})) == ["d.zip/caf\u00e9/1.png"]
    assert keys(renamed(plain, b"abcdef", "\u732b".encode() * 2)) == ["d.zip/\u732b\u732b/1.png"]
    assert keys(renamed(plain, b"abcdef", b"abcde\x82")) == ["d.zip/abcde\u00e9/1.png"]
    raw = b"\x94L/1.png"  # in Shift-JIS, with the same name in the field for UTF-8
    field = b"\x01" + struct.pack("<I", zlib.crc32(raw)) + "\u732b/1.png".encode()
    entry = ZipInfo("nL/1.png")
    entry.extra = struct.pack("<HH", 0x7075, len(field)) + field
    assert keys(renamed(archive({entry: b"1"}), b"nL/1.png", raw)) == ["d.zip/\u732b/1.png"]


@pytest.mark.parametrize(
    ("name", "other"),
    [
        (b"abcd", "\u306d\u3053".encode("shift_jis")),
        (b"abcd", "\u7334\u5b50".encode("gbk")),
        (b"abcd", b"abc\xff"),
        (b"abc", "\u041a\u041e\u0422".encode("cp866")),
        (b"abcd", "st\xf3\u0142".encode("cp852")),
    ],
)
def test_names_that_may_be_in_one_of_several_encodings_are_refused(name: bytes, other: bytes) -> None:
    with pytest.raises(InvalidData, match=r"d\.zip: the name .* may be in one of .*make the archive again"):
        keys(renamed(archive({name.decode() + "/1.png": b"1", "efghi/2.png": b"2"}), name, other))


def test_a_name_is_in_utf8_only_if_all_are() -> None:
    """The first one alone could be \u00e8 in UTF-8; together they are \u732b and \u72d7 in GBK."""
    cat, dog = (name.encode("gbk") for name in ("\u732b", "\u72d7"))
    plain = renamed(archive({"ab/1.png": b"1", "cd/2.png": b"2"}), b"ab", cat)
    with pytest.raises(InvalidData, match="may be in one of several encodings"):
        keys(renamed(plain, b"cd", dog))


def of_windows(names: Mapping[str, bytes]) -> bytes:
    """An archive of Windows with a file in folders of these names, which say nothing of their encoding. Each
    stands for a name of plain letters, as long as its bytes."""
    body = archive({of_system(f"{plain}/1.png", 0): plain.encode() for plain in names})
    for plain, name in names.items():
        body = renamed(body, f"{plain}/".encode(), name + b"/")
    return body


def of_system(name: str, number: int) -> ZipInfo:
    entry = ZipInfo(name)
    entry.create_system = number
    return entry


@pytest.mark.parametrize(
    "names",
    [
        {"ab": "\u732b".encode("gbk")},  # \u00e8 in UTF-8
        {"abc": "\u0440\u0430\u043a".encode("cp866"), "def": "\u0441\u043e\u043c".encode("cp866")},
        {"ab": "\u00e8".encode()},
    ],
)
def test_few_letters_of_windows_that_may_be_in_utf8_are_refused(names: Mapping[str, bytes]) -> None:
    with pytest.raises(InvalidData, match="may be in one of several encodings"):
        keys(of_windows(names))


def test_a_name_of_no_data_may_be_in_any_encoding() -> None:
    """Such as that of an empty folder, or of a hidden file."""
    body = archive({"a/1.png": b"1", "bc/": b"", ".hidden/de.png": b"2"})
    for name, other in ((b"bc/", b"\xd0\xc2/"), (b"de.png", b"\xc3\xa8.png")):
        body = renamed(body, name, other)
    assert keys(body) == ["d.zip/a/1.png"]


def test_many_letters_of_windows_that_are_all_in_utf8_are_read_so() -> None:
    cats, dogs = "\u732b\u5927", "\u72ac\u5c0f"
    found = keys(of_windows({"abcdef": cats.encode(), "ghijkl": dogs.encode()}))
    assert found == [f"d.zip/{cats}/1.png", f"d.zip/{dogs}/1.png"]


def test_plain_letters_that_stand_in_for_a_name_are_not_the_name() -> None:
    """WinZip and zip write what a code page has, and the whole name beside it."""
    members: dict[str | ZipInfo, bytes] = {}
    for cat in ("\u732b", "\u72ac"):
        field = b"\x01" + struct.pack("<I", zlib.crc32(b"_/1.png")) + f"{cat}/1.png".encode()
        entry = ZipInfo("_/1.png")
        entry.extra = struct.pack("<HH", 0x7075, len(field)) + field
        members[entry] = cat.encode()
    with pytest.warns(UserWarning, match="Duplicate name"):
        body = archive(members)
    assert keys(body) == ["d.zip/\u732b/1.png", "d.zip/\u72ac/1.png"]


@pytest.mark.parametrize("encoding", ["cp437", "cp1252", "latin-1"])
def test_a_name_that_was_read_in_a_wrong_encoding_before_is_refused(encoding: str) -> None:
    misread = "caf\u00e9".encode().decode(encoding)
    with pytest.raises(InvalidData, match=rf"d\.zip: the name {misread} is caf\u00e9, which some .* rename"):
        keys(archive({f"{misread}/1.png": b"1", "b/1.png": b"2"}))


def test_a_tar_archive_of_the_oldest_kind_is_known_by_its_checksum() -> None:
    body = bytearray(tar({"a/1.png": b"1"}, format=USTAR_FORMAT))
    body[257:265] = bytes(8)  # the sign and its version
    body[148:156] = b"        "
    body[148:156] = b"%06o\0 " % sum(body[:512])
    assert sorted_files({"d.tar": bytes(body)})[0] == {"d.tar/a/1.png": b"1"}


@pytest.mark.parametrize(
    "name",
    ["caf\u00e9", "S\u00c3O", "Spa\u00df\u2013Foto", "25\u00b0", "\u2500\u2500", "\u732b", "ma\u00e7\u00e3"],
)
def test_a_name_that_only_looks_odd_is_read(name: str) -> None:
    assert keys(archive({f"{name}/1.png": b"1"})) == [f"d.zip/{name}/1.png"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            b"",
            "it is neither a zip nor a tar archive, or its end is missing; make a zip archive of the files",
        ),
        (b"PK\x03\x04rubbish", "its end is missing"),
        (archive({"a": b"x" * 1000})[:-30], "its end is missing"),
        (archive({"a": bytes(5000)}).replace(b"\0", b"\1"), "d.zip"),
        (b"\x1f\x8b\x08\0", "it is a tar.gz or another gzip, and only zip and tar are read"),
        (b"7z\xbc\xaf\x27\x1c\0", "it is a 7z archive"),
        (b"Rar!\x1a\x07", "it is a RAR archive"),
        (tar({"a/1.png": b"1"})[:1024], "its end is missing, or it is damaged; make a tar archive"),
        (tar({"a/1.png": b"1" * 1000})[:1024], "its end is missing"),
        (tar({"a/1.png": b"1", "a/2.png": b"2"}).replace(b"a/2.png", b"a/3.png"), "its end is missing"),
        (tar({"a/1.png": b"1"}).replace(b"00000000001", b"77777777777"), "its end is missing"),
        (tar({"../../c/3.png": b"3"}), "../../c/3.png leads out of the archive"),
        (tar({"a/1.png": b"1", "a/b.tar": tar({})}), "another archive, a/b.tar"),
        (tar({"caf\udce9/1.png": b"1"}), r"the name caf\xe9/1.png in it is not in UTF-8"),
        (tar({"a/1.png": b"1"}, pax_headers={"comment": "x" * 2**21}), "one of its headers has 3Mi"),
        (
            renamed(archive({"caf\u00e9/1.png": b"1"}), b"\xc3\xa9", b"\x81a"),
            r"the name caf\x81a/1.png in it is not in the UTF-8 that",
        ),
        (renamed(archive({"abc/1.png": b"1"}), b"abc", b"a\0c"), r"the name a\x00c/1.png has a zero byte"),
        (archive({"../../c/3.png": b"3"}), "../../c/3.png leads out of the archive"),
        (archive({"/etc/cron.d/x": b"3"}), "/etc/cron.d/x leads out"),
        (archive({"C:\\x\\1.png": b"3"}), "leads out"),
        (archive({"a/1.png": b"1", "a/b.zip": archive({})}), "another archive, a/b.zip"),
        (archive({"\x1b[2J/../1": b"1"}), r"\x1b[2J"),
    ],
    ids=lambda one: "zip" if isinstance(one, bytes) else None,  # its bytes have the time in them
)
def test_an_archive_that_cannot_be_read_is_named_with_its_fault_and_what_to_do(
    body: bytes, told: str
) -> None:
    with pytest.raises(InvalidData) as caught:
        keys(body)
    assert "d.zip" in str(caught.value)
    assert told in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (archive({"a/1.png": b"12345"}, ZIP_STORED).replace(b"12345", b"12x45"), "it is damaged"),
        (archive({"a/1.png": b"1"}).replace(b"a/1.png", b"a/9.png", 1), "it is damaged"),
        (archive({"a/1.png": b"1"}, ZIP_BZIP2), "it has compression 12"),
        (
            archive({"a/1.png": b"1"}).replace(
                b"PK\x01\x02\x14\x03\x14\0\0\0", b"PK\x01\x02\x14\x03\x14\0\1\0"
            ),
            "it is encrypted",
        ),
    ],
    ids=lambda one: "zip" if isinstance(one, bytes) else None,
)
def test_a_member_that_cannot_be_unpacked_is_bad_alone(body: bytes, told: str) -> None:
    """Some are known by the directory, others when they are read."""
    files, _, bad = sorted_files({"d.zip": body, "a/2.png": b"2"})
    faults = {**bad, **files.each([*files], lambda content: content, lambda *_: None)}
    assert files["a/2.png"] == b"2"
    assert faults.keys() == {"d.zip/a/1.png"}
    assert told in faults["d.zip/a/1.png"]


def test_members_and_ratio_are_bounded_by_the_memory_that_is_left() -> None:
    """What the directory says is compared before anything is unpacked; if it lies, not more is read."""
    with pytest.raises(
        InvalidData, match=r"d\.tar: to unpack a/x.png takes 3Mi, and there is memory for 2Mi"
    ):
        sorted_files({"d.tar": tar({"a/x.png": bytes(3 * 2**20)})}, 2 * 2**20)
    with pytest.raises(InvalidData, match="it has more than 64 members"):
        sorted_files({"d.tar": tar({f"a/{number}.png": b"" for number in range(100)})}, 2**18)
    bomb = archive({"a/x.png": bytes(2 * 2**20), "a/y.png": bytes(2 * 2**20)})
    assert len(sorted_files({"d.zip": bomb, "e.zip": bomb}, 3 * 2**20)[0]) == 4
    with pytest.raises(
        InvalidData, match=r"d\.zip: to unpack a/x.png takes 3Mi, and there is memory for 2Mi; raise spec"
    ):
        sorted_files({"d.zip": bomb}, 2 * 2**20)
    many = archive({f"a/{number}.png": b"" for number in range(100)})
    with pytest.raises(InvalidData, match="it has 100 members, and there is memory for 64; raise"):
        sorted_files({"d.zip": many}, 2**18)
    flat = archive({"a/x.png": bytes(65 * 2**20)})
    with pytest.raises(InvalidData, match=r"it unpacks to 65Mi, .* its size, and 200 times are allowed"):
        sorted_files({"d.zip": flat})
    lie = bomb.replace(struct.pack("<I", 2 * 2**20), struct.pack("<I", 1000))
    with pytest.raises(BadFiles, match=r"d\.zip/a/x\.png: it is damaged, or is not what"):
        sorted_files({"d.zip": lie})[0]["d.zip/a/x.png"]


class CountingStore(MemoryStore):
    """It notes how many bytes it gives with each answer."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.harm = b""

    def get(self, uri: str, **options: Any) -> bytes:
        body = super().get(uri, **options)
        self.sizes.append(len(body))
        return self.harm + body[len(self.harm) :]


def test_members_that_lie_together_are_fetched_together_and_later_alone() -> None:
    """A large archive never comes whole: first its directory, then some megabytes at a time in its order, and
    what is asked for again by itself."""
    content = {f"d.zip/a/{number:03}.png": bytes([number]) * 100_000 for number in range(250)}
    body, store = archive({key[6:]: one for key, one in content.items()}, ZIP_STORED), CountingStore()
    data = data_of({"d.zip": body}, store)
    places, _, _ = sort_files(data.dataset, data.reader, 2**30)
    files = files_at(places, data.reader, Limits(2**30, 2**30))
    assert sum(store.sizes) < 100_000
    store.sizes.clear()
    assert files == content
    assert len(store.sizes) == 7
    assert sum(store.sizes) < len(body)
    store.sizes.clear()
    assert files["d.zip/a/001.png"] == content["d.zip/a/001.png"]
    assert [size // 1000 for size in store.sizes] == [100]


def test_a_tar_archive_is_read_through_once_and_then_member_by_member() -> None:
    """Each with the checksum that it had, though a tar archive has none."""
    content = {f"d.tar/a/{number:03}.png": bytes([number]) * 100_000 for number in range(250)}
    body, store = tar({key[6:]: one for key, one in content.items()}), CountingStore()
    data = data_of({"d.tar": body}, store)
    places, _, _ = sort_files(data.dataset, data.reader, 2**30)
    assert sum(store.sizes) <= 1.1 * len(body)
    assert max(store.sizes) <= 4 * 2**20
    assert len(store.sizes) < 25
    store.sizes.clear()
    files = files_at(places, data.reader, Limits(2**30, 2**30))
    assert files == content
    assert len(store.sizes) == 7
    store.harm = b"x"
    with pytest.raises(BadFiles, match=r"d\.tar/a/001\.png: it is damaged"):
        files["d.tar/a/001.png"]
