"""`make mutate`: how many changes of the judgement and the state machine the tests notice, module by module.

mutmut leaves a file beside each module that it has changed, with the exit code of the tests for each change.
A change that no test reaches is not noticed; one that makes the tests hang is.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["killed_of", "main"]

TARGET = 0.85
_UNNOTICED = (0, 5, 33)  # of pytest: no failure; of mutmut: no test reaches the change


def killed_of(exit_codes: Mapping[str, int | None]) -> tuple[int, int]:
    """How many changes were noticed, and how many were tried. Those without an exit code were not."""
    tried = [code for code in exit_codes.values() if code is not None]
    return sum(code not in _UNNOTICED for code in tried), len(tried)


def main(folder: Path = Path("mutants")) -> int:
    """Print the share of each module, and the goal as a line of JSON; 0 if it is met."""
    killed = tried = 0
    for path in sorted(folder.rglob("*.meta")):
        mine, all_ = killed_of(json.loads(path.read_text())["exit_code_by_key"])
        killed, tried = killed + mine, tried + all_
        if all_:
            print(f"{mine / all_:6.1%}  {mine:4} of {all_:4}  {path.relative_to(folder).with_suffix('')}")
    share = round(killed / tried, 3) if tried else 0.0
    met = share >= TARGET
    print(json.dumps({"goal": "mutants killed", "value": share, "target": TARGET, "met": met}))
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
