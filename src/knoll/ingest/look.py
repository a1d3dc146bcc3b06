"""Looking at the bucket: the listing and what has landed before, and what is decided over them. Whoever looks
decides the same."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from knoll.errors import NotFound
from knoll.ingest.checksums import known_checksums, read_checksums
from knoll.ingest.landed import Known, Landed, Waiting, decide, last_uri, only_lost
from knoll.ingest.manifest import MOST_BYTES
from knoll.models import Model
from knoll.names import join
from knoll.ports import ObjectInfo, Platform
from knoll.records.dataset import Dataset, dataset_uri, load_dataset

__all__ = ["dataset_status", "look"]

_NOTHING: Mapping[str, Any] = {}


def look(
    model: Model,
    platform: Platform,
    only: str = "",
    *,
    before: Mapping[str, Any] = _NOTHING,
    may_read: bool = True,
) -> Landed | Waiting:
    """Whether the model's data is complete; `only` is the URI of one object, with the gate `object`.

    `before` is what the Model's status says of its dataset. Without `may_read` objects are not read for their
    sha256, however many are not. The model bucket is no data: what knoll writes there would train the next
    version, which writes again.
    """
    if model.dataset.uri.startswith(join(platform.settings.model_root, "")):
        return Waiting(f"{platform.settings.model_bucket} is the bucket of models: keep data in another one")
    listing = list(platform.store.list(only or model.dataset.uri))
    known = _known(model, listing, platform, before)
    verdict = decide(model, listing, platform.clock.now(), known)
    if isinstance(verdict, Waiting) and verdict.unread and may_read:
        sha256 = read_checksums(model, verdict.unread, listing, platform)
        return decide(model, listing, platform.clock.now(), replace(known, sha256=sha256))
    if isinstance(verdict, Landed) and _is_being_deleted(model, verdict, platform, before):
        return Waiting(
            f"objects are gone since the data landed; write {model.dataset.landed.marker} again if that "
            "is how it shall be"
        )
    return verdict


def dataset_status(
    model: Model, verdict: Landed | Waiting, before: Mapping[str, Any], only: str = ""
) -> dict[str, Any]:
    """What the Model's status is to say of its dataset: the verdict, for people, and what has landed last,
    for the next look.

    Where each object is a dataset no look asks for that, and a status that named the newest would be written
    for each object. Who has looked at `only` one of them leaves what is said of all to those who look at all.
    """
    if only and before.get("state") == "Landed":
        return dict(before)
    if isinstance(verdict, Waiting):
        kept = {key: before[key] for key in ("digest", "marked") if key in before}
        return {"state": "Waiting", "reason": verdict.reason, **kept}
    objects = sum(len(one.objects) for one in verdict.datasets)
    shown = {"state": "Landed", "reason": f"{objects} objects"}
    if model.dataset.landed.when == "object":
        return shown
    return {
        **shown,
        "digest": verdict.datasets[0].digest,
        **({"marked": verdict.marked} if verdict.marked else {}),
    }


def _known(
    model: Model, listing: Sequence[ObjectInfo], platform: Platform, before: Mapping[str, Any]
) -> Known:
    """What the model's gate asks for, and no more: each costs a request."""
    match model.dataset.landed.when:
        case "quiet":
            rule = model.dataset.landed
            quiet_for = (
                platform.clock.now() - max((one.modified for one in listing), default=platform.clock.now())
            ).total_seconds()
            return (
                Known(landed=_landed_last(model, platform, before)[0]) if quiet_for < rule.quiet else Known()
            )
        case "manifest":
            manifest = next((one for one in listing if one.uri == last_uri(model)), None)
            if manifest is None or manifest.size > MOST_BYTES:
                return Known()
            return Known(
                manifest=platform.store.get(manifest.uri, etag=manifest.etag),
                sha256=known_checksums(model, platform),
            )
        case _:
            return Known()


def _is_being_deleted(model: Model, verdict: Landed, platform: Platform, before: Mapping[str, Any]) -> bool:
    """Whether a marker that has done its work stands over fewer objects: deleting ten files must not train
    nine datasets."""
    (dataset, *_) = verdict.datasets
    if not verdict.marked or dataset.digest == before.get("digest"):
        return False
    landed, marked = _landed_last(model, platform, before)
    if landed is None or marked < verdict.marked or not only_lost(dataset, landed):
        return False
    return not list(
        platform.store.list(dataset_uri(platform.settings.model_root, model.name, dataset.digest))
    )


def _landed_last(model: Model, platform: Platform, before: Mapping[str, Any]) -> tuple[Dataset | None, str]:
    """What has landed last, and when its marker was written, or else when it landed: as the status says, else
    the newest snapshot."""
    root = platform.settings.model_root
    if before.get("digest"):
        with suppress(NotFound):
            dataset = load_dataset(platform.store.get(dataset_uri(root, model.name, str(before["digest"]))))
            return dataset, str(before.get("marked") or "")
    snapshots = platform.store.list(join(root, "datasets", model.name, ""))
    newest = max(snapshots, key=lambda one: one.modified, default=None)
    return (
        (load_dataset(platform.store.get(newest.uri)), newest.modified.isoformat()) if newest else (None, "")
    )
