"""An input as a file, so that what failed once is tried for ever."""

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fuzz.inputs import Input

__all__ = ["ATTACKS", "keep", "read_attack"]

ATTACKS = Path(__file__).parents[1] / "attacks"


def keep(given: Input, why: str) -> Path:
    """Write the input into tests/attacks/, under a name that it has every time."""
    content = {
        "why": why,
        "function": given.function,
        "headers": dict(given.headers),
        "base64": base64.b64encode(given.body).decode(),
    }
    path = (
        ATTACKS / f"found-{hashlib.sha256(given.body + repr(given.headers).encode()).hexdigest()[:12]}.json"
    )
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path


def read_attack(path: Path) -> tuple[Input, int | None]:
    """The input in a file, and the status that it must get, if the file names one.

    The body stands there as `base64`, as `json`, or as `text`; `before` and `after` are put around it `times`
    times.
    """
    told = json.loads(path.read_text(encoding="utf-8"))
    around = [told.get(side, "").encode() * told.get("times", 0) for side in ("before", "after")]
    return Input(told["function"], told["headers"], _body(told).join(around)), told.get("status")


def _body(told: Mapping[str, Any]) -> bytes:
    if "base64" in told:
        return base64.b64decode(told["base64"])
    return str(told["text"]).encode() if "text" in told else json.dumps(told["json"]).encode()
