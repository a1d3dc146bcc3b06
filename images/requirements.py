"""Print what pyproject.toml requires, with the extras that are named: images install it in a layer that
changes of code leave alone."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
print(
    "\n".join(
        [
            *project["dependencies"],
            *(one for extra in sys.argv[1:] for one in project["optional-dependencies"][extra]),
        ]
    )
)
