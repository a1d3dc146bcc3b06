"""Write the UCI handwritten digits, 1797 real pictures of 8×8 pixels, as PNGs: <folder>/<class>/<index>.png.

They come with scikit-learn, so nothing is downloaded. `--part first` writes about 60 % of them, `--part
second` the rest. So you can upload twice, and the second upload makes a better model.

    python examples/digits/data.py digits-data
    knoll upload digits digits-data
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

PARTS = {"first": slice(0, 1080), "second": slice(1080, None), "all": slice(None)}


def write(folder: Path, part: str) -> int:
    """Write that part of the digits below `folder`, and return their number."""
    digits = load_digits()
    pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)  # (1797, 8, 8), from 0..16 to 0..255
    indices = range(len(pixels))[PARTS[part]]
    for index in indices:
        path = folder / str(digits.target[index]) / f"{index:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[index]).save(path)
    return len(indices)


def main() -> None:
    """Read the command line, write, and say what was written."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where to write; it is created")
    parser.add_argument("--part", choices=sorted(PARTS), default="all", help="which digits (default: all)")
    arguments = parser.parse_args()
    count = write(arguments.folder, arguments.part)
    print(f"wrote {count} pictures in 10 classes to {arguments.folder}")


if __name__ == "__main__":
    main()
