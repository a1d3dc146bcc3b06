"""What an attacker, a bug or a bad line could send: real bodies and events, changed where it hurts, and
noise.

A generator knows the shape of what it changes, because noise alone is refused at the first byte. All that it
does comes from the one `Random` that it is given, so a seed is enough to see an input again.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

__all__ = ["Input", "Seed", "changed", "damaged", "generate", "raw_seeds", "written"]

Json = Any
_BODIES = Path(__file__).parents[1] / "events"
_STRUCTURED = "application/cloudevents+json"
_FUNCTIONS = ("ingest",) * 6 + ("train",) * 4 + ("rollout",) * 4 + ("dead-letters",) * 2 + ("sweep",)
_TEXTS = (
    *(
        "",
        " ",
        ".",
        "/",
        "//",
        "..",
        "%",
        "%zz",
        "%ff",
        "+",
        "%2B%20%",
        "\x00",
        "\t",
        "\r\nSet-Cookie: a=b",
        "\x1b[2J\x1b[31m",
    ),
    *("\ud800", "\udfff\ud800", "\u202etxt.exe", "e\u0301", "💎", "\ufeff", "ſ", "٣", "\x7f", "\x85"),
    *(
        "../../etc/passwd",
        "..%2f..%2f",
        "$(AWS_SECRET_ACCESS_KEY)",
        "${HOME}",
        "{{7*7}}",
        "'; DROP TABLE documents; --",
        "<script>",
    ),
    *(
        "digits",
        "digits/",
        "digits/_SUCCESS",
        "tiny/1.txt",
        "datasets",
        "knoll-models",
        "s3://knoll-models/",
        "runs/",
        "Digits",
        "-",
    ),
    *(
        "NaN",
        "1e999",
        "-0",
        "0x10",
        "null",
        "[]",
        "{}",
        '{"Records": []}',
        '"',
        "\\",
        "1" * 400,
        "k" * 1024,
        "long" * 3000,
    ),
    *(
        "2026-13-45T00:00:00Z",
        "9999-12-31T23:59:60Z",
        "0001-01-01T00:00:00+23:59",
        "yesterday",
        "v000001",
        "v000000",
        "v" + "9" * 30,
    ),
    *(
        "digits-" + "0" * 20,
        "1.0",
        "0.3",
        "Job",
        "Pod",
        "Model",
        "InferenceService",
        "Notification",
        "s3:TestEvent",
        "OBJECT_FINALIZE",
    ),
)
_NUMBERS = (
    *(
        0,
        -1,
        1,
        7,
        2**31,
        2**53 + 1,
        2**63,
        -(2**63) - 1,
        2**64,
        10**25,
        -(10**400),
        0.1,
        1e308,
        -1e308,
        5e-324,
    ),
    *(float("inf"), float("-inf"), float("nan"), True, False, None),
)
_RAW = (
    "1e999",
    "-0",
    "1" * 5000,
    "0.1e-9999",
    "tru",
    '"\\u12"',
    "1.",
    "'x'",
    "/* */1",
    "\ufeff1",
)  # what json.dumps would never write
_MARK = "@@raw@@"
_ATTRIBUTES = ("id", "kind", "data", "knativeerrordest", "knativearrivaltime")
_NAMES = (
    "Records",
    "s3",
    "object",
    "key",
    "data",
    "message",
    "metadata",
    "status",
    "kind",
    "name",
    "Body",
    "Message",
    "__class__",
    "",
)
_TYPES = (
    "application/json",
    _STRUCTURED,
    f"{_STRUCTURED}; charset=latin-1",
    "application/cloudevents-batch+json",
    "text/plain",
    "",
    ";;",
)


@dataclass(frozen=True)
class Input:
    """One POST to the function of that name."""

    function: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Seed:
    """A true body, as JSON text; an event travels in either mode, and goes to the function that it is for."""

    text: str
    is_event: bool
    function: str


@cache
def raw_seeds() -> tuple[Seed, ...]:
    """All that stores and clouds send: the bodies in tests/events/."""
    files = sorted(_BODIES.glob("*/*.json"))
    return tuple(
        Seed(file.read_text(encoding="utf-8"), file.name.endswith(".event.json"), "ingest") for file in files
    )


def generate(random: Random, seeds: tuple[Seed, ...]) -> Input:
    """The next input: a seed with up to four changes of its tree, its text, its bytes and its headers, or
    noise."""
    try:
        return _made(random, seeds)
    except RecursionError:  # deeper than what we can write ourselves
        return Input(
            random.choice(_FUNCTIONS),
            {"content-type": random.choice(_TYPES)},
            b'{"data":[' * random.randrange(300, 5000),
        )


def _made(random: Random, seeds: tuple[Seed, ...]) -> Input:
    dice = random.random()
    if dice < 0.03:
        headers = {name: _on_the_wire(value) for name, value in _noisy_headers(random).items()}
        return Input(random.choice(_FUNCTIONS), headers, random.randbytes(random.randrange(200)))
    seed = random.choice(seeds)
    document = json.loads(seed.text) if dice > 0.06 else _noise(random, 4)
    for _ in range(random.choice((0, 1, 1, 1, 2, 2, 3, 4))):
        document = changed(document, random)
    if not seed.is_event and random.random() < 0.15:
        document = random.choice(_ENVELOPES)(document)
    headers, body = _sent(document, seed.is_event, random)
    if random.random() < 0.12:
        body = damaged(body, random)
    if random.random() < 0.12:
        headers = _odd_headers(headers, random)
    headers = {name: _on_the_wire(value) for name, value in headers.items()}
    function = seed.function if random.random() < 0.9 else random.choice(_FUNCTIONS)
    return Input(function, headers, body)


def _sent(document: Json, is_event: bool, random: Random) -> tuple[dict[str, str], bytes]:
    if not is_event or not isinstance(document, dict):
        return {
            "content-type": random.choice(_TYPES) if random.random() < 0.05 else "application/json"
        }, written(document, random)
    if random.random() < 0.5:
        return {"content-type": _STRUCTURED}, written(document, random)
    attributes = {
        f"ce-{name}": _header(value)
        for name, value in document.items()
        if name not in ("data", "datacontenttype")
    }
    body = written(document["data"], random) if "data" in document else b""
    return {**attributes, "content-type": "application/json"}, body


def _header(value: Json) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return quote(text.encode(errors="surrogatepass"), safe=" !#$&'()*+,/:;=?@[]-_.~")


def _on_the_wire(value: str) -> str:
    """A header's value as servers hand it on: each byte is a character."""
    return value.encode(errors="surrogatepass").decode("latin-1")


def written(document: Json, random: Random) -> bytes:
    text = json.dumps(document, ensure_ascii=random.random() < 0.5)
    if _MARK in text:
        text = text.replace(f'"{_MARK}"', random.choice(_RAW))
    return text.encode(errors="surrogatepass")


def changed(document: Json, random: Random) -> Json:
    """The document with one change at any place in it."""
    slots = _slots(document)
    if not slots:
        return _value(random, "")
    holder, place = random.choice(slots)
    change = random.choice(_CHANGES)
    if isinstance(holder, list) and change in (_rename, _copy_to):
        change = _put_value
    change(holder, place, slots, random)
    return document


def _slots(document: Json) -> list[tuple[Json, Json]]:
    """Every place that holds a value: a container, and a key or index of it."""
    found, open = [], [document]
    while open:
        holder = open.pop()
        inside = (
            holder.items()
            if isinstance(holder, dict)
            else enumerate(holder)
            if isinstance(holder, list)
            else ()
        )
        for place, value in inside:
            found.append((holder, place))
            if isinstance(value, dict | list):
                open.append(value)
    return found


def _put_value(holder: Json, place: Json, slots: list[tuple[Json, Json]], random: Random) -> None:
    holder[place] = _value(random, place)


def _remove(holder: Json, place: Json, slots: list[tuple[Json, Json]], random: Random) -> None:
    del holder[place]


def _swap(holder: Json, place: Json, slots: list[tuple[Json, Json]], random: Random) -> None:
    other, there = random.choice(slots)
    holder[place] = json.loads(json.dumps(other[there]))


def _rename(holder: Json, place: Json, slots: list[tuple[Json, Json]], random: Random) -> None:
    value = holder.pop(place)
    holder[random.choice((place.upper(), place.lower(), place + " ", *_NAMES))] = value


def _copy_to(holder: Json, place: Json, slots: list[tuple[Json, Json]], random: Random) -> None:
    holder[random.choice(_NAMES)] = holder[place]


def _wrap(holder: Json, place: Json, slots: list[tuple[Json, Json]], random: Random) -> None:
    value = holder[place]
    holder[place] = random.choice(
        (
            lambda: [value],
            lambda: {random.choice(_NAMES): value},
            lambda: json.dumps(value),
            lambda: str(value),
        )
    )()


def _repeat(holder: Json, place: Json, slots: list[tuple[Json, Json]], random: Random) -> None:
    value = holder[place]
    many = 1000 if random.random() < 0.01 else 3
    holder[place] = value * many if isinstance(value, list) and value else [value] * many


def _spoil(holder: Json, place: Json, slots: list[tuple[Json, Json]], random: Random) -> None:
    value = holder[place]
    if not isinstance(value, str):
        holder[place] = _MARK
        return
    cut = random.randrange(len(value) + 1)
    holder[place] = value[:cut] + random.choice(_TEXTS) + value[cut + random.randrange(2) :]


_CHANGES = (
    _put_value,
    _put_value,
    _put_value,
    _remove,
    _swap,
    _rename,
    _copy_to,
    _wrap,
    _repeat,
    _spoil,
    _spoil,
)


def _value(random: Random, place: Json) -> Json:
    """Something else for that place, often something that stands there elsewhere."""
    dice = random.random()
    if dice < 0.3:
        return random.choice(_TEXTS)
    if dice < 0.5:
        return random.choice(_NUMBERS)
    if dice < 0.75:
        known = _vocabulary().get(place)
        return json.loads(random.choice(known)) if known else {}
    if dice < 0.8:
        return _deep(random)
    return random.choice(({}, [], [[]], {"": {}}, _MARK, [None], {"a": 1}, "x", 1))


def _deep(random: Random) -> Json:
    value: Json = {}
    for _ in range(random.choice((3, 12, 90, 400))):
        value = [value] if random.random() < 0.5 else {"a": value}
    return value


@cache
def _vocabulary() -> Mapping[Any, list[str]]:
    """What stands under each name, over all bodies."""
    found: dict[Any, list[str]] = {}
    for seed in raw_seeds():
        for holder, place in _slots(json.loads(seed.text)):
            text = json.dumps(holder[place])
            if isinstance(place, str) and len(text) < 300 and text not in found.setdefault(place, []):
                found[place].append(text)
    return found


def _noise(random: Random, depth: int) -> Json:
    if depth == 0 or random.random() < 0.3:
        return _value(random, "")
    if random.random() < 0.5:
        return [_noise(random, depth - 1) for _ in range(random.randrange(4))]
    return {random.choice(_NAMES): _noise(random, depth - 1) for _ in range(random.randrange(4))}


_ENVELOPES: tuple[Callable[[Json], Json], ...] = (
    lambda inner: {"Type": "Notification", "MessageId": "1", "Message": json.dumps(inner)},
    lambda inner: {"Records": [{"messageId": "1", "eventSource": "aws:sqs", "body": json.dumps(inner)}]},
    lambda inner: {
        "Messages": [
            {"MessageId": "1", "Body": json.dumps({"Type": "Notification", "Message": json.dumps(inner)})}
        ]
    },
    lambda inner: {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": json.dumps(inner)}}]},
    lambda inner: [inner, inner],
    lambda inner: json.dumps(inner),
    lambda inner: {"Records": [inner]},
)


def damaged(body: bytes, random: Random) -> bytes:
    """The bytes, cut, flipped, doubled, or with something in between."""
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(body) + 1)
        end = min(len(body), at + random.randrange(30))
        match random.randrange(6):
            case 0:
                body = body[:at]
            case 1 if body:
                at = random.randrange(len(body))
                body = body[:at] + bytes([body[at] ^ (1 << random.randrange(8))]) + body[at + 1 :]
            case 2:
                body = body[:end] + body[at:]
            case 3:
                body = body[:at] + body[end:]
            case 4:
                body = (
                    body[:at]
                    + random.choice(
                        (b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\xaf", b"[" * 2000, b"{", b'"', b"}")
                    )
                    + body[at:]
                )
            case _:
                body = _doubled_name(body, random)
    return body


def _doubled_name(body: bytes, random: Random) -> bytes:
    """A name that is there once more, right after some brace."""
    braces = [at for at, byte in enumerate(body[:2000]) if byte == 0x7B]
    if not braces:
        return body
    at = random.choice(braces) + 1
    return body[:at] + f'"{random.choice((*_NAMES, "id", "type", "eventName"))}": 1, '.encode() + body[at:]


def _odd_headers(headers: Mapping[str, str], random: Random) -> dict[str, str]:
    changed = dict(headers)
    name = random.choice((*headers, "ce-x"))
    match random.randrange(6):
        case 0:
            changed.pop(name, None)
        case 1:
            changed[name.upper()] = changed.get(name, "1")
        case 2:
            changed[name] = random.choice(_TEXTS)
        case 3:
            changed["content-type"] = random.choice(_TYPES)
        case 4:
            changed[f"ce-{random.choice((*_TEXTS, *_NAMES, *_ATTRIBUTES))}"] = "1"
        case _:
            changed |= _noisy_headers(random)
    return changed


def _noisy_headers(random: Random) -> dict[str, str]:
    names = (
        "ce-id",
        "ce-source",
        "ce-type",
        "ce-specversion",
        "ce-subject",
        "ce-time",
        "ce-data",
        "content-type",
        "ce-kind",
        "x-y",
    )
    return {name: random.choice((*_TEXTS, *_TYPES)) for name in random.sample(names, random.randrange(5))}
