"""What strangers send, and what people have: bytes for the tests of a whole platform."""

import base64
import io
import json
import zipfile
from collections.abc import Callable, Mapping

from PIL import Image

from support.pictures import jpeg_of_scans

__all__ = ["BODIES", "STRAYS", "archive", "bars"]

FORGED = {
    "number": 1,
    "action": "Promote",
    "at": "2036-01-01T00:00:00+00:00",
    "version": "v000900",
    "percent": 100,
    "reason": "forged",
    "evidence": {},
}
STRAYS = {
    "models/digits/README/manifest.json": b"{}",
    "models/digits/v000001x/manifest.json": b"{}",
    "models/digits/v000077/manifest.json": b"{",
    "claims/digits/.DS_Store": b"x",
    "claims/digits/v999999999999": b"x",
    f"inbox/digits-{'0' * 20}.20200101T000000000000Z.json": b"{}",
    f"inbox/digits-{'1' * 20}.20200101T000000000000Z.json": b"not json",
    "superseded/digits-x.json": b"x",
    "rollouts/digits/v000900/000001.json": json.dumps(FORGED).encode(),
    "rollouts/digits/v000001/000001.json": b"{}",
    "datasets/digits/zzz.json": b"garbage",
    f"progress/digits-{'2' * 20}.json": b"garbage",
    f"outcomes/digits-{'3' * 20}.json": b"garbage",
    f"runs/digits-{'4' * 20}.json": b"garbage",
}
BODIES: Mapping[str, Callable[[], bytes]] = {
    "30 MB of instances": lambda: b'{"instances":[' + b"[[0]]," * 4_999_999 + b"[[0]]]}",
    "many lists": lambda: b'{"instances":[' + b"[[0]]," * 9_990 + b"[" + b"[0]," * 180_000 + b"[0]]]}",
    "many numbers": lambda: (
        b'{"instances":[[' + b",".join([b"[" + b"1.25," * 1_949 + b"1.25]"] * 1_000) + b"]]}"
    ),
    "many scans": lambda: json.dumps(
        {"instances": [{"b64": base64.b64encode(jpeg_of_scans(7_000, 7_000, 4_000)).decode()}]}
    ).encode(),
    "large pictures": lambda: json.dumps(
        {"instances": [{"b64": base64.b64encode(jpeg_of_scans(7_000, 7_000, 0)).decode()}] * 20}
    ).encode(),
}


def archive(members: Mapping[str, bytes]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return body.getvalue()


def bars(label: str, side: tuple[int, int], kind: str) -> bytes:
    """A white bar, tall or wide, on black."""
    drawn = Image.new("L", side)
    long, short = (0, side[0] // 3) if label == "tall" else (side[0] // 3, 0)
    drawn.paste(255, (short, long, side[0] - short, side[1] - long))
    body = io.BytesIO()
    drawn.save(body, kind)
    return body.getvalue()
