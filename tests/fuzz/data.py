"""What users and strangers put into buckets and requests: pictures, archives, tables, Models, records,
instances.

Each kind has seeds and a reader of the product. Whatever the bytes are, the reader gives what it promises or
raises an error of knoll's, soon and in little memory.
"""

import io
import json
import tarfile
import time
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import yaml
from PIL import Image

from fuzz.calls import calls, read_one_call
from fuzz.inputs import Input, Seed, changed, damaged, generate, written
from fuzz.instances import instances, read_instances
from fuzz.tables import read_one_table, tables
from knoll.cli.yaml_file import read_yaml
from knoll.codecs.raster import RasterLimits, read_raster, survey_raster
from knoll.errors import InvalidData, KnollError
from knoll.families import FAMILIES, find_family
from knoll.models import parse_model
from knoll.records.checksums import load_checksums
from knoll.records.claim import load_claim
from knoll.records.compression import load_compression
from knoll.records.dataset import load_dataset
from knoll.records.dead_letter import load_death, load_resend
from knoll.records.evidence import load_report
from knoll.records.manifest import load_manifest
from knoll.records.outcome import load_outcome
from knoll.records.probe import load_probe
from knoll.records.progress import load_progress
from knoll.records.rollout import load_step
from knoll.records.run import load_run
from knoll.records.samples import load_samples
from knoll.records.signature import load_signature
from knoll.trainer.archives import Member, read_directory
from knoll.views.sense import faults_of_sense

__all__ = ["DATA", "generate_any", "generate_data", "wrong_with_data"]

_GOLDEN = Path(__file__).parents[1] / "records" / "golden"
_EXAMPLES = Path(__file__).parents[2] / "examples"
_SLOW = 2.0  # seconds of CPU
_LIMITS = RasterLimits(pixels=1_000_000, scanned_pixels=4_000_000)
_ROOM = 2**22  # bytes that an archive may unpack to
_LOADERS = (
    *(load_checksums, load_claim, load_dataset, load_death, load_resend, load_report, load_manifest),
    *(load_outcome, load_probe, load_progress, load_step, load_run, load_samples, load_signature),
    load_compression,
)


@dataclass(frozen=True)
class _Kind:
    """The seeds of a kind of data, and what its reader does with any bytes; returns a fault or ""."""

    seeds: Callable[[], tuple[bytes, ...]]
    read: Callable[[bytes], str]
    is_json: bool = False
    share: float = 1.0  # of all data


def generate_any(random: Random, seeds: tuple[Seed, ...]) -> Input:
    """A request to a function, or data; as many of one as of the other."""
    return generate_data(random) if random.random() < 0.5 else generate(random, seeds)


def generate_data(random: Random) -> Input:
    """A seed of one kind, with some changes."""
    name = random.choices(tuple(DATA), [one.share for one in DATA.values()])[0]
    kind = DATA[name]
    body = random.choice(kind.seeds())
    if kind.is_json and random.random() < 0.7:
        document = json.loads(body)
        for _ in range(random.randrange(4)):
            document = changed(document, random)
        body = written(document, random)
    if not kind.is_json or random.random() < 0.3:
        body = damaged(body, random)
    return Input(name, {}, body)


def wrong_with_data(given: Input) -> str:
    """Let the reader of its kind read the input. Returns the fault, or ""."""
    started = time.process_time()
    try:
        fault = DATA[given.function].read(given.body)
    except KnollError:
        fault = ""
    except Exception as error:
        fault = f"crash: {type(error).__name__}: {error!a:.300}"
    took = time.process_time() - started
    return fault or (f"slow: {took:.1f} s" if took > _SLOW else "")


def _read_picture(body: bytes) -> str:
    picture = read_raster(body, _LIMITS)
    shape = survey_raster(body, _LIMITS)
    is_right = picture.mode in ("L", "RGB") and picture.width * picture.height <= _LIMITS.pixels
    is_right = is_right and picture.size == (shape.width, shape.height)
    return "" if is_right else f"effect: {picture.mode} {picture.size}, and the survey says {shape}"


def _read_archive(body: bytes) -> str:
    members = dict(read_directory(io.BytesIO(body), len(body), _ROOM))
    read = {name: one for name, one in members.items() if isinstance(one, Member)}
    odd = [name for name in read if name.startswith("/") or ".." in name.split("/")]
    sizes = [0]
    for one in read.values():
        with suppress(InvalidData):
            sizes.append(len(one.unpack(body[one.place.start : one.place.stop])))
    return f"effect: {odd} of {max(sizes)} bytes" if odd or max(sizes) > _ROOM else ""


def _read_model(body: bytes) -> str:
    for one in read_yaml(body.decode("utf-8", errors="replace"), "model.yaml"):
        faults = [str(fault) for fault in faults_of_sense(one.value, "knoll-models")]
        if any("Input should" in fault or "\n" in fault for fault in faults):
            return f"effect: {faults}"
        parse_model(one.value)
    return ""


def _read_record(body: bytes) -> str:
    for load in _LOADERS:
        try:
            load(body)
        except KnollError:
            continue
    return ""


@cache
def _pictures() -> tuple[bytes, ...]:
    colours = np.random.default_rng(0).integers(0, 255, (9, 7, 4), np.uint8)
    rgba = Image.fromarray(colours, "RGBA")
    exif = Image.Exif()
    exif[0x0112] = 6
    made = [
        *((rgba.convert(mode), "PNG", {}) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
        *((rgba.convert(mode), "JPEG", {}) for mode in ("L", "RGB", "CMYK")),
        (rgba.convert("RGB"), "JPEG", {"progressive": True}),
        (rgba.convert("RGB"), "JPEG", {"exif": exif}),
        (rgba.convert("P"), "PNG", {"transparency": 3}),
        (rgba, "PNG", {"save_all": True, "append_images": [rgba]}),
        (rgba.convert("P"), "GIF", {}),
    ]
    return tuple(_saved(picture, kind, options) for picture, kind, options in made)


def _saved(picture: Image.Image, kind: str, options: Any) -> bytes:
    body = io.BytesIO()
    picture.save(body, kind, **options)
    return body.getvalue()


@cache
def _archives() -> tuple[bytes, ...]:
    found = []
    for names in (
        ("tall/1.png", "wide/1.png"),
        ("tall\\1.png",),
        ("../x.png", "/etc/x.png"),
        ("a/b/c/d.png",),
    ):
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            body = io.BytesIO()
            with zipfile.ZipFile(body, "w", method) as archive:
                for name in names:
                    archive.writestr(name, b"x" * 100)
            found.append(body.getvalue())
        for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
            body = io.BytesIO()
            with tarfile.TarFile.open(fileobj=body, mode="w", format=form) as tar:
                for name in (*names, f"caf\u00e9/{'x' * 90}.png"):
                    entry = tarfile.TarInfo(name)
                    entry.size = 100
                    tar.addfile(entry, io.BytesIO(b"x" * 100))
            found.append(body.getvalue())
    return tuple(found)


@cache
def _models() -> tuple[bytes, ...]:
    """The examples, as YAML and as JSON, which is YAML, too."""
    for name in FAMILIES:
        find_family(name)  # its import is no part of a reading
    texts = [path.read_text() for path in sorted(_EXAMPLES.glob("*/model.yaml"))]
    return tuple(json.dumps(yaml.safe_load(text)).encode() for text in texts)


@cache
def _records() -> tuple[bytes, ...]:
    bodies = [path.read_bytes() for path in sorted(_GOLDEN.glob("*/bucket/**/*")) if path.is_file()]
    return tuple(body for body in bodies if body[:1] in b"{[")


DATA: Mapping[str, _Kind] = {
    "picture": _Kind(_pictures, _read_picture),
    "archive": _Kind(_archives, _read_archive),
    "model": _Kind(_models, _read_model, is_json=True, share=0.1),
    "record": _Kind(_records, _read_record, is_json=True),
    "instances": _Kind(instances, read_instances, is_json=True),
    "call": _Kind(calls, read_one_call),
    "table": _Kind(tables, read_one_table),
}
