"""Pictures that Pillow is tested with, and tables that csvkit is: each is read right, or refused by name.

`make test-inputs` runs this file. pip fetches both source packages, and their sha256 is checked; nothing of
them is run.
"""

import csv
import io
import subprocess
import sys
import tarfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np
import pytest
from PIL import Image, ImageOps, UnidentifiedImageError

from knoll.codecs.raster import read_raster
from knoll.data_files import normal
from knoll.data_kinds import is_table
from knoll.errors import InvalidData, InvalidPicture
from knoll.tables import read_table

pytestmark = pytest.mark.inputs

Read = TypeVar("Read")

PILLOW = "pillow==11.3.0", "3828ee7586cd0b2091b6209e5ad53e20d0649bbe87164a459d0676e035e8f523"
CSVKIT = "csvkit==2.1.0", "b91e8f5a485888c3c515b15cc2525ce4be5cfcd4f4766ead83113e787b5fd536"
MOST_MEMORY = 200 << 20
REFUSED = {
    "empty.csv": "it has no columns",
    "no_header_row.csv": "its first line has numbers",
    "no_header_row2.csv": "its first line has numbers",
    "no_header_row3.csv": "its first line has numbers",
    "null_byte.csv": "it has zero bytes",
    "Datagov_FY10_EDU_recp_by_State.csv": "its column 1 of 9 has no name",
    "FY09_EDU_Recipients_by_State.csv": "its column 10 of 10 has no name",
    "sheetsxlsx_converted.csv": "its column 9 of 9 has no name",
    "test_empty_columns.csv": "its column 4 of 5 has no name",
    "test_latin1.csv": "line 3 has the byte 0xA9",
}
COLOURS = {"icc_profile", "transparency", "gamma"}
TOLD = {  # damaged pictures
    "broken.png": "it has no size",
    "broken_data_stream.png": "it is cut short",
    "chunk_no_fctl.png": "it is damaged",
    "syntax_num_frames_zero.png": "it is damaged",
    "truncated_end_chunk.png": "it is cut short",
    "truncated_image.png": "it is cut short",
    "truncated_jpeg.jpg": "it is cut short",
    "ultrahdr.jpg": "it is cut short",
}


def files_of(package: str, sha256: str, folder: str, tmp_path: Path) -> Mapping[str, bytes]:
    """The files in that folder of the source package, by their last name."""
    wanted = tmp_path / "requirements.txt"
    wanted.write_text(f"{package} --hash=sha256:{sha256}\n")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [*pip, "--require-hashes", "--no-binary=:all:", "-d", str(tmp_path), "-r", str(wanted)], check=True
    )
    (path,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        members = [one for one in archive if one.isfile() and one.name.split("/", 1)[1].startswith(folder)]
        opened = {PurePosixPath(one.name).name: archive.extractfile(one) for one in members}
        return {name: file.read() for name, file in opened.items() if file}


@contextmanager
def little_memory(name: str) -> Iterator[None]:
    """Fail if the block takes too much at its peak."""
    Path("/proc/self/clear_refs").write_text("5")
    before = peak()
    yield
    assert peak() - before < MOST_MEMORY, name


def peak() -> int:
    """Bytes of memory that this process has taken since its peak was reset."""
    (line,) = (one for one in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in one)
    return int(line.split()[1]) * 1024


def told_or_read(read: Callable[[], Read], refusal: type[Exception]) -> Read | str:
    try:
        return read()
    except refusal as error:
        return str(error)


def test_pictures_of_others_are_read_as_viewers_show_them_or_refused_by_name(tmp_path: Path) -> None:
    counts = {"read": 0, "compared": 0}
    for name, body in files_of(*PILLOW, "Tests/images/", tmp_path).items():
        with little_memory(name), warnings.catch_warnings(action="ignore"):
            found = told_or_read(partial(read_raster, body), InvalidPicture)
        is_ours = body[:4] in (b"\x89PNG", b"\xff\xd8\xff\xe0", b"\xff\xd8\xff\xe1", b"\xff\xd8\xff\xee")
        if isinstance(found, str):
            assert TOLD.get(name, "only PNG and JPEG" if not is_ours else "!") in found or "neither" in found
            continue
        counts["read"] += 1
        counts["compared"] += is_as_shown(name, body, found)
    assert counts["read"] > 450
    assert counts["compared"] > 300


def is_as_shown(name: str, body: bytes, found: Image.Image) -> bool:
    """Whether Pillow opens the picture and has no more to say on its colours; then both must be equal."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(body)) as picture:
            plain = picture.mode in ("L", "RGB") and not COLOURS & {*picture.info}
            shown = ImageOps.exif_transpose(picture)
    except (ValueError, UnidentifiedImageError):  # of an animation or a text, which the picture does not need
        return False
    assert found.size == shown.size, name
    if plain:
        both = (np.asarray(one.convert("RGB"), np.int16) for one in (found, shown))
        assert np.abs(np.subtract(*both)).max() <= 2, name
    return plain


def test_tables_of_others_are_read_as_csv_reads_them_or_refused_by_name(tmp_path: Path) -> None:
    read = 0
    for name, body in files_of(*CSVKIT, "examples/", tmp_path).items():
        if not is_table(name):
            continue
        with little_memory(name):
            found = told_or_read(partial(rows_of, name, body), InvalidData)
        if isinstance(found, str):
            assert REFUSED.get(name, "!") in found, (name, found)
            continue
        read += 1
        assert found == expected_rows(body, len(found[0])), name
    assert read > 50


def rows_of(name: str, body: bytes) -> list[Any]:
    """The header, and all rows; the words on a bad one, in place of its cells."""
    table = read_table(name, body)
    cells = (cells for _, cells in table.rows)
    return [[*table.names], *(one if isinstance(one, str) else [*one] for one in cells)]


def expected_rows(body: bytes, width: int) -> list[Any]:
    encoding = "utf-16" if body[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    for delimiter in ",;\t|":
        rows = [
            row
            for row in csv.reader(io.StringIO(body.decode(encoding), newline=""), delimiter=delimiter)
            if row
        ]
        if len(rows[0]) == width:
            names = [normal(one.strip()) for one in rows[0]]
            told = "it has {} cells, and the header has {}"
            return [names, *(row if len(row) == width else told.format(len(row), width) for row in rows[1:])]
    raise AssertionError("no delimiter")
