"""Write square patches of real photographs as PNGs: <folder>/<photograph>/<row>-<column>.png.

The photographs come with scikit-image, so nothing is downloaded. By default they are the textures brick,
grass and gravel.

    python examples/textures/data.py textures-data
    python examples/textures/data.py photos-data --photographs astronaut chelsea coffee
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import data

PHOTOGRAPHS = (
    "astronaut",
    "brick",
    "chelsea",
    "coffee",
    "grass",
    "gravel",
    "hubble_deep_field",
    "retina",
    "rocket",
)
TEXTURES = ("brick", "grass", "gravel")


def patches(photograph: NDArray[np.uint8], side: int, stride: int) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Names and squares of `side` pixels, their corners `stride` pixels apart."""
    height, width = photograph.shape[:2]
    for top in range(0, height - side + 1, stride):
        for left in range(0, width - side + 1, stride):
            yield f"{top:04d}-{left:04d}", photograph[top : top + side, left : left + side]


def write(folder: Path, photographs: list[str], side: int, stride: int) -> int:
    """Write the patches of these photographs below `folder`, and return their number."""
    count = 0
    for name in photographs:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for place, patch in patches(getattr(data, name)(), side, stride):
            Image.fromarray(patch).save(folder / name / f"{place}.png")
            count += 1
    return count


def main() -> None:
    """Read the command line, write, and say what was written."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where to write; it is created")
    parser.add_argument(
        "--photographs",
        nargs="+",
        choices=PHOTOGRAPHS,
        default=TEXTURES,
        help="which ones (default: brick grass gravel)",
    )
    parser.add_argument(
        "--side", type=int, default=112, help="width and height of a patch in pixels (default: 112)"
    )
    parser.add_argument(
        "--stride", type=int, default=80, help="pixels from one patch to the next (default: 80)"
    )
    arguments = parser.parse_args()
    count = write(arguments.folder, list(arguments.photographs), arguments.side, arguments.stride)
    print(f"wrote {count} patches of {len(arguments.photographs)} photographs to {arguments.folder}")


if __name__ == "__main__":
    main()
