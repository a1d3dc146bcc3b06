"""Whether a version is what was trained: its bytes, and each link from the data to what serves."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from knoll.errors import NotFound, Rejected
from knoll.names import version_number
from knoll.ports import Bucket, Platform
from knoll.quoting import some_of
from knoll.records.attestation import key_of, look_at_attestation
from knoll.records.dataset import find_snapshot, why_foreign
from knoll.records.golden import GoldenScore, fault_of_score, find_golden
from knoll.records.manifest import Manifest, Sealed, find_sealed
from knoll.records.run import find_run
from knoll.records.version_folder import version_folder
from knoll.rollout.candidates import champion_number
from knoll.rollout.integrity import inspect_version
from knoll.rollout.origin import fault_of_origin
from knoll.rollout.slot import Slot, slot_from_status
from knoll.views.models import ModelView, find_model
from knoll.views.versions import version_names

__all__ = ["Link", "Verification", "verification_document", "verify_version"]


@dataclass(frozen=True)
class Link:
    """One link of the chain: its name, what differs, and a remark; "" for nothing."""

    name: str
    fault: str = ""
    note: str = ""


@dataclass(frozen=True)
class Verification:
    """A version, the sha256 of its manifest ("" if it cannot be read), and every link."""

    model: str
    version: str
    sha256: str
    links: Sequence[Link]

    @property
    def is_intact(self) -> bool:
        """Whether no link differs."""
        return not any(one.fault for one in self.links)


def verify_version(platform: Platform, model: str, version: str = "") -> Verification:
    """Read every byte of a version and compare every link. Without a version: the champion, else the newest.
    Raises NotFound if there is no such Model or version."""
    view = find_model(platform, model)
    wanted = version or view.champion or next(iter(version_names(platform, model)), "")
    if not wanted:
        raise NotFound(f"model {model}: it has no version yet", fix=f"knoll runs {model} -w")
    slot = slot_from_status(view.document.get("status") or {})
    try:
        sealed = find_sealed(model, wanted, platform.bucket)
    except Rejected as error:
        return Verification(model, wanted, "", (Link("manifest", str(error)),))
    if sealed is None:
        raise NotFound(f"{model} {wanted}: there is no such version", fix=f"knoll versions {model}")
    links = (Link(*one) for one in _links(platform, view, slot, sealed))
    return Verification(model, wanted, sealed.sha256, tuple(links))


def verification_document(found: Verification) -> dict[str, Any]:
    """The verification as `-o json` shows it."""
    return {
        "model": found.model,
        "version": found.version,
        "manifestSha256": found.sha256,
        "intact": found.is_intact,
        "links": [
            {"link": one.name, "intact": not one.fault, "what": one.fault or one.note} for one in found.links
        ],
    }


def _links(platform: Platform, view: ModelView, slot: Slot, sealed: Sealed) -> Iterator[tuple[str, ...]]:
    made, bucket = sealed.manifest, platform.bucket
    yield (
        "files",
        inspect_version(made.model, made.version, sealed.sha256, bucket).fault,
        _strays(made, bucket),
    )
    yield "data", _fault_of_data(made, bucket)
    try:
        yield "run", fault_of_origin(sealed, bucket)
    except Rejected as error:
        yield "run", str(error)
    if platform.settings.verify_key:
        yield "attestation", *_attestation(platform, slot, sealed)
    if made.golden:
        yield "golden set", _fault_of_exam(made.model, made.golden, bucket)
    pin = slot.pins.get(made.version, "")
    yield "slot", _differs("the Model's status", pin, sealed.sha256) if pin else ""
    if view.champion == made.version and not view.candidate:
        yield "InferenceService", _fault_of_isvc(platform, view.name, sealed.sha256)


def _fault_of_data(made: Manifest, bucket: Bucket) -> str:
    data = find_snapshot(made.model, made.dataset_digest, bucket)
    if data is None:
        return f"the snapshot of its data {made.dataset_digest[:12]} is gone or spoilt"
    with suppress(Rejected):
        run = find_run(made.run, bucket)
        prefix = (run and run.prefix) or data.prefix
        return why_foreign(data, made.model, made.dataset_digest, prefix)
    return ""


def _attestation(platform: Platform, slot: Slot, sealed: Sealed) -> tuple[str, str]:
    """What is wrong with the attestation, and else who has signed, or why that does not matter."""
    made, keys = sealed.manifest, platform.settings.verify_key
    found = look_at_attestation(made.model, made.version, sealed.sha256, keys, platform.bucket)
    signer = slot.signers.get(made.version, "")
    if not found.fault:
        return "", f"signed by key {found.by[:12]}"
    if signer and not key_of(keys, signer):
        return "", f"admitted while key {signer[:12]} was accepted: {found.fault}"
    if made.version in slot.pins and not signer:
        return "", f"admitted before a key was set: {found.fault}"
    if version_number(made.version) < champion_number(slot):
        return "", f"older than the champion, so never rolled out: {found.fault}"
    return found.fault, ""


def _strays(made: Manifest, bucket: Bucket) -> str:
    """Which files lie in the version's folder and are no part of it."""
    found = version_folder(made.model, made.version, bucket).strays(made)
    return f"ignored, because the manifest does not name them: {some_of(found)}" if found else ""


def _fault_of_exam(model: str, score: GoldenScore, bucket: Bucket) -> str:
    try:
        pin = find_golden(model, score.uri, bucket)
    except Rejected as error:
        return f"its pin does not count: {error}"
    return fault_of_score(score, pin.digest if pin else "")


def _fault_of_isvc(platform: Platform, model: str, sha256: str) -> str:
    """What differs between the InferenceService and the champion."""
    try:
        isvc = platform.cluster.get("InferenceService", model)
    except NotFound:
        return "there is no InferenceService"
    containers = isvc["spec"]["predictor"].get("containers") or [{}]
    pin = dict(pairwise(containers[0].get("args") or ())).get("--manifest-sha256", "")
    return _differs("the InferenceService", pin, sha256) if pin else "the InferenceService pins no version"


def _differs(where: str, pinned: str, found: str) -> str:
    return "" if pinned == found else f"{where} pins {pinned[:12]}, and manifest.json has {found[:12]}"
