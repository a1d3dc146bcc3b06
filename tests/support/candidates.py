"""Candidates for rollouts: real versions that are good, broken, failing, slow or wrong.

Each is published and signed as a trainer does it, with a run and an outcome of its own. It is made of a
version that is there, or of a small classifier; only the graph differs, and the samples, which are answered
by that graph. Nothing here knows where the platform runs: a bucket with the key of the trainers is enough.

    bucket = Bucket(store, root, sign_key=pem)
    sealed = publish_candidate("failing", "shop", bucket, of=("digits", "v000001"))

Rollout finds the version with the next tick, or at once by an event `dev.knoll.training.succeeded` whose data
is `announced(sealed)`. The Model must have the family and the training config of `of`; without `of` it is an
image-classifier with `config`. Data that has landed asks for the version of its own run, which takes the
place of a candidate that was promoted: take a Model without data.
"""

import base64
import io
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
from PIL import Image

from knoll.codecs import decode, encode
from knoll.keys import read_signer
from knoll.names import run_id
from knoll.ports import Bucket, Document
from knoll.predict.graph import Graph
from knoll.predict.loading import Version
from knoll.records.manifest import CARD, GRAPH, WEIGHTS, Manifest, Sealed, entry_of, find_sealed, read_file
from knoll.records.outcome import Outcome, write_outcome
from knoll.records.run import Run, read_run, write_run
from knoll.records.samples import SAMPLES, Sample, encode_samples, load_samples
from knoll.records.signature import SIGNATURE, Signature, Tensor, load_signature
from knoll.trainer.publish import publish
from support.graphs import classifier, failing, permuted, slowed

__all__ = ["KINDS", "LABELS", "Kind", "announced", "marked", "picture", "publish_candidate"]

# good: answers as the version that it is made of
# broken: its graph cannot be loaded, so it never becomes ready
# failing: answers each picture that is `marked` with 500; no held-out picture is
# slow: answers right, and takes at least three times as long
# wrong: answers the label behind the right one, as do the held-out labels of its own data
Kind = Literal["good", "broken", "failing", "slow", "wrong"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LABELS = ("low", "middle", "high")  # of the small classifier

_SIZE = 8  # pixels in a line of its pictures
_SAMPLES = 30
_TIMES, _WAY = 3.0, 0.006  # so many times as long; seconds that a request takes at most beside its graph
_AT = "2026-01-01T00:00:00+00:00"


@dataclass(frozen=True)
class _Origin:
    """What a candidate is made of."""

    manifest: Manifest
    run: Run
    files: Mapping[str, bytes]
    signature: Signature
    samples: Sequence[Sample]


def publish_candidate(
    kind: Kind,
    model: str,
    bucket: Bucket,
    *,
    of: tuple[str, str] | None = None,
    config: Mapping[str, Any] = MappingProxyType({}),
) -> Sealed:
    """Publish the next version of the model, made of the model and version `of`; without, of the small
    classifier, as if trained with that config. It is signed with `bucket.sign_key`, unless that is empty."""
    origin = _read_origin(of, bucket) if of else _small_origin(config)
    files = {**origin.files, **_altered(kind, origin)}
    run = replace(
        origin.run, id=run_id(model, uuid.uuid4().hex, kind), model=model, model_uid="", prefix="", stamp=""
    )

    def draft(version: str) -> tuple[Mapping[str, bytes], Manifest]:
        entries = {name: entry_of(body) for name, body in files.items()}
        return files, replace(origin.manifest, model=model, version=version, run=run.id, files=entries)

    signer = read_signer(bucket.sign_key) if bucket.sign_key else None
    sealed = publish(model, run.id, draft, bucket, signer)
    made = sealed.manifest
    ended = Outcome(
        "succeeded", made.created_at, made.version, metrics=made.metrics, manifest_sha256=sealed.sha256
    )
    write_run(run, bucket)  # late: a run that nobody has stamped counts as soon as it has ended
    write_outcome(run.id, ended, bucket)
    return sealed


def announced(sealed: Sealed) -> Document:
    """The data of the event that tells of the version."""
    return {"model": sealed.manifest.model, "version": sealed.manifest.version}


def picture(label: int, seed: int) -> bytes:
    """A PNG that the small classifier takes for one of that label; each seed has other noise."""
    pixels = np.random.default_rng(seed).integers(0, 60, (_SIZE, _SIZE), np.uint8)
    pixels[1 + 2 * label : 3 + 2 * label] += np.uint8(180)
    return _png(Image.fromarray(pixels, "L"))


def marked(body: bytes) -> bytes:
    """The picture with a white corner. Only for a failing version it makes a difference."""
    with Image.open(io.BytesIO(body)) as opened:
        found = opened.convert("L" if opened.mode == "L" else "RGB")
    corner = (0, 0, -(-found.width // 8), -(-found.height // 8))
    found.paste(Image.new(found.mode, corner[2:], "white"), corner)
    return _png(found)


def _png(image: Image.Image) -> bytes:
    body = io.BytesIO()
    image.save(body, "PNG")
    return body.getvalue()


def _read_origin(of: tuple[str, str], bucket: Bucket) -> _Origin:
    sealed = find_sealed(*of, bucket)
    assert sealed, f"there is no {of}"
    files = {name: read_file(*of, name, bucket) for name in sealed.manifest.files}
    signature, samples = load_signature(files[SIGNATURE]), load_samples(files[SAMPLES]).samples
    return _Origin(sealed.manifest, read_run(sealed.manifest.run, bucket), files, signature, samples)


def _small_origin(config: Mapping[str, Any]) -> _Origin:
    options = {"mode": "L", "width": _SIZE, "height": _SIZE}
    signature = Signature(
        (Tensor("image", "FP32", (-1, 1, _SIZE, _SIZE), "image", options),),
        (Tensor("probabilities", "FP32", (-1, len(LABELS)), "classes", {"labels": LABELS}),),
    )
    numbers = [number % len(LABELS) for number in range(_SAMPLES)]
    pictures = [base64.b64encode(picture(label, seed)).decode() for seed, label in enumerate(numbers)]
    samples = [
        Sample({"b64": one}, None, LABELS[label]) for one, label in zip(pictures, numbers, strict=True)
    ]
    files = {GRAPH: classifier(len(LABELS), _SIZE), SIGNATURE: signature.encode(), WEIGHTS: b"", CARD: b""}
    run = Run("", "", "image-classifier", "0" * 64, "s3://nowhere/", dict(config), _AT)
    manifest = Manifest(
        "", "", run.family, "", run.dataset_digest, run.config, {"accuracy": 1.0}, _AT, "", {}
    )
    return _Origin(manifest, run, files, signature, samples)


def _altered(kind: Kind, origin: _Origin) -> Mapping[str, bytes]:
    """Graph and samples of the candidate."""
    graph, samples = origin.files[GRAPH], origin.samples
    match kind:
        case "broken":
            return {GRAPH: b"no graph", SAMPLES: _answered(origin, graph, samples)}
        case "failing":
            graph = failing(graph)
        case "slow":
            graph = slowed(graph, _steps(origin))
        case "wrong":
            graph, labels = permuted(graph), list(origin.signature.outputs[0].options["labels"])
            behind = {str(label): str(labels[(at + 1) % len(labels)]) for at, label in enumerate(labels)}
            samples = [replace(one, target=behind.get(str(one.target), one.target)) for one in samples]
    return {GRAPH: graph, SAMPLES: _answered(origin, graph, samples)}


def _answered(origin: _Origin, graph: bytes, samples: Sequence[Sample]) -> bytes:
    """The samples with the answers of the graph."""
    loaded = _loaded(origin, graph)
    return encode_samples(replace(one, prediction=_answer(loaded, one)) for one in samples)


def _loaded(origin: _Origin, graph: bytes) -> Graph:
    return Graph(Version(origin.manifest, "", origin.signature, graph, origin.samples), threads=1)


def _answer(graph: Graph, sample: Sample) -> object:
    (found,) = encode(graph.run(decode([sample.instance], graph.signature)), graph.signature)
    return found


def _steps(origin: _Origin) -> int:
    """How many matrices a graph must multiply to take three times as long, here and now."""
    graph, many = origin.files[GRAPH], 100
    usual, slow = (_seconds(origin, one) for one in (graph, slowed(graph, many)))
    return 1 + round((_TIMES - 1) * (usual + _WAY) * many / max(slow - usual, 1e-6))


def _seconds(origin: _Origin, graph: bytes) -> float:
    """The least time of an answer: others were disturbed."""
    loaded, taken = _loaded(origin, graph), []
    for _ in range(20):
        began = time.perf_counter()
        _answer(loaded, origin.samples[0])
        taken.append(time.perf_counter() - began)
    return min(taken)
