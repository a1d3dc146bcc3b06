"""What strangers leave in a model bucket: in each place of records a body that is none, and names that no
record has."""

import json
from collections.abc import Iterator

__all__ = ["BODIES", "NAMES", "PLACES", "RUN", "strays"]

RUN = "digits-0123456789abcdef0123"
_LETTER, _DIGEST, _VERSION = "0123456789abcdef0123", "0" * 64, "digits/v000002"
PLACES = (
    f"causes/{RUN}.json",
    f"checksums/{RUN}.json",
    "checksums/digits.json",
    f"claims/{_VERSION}",
    f"datasets/digits/{_DIGEST}.json",
    f"dead-letters/{_LETTER}/death-{_LETTER}.json",
    f"dead-letters/{_LETTER}/replay-000001.json",
    "dead-letters/refused.json",
    f"evidence/{_VERSION}/pod.0000000000000001.json",
    f"golden/digits/{_DIGEST}.json",
    f"labels/{_VERSION}/pod.0000000000000001.json",
    f"inbox/{RUN}.20200101T000000000000Z.json",
    f"inbox/{RUN}.20360101T000000000000Z.json",
    f"models/{_VERSION}/attestation.json",
    f"models/{_VERSION}/manifest.json",
    f"outcomes/{RUN}.json",
    "probe.json",
    f"progress/{RUN}.json",
    f"removing/{_VERSION}.json",
    f"replays/{_LETTER}.000001.json",
    f"rollouts/{_VERSION}/000001.json",
    f"runs/{RUN}.json",
    f"superseded/{RUN}.json",
    "survey.json",
    "uploads/digits/a",
)
_STEP = {
    "model": "digits",
    "rollout": "v000900",
    "version": "v000900",
    "number": 1,
    "action": "Promote",
    "at": "2036-01-01T00:00:00+00:00",
    "percent": 100,
    "reason": "forged",
}
BODIES = {
    "empty": b"",
    "text": b"no json",
    "list": b"[1]",
    "null": b"null",
    "deep": b"[" * 100_000,
    "nothing": b"{}",
    "schema": b'{"schema": 1}',
    "newer": b'{"schema": 99, "needs": "9.9"}',
    "schema of another type": b'{"schema": "one", "needs": 7}',
    "no UTF-8": b'{"run": "\xff\xfe"}',
    "numbers": b'{"number": 1e999, "at": -1, "requests": NaN, "size": %s}' % (b"9" * 5000),
    "of another": json.dumps(_STEP).encode(),
    "huge": b" " * (65 * 2**20),
}
_TOPS = sorted({place.partition("/")[0] for place in PLACES} - {"probe.json", "survey.json"})
NAMES = tuple(
    name
    for top in _TOPS
    for name in (
        top,
        f"{top}/",
        f"{top}/.DS_Store",
        f"{top}/digits",
        f"{top}/digits/",
        f"{top}/digits/v000001",
        f"{top}/digits/v000001/",
        f"{top}/digits/v999999999999",
        f"{top}/digits/V000001/000001.json",
        f"{top}/digits/v٠٠٠٠٠٩/manifest.json",
        f"{top}/{RUN}.json/",
        f"{top}/{RUN}.json.bak",
        f"{top}/../outside.json",
        f"{top}/digits/../../outside.json",
        f"{top}/digits/a\n\x1b[2J\u202e.json",
        f"{top}/{'long' * 200}",
    )
)


def strays(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Keys with bodies: that body in each place, and an empty object or a few bytes under each odd name."""
    yield from ((place, body) for place in PLACES)
    yield from ((name, b"" if name.endswith("/") else b"x") for name in NAMES)
    yield from ((name, b"x") for name in ("unknown", ".DS_Store", "/", "models.json", "a/b"))
