"""Looking at the bucket: reads the listing and what landed before, and decides. Every look at the same state
decides the same."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from knoll.ingest.checksums import end_of_reading, learn_checksums
from knoll.ingest.landed import KnownData, Landed, Waiting, decide, last_uri, only_lost
from knoll.ingest.manifest import MOST_BYTES
from knoll.models import Model
from knoll.names import is_in_bucket
from knoll.ports import ObjectInfo, Platform
from knoll.quantities import counted
from knoll.records.checksums import known_checksums
from knoll.records.dataset import Dataset, find_newest_dataset, find_snapshot, has_dataset

__all__ = ["dataset_status", "look", "look_and_learn"]

_NOTHING: Mapping[str, Any] = {}
_FIELDS = ("state", "reason", "digest", "marked", "run")


def look(
    model: Model, platform: Platform, only: str = "", *, before: Mapping[str, Any] = _NOTHING
) -> Landed | Waiting:
    """Whether the model's data is complete; with the rule `object`, `only` is the URI of one object.

    `before` is what the Model's status says of its dataset. No object is read for its sha256. The model
    bucket is never data: what knoll writes there would train the next version, which writes again.
    """
    return _look(model, platform, only, before, None)


def look_and_learn(
    model: Model,
    platform: Platform,
    only: str = "",
    *,
    before: Mapping[str, Any] = _NOTHING,
    until: datetime | None = None,
) -> Landed | Waiting:
    """The same, but objects are read for their sha256 as far as the rule needs that, and what was read is
    written down. It reads until that time, and without one for some seconds."""
    return _look(model, platform, only, before, until or end_of_reading(platform))


def _look(
    model: Model, platform: Platform, only: str, before: Mapping[str, Any], until: datetime | None
) -> Landed | Waiting:
    if is_in_bucket(model.dataset.uri, platform.settings.model_bucket):
        return Waiting(f"{platform.settings.model_bucket} is the bucket of models: keep data in another one")
    listing = list(platform.store.list(only or model.dataset.uri))
    known = _known(model, listing, platform, before)
    verdict = decide(model, listing, platform.clock.now(), known)
    if isinstance(verdict, Waiting) and verdict.unread and until:
        sha256 = learn_checksums(model, verdict.unread, listing, until, platform)
        return decide(model, listing, platform.clock.now(), replace(known, sha256=sha256))
    if isinstance(verdict, Landed) and _is_being_deleted(model, verdict, platform, before):
        return Waiting(
            "objects were deleted after the data landed. To train on what is left, write "
            f"{model.dataset.landed.marker} again",
            have=len(verdict.datasets[0].objects),
        )
    return verdict


def dataset_status(
    model: Model, verdict: Landed | Waiting, before: Mapping[str, Any], only: str = "", run: str = ""
) -> dict[str, Any]:
    """What the Model's status says of its dataset: the verdict, for people; what landed last, for a look; and
    the `run` that it asks for, for a rollout.

    With the rule `object`, no look needs what landed last, and a status with it would be written for each
    object. A look at `only` one object does not change what the status says of all. Unknown fields of the one
    `before` stay while it is about the same data.
    """
    if only and before.get("state") == "Landed":
        return dict(before)
    known = _known_fields(model, verdict, before, run)
    is_same = known.get("digest") == before.get("digest")
    unknown = {name: one for name, one in before.items() if is_same and name not in _FIELDS}
    return {**unknown, **known}


def _known_fields(
    model: Model, verdict: Landed | Waiting, before: Mapping[str, Any], run: str
) -> dict[str, Any]:
    if isinstance(verdict, Waiting):
        kept = {key: before[key] for key in ("digest", "marked", "run") if key in before}
        return {"state": "Waiting", "reason": verdict.what, **kept}
    objects = sum(len(one.objects) for one in verdict.datasets)
    skipped = sum(one.count for dataset in verdict.datasets for one in dataset.skipped)
    beside = f", {skipped} skipped" if skipped else ""
    shown = {"state": "Landed", "reason": counted(objects, "object") + beside}
    if model.dataset.landed.when == "object":
        return shown
    return {
        **shown,
        "digest": verdict.datasets[0].digest,
        "run": run,
        **({"marked": verdict.marked} if verdict.marked else {}),
    }


def _known(
    model: Model, listing: Sequence[ObjectInfo], platform: Platform, before: Mapping[str, Any]
) -> KnownData:
    """What the model's rule needs, and no more: each costs a request."""
    match model.dataset.landed.when:
        case "quiet":
            rule = model.dataset.landed
            quiet_for = (
                platform.clock.now() - max((one.modified for one in listing), default=platform.clock.now())
            ).total_seconds()
            return (
                KnownData(landed=_landed_last(model, platform, before)[0])
                if quiet_for < rule.quiet
                else KnownData()
            )
        case "manifest":
            manifest = next((one for one in listing if one.uri == last_uri(model)), None)
            if manifest is None or manifest.size > MOST_BYTES:
                return KnownData()
            return KnownData(
                manifest=platform.store.get(manifest.uri, etag=manifest.etag),
                sha256=known_checksums(model.name, platform.bucket),
            )
        case _:
            return KnownData()


def _is_being_deleted(model: Model, verdict: Landed, platform: Platform, before: Mapping[str, Any]) -> bool:
    """Whether the old marker now stands over fewer objects: deleting ten files must not train nine
    datasets."""
    (dataset, *_) = verdict.datasets
    if not verdict.marked or dataset.digest == before.get("digest"):
        return False
    landed, marked = _landed_last(model, platform, before)
    if landed is None or marked < verdict.marked or not only_lost(model, dataset, landed):
        return False
    return not has_dataset(model.name, dataset.digest, platform.bucket)


def _landed_last(model: Model, platform: Platform, before: Mapping[str, Any]) -> tuple[Dataset | None, str]:
    """What landed last, by the status or else the newest snapshot, and when its marker was written, or else
    when it landed."""
    digest = str(before.get("digest") or "")
    if digest and (dataset := find_snapshot(model.name, digest, platform.bucket)):
        return dataset, str(before.get("marked") or "")
    return find_newest_dataset(model.name, platform.bucket) or (None, "")
