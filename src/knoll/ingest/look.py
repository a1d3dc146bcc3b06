"""Looking at the bucket: the listing and the snapshots of before, and what is decided over them. Whoever looks decides the same."""

from collections.abc import Sequence

from knoll.ingest.landed import Landed, Waiting, decide, marked_at, only_lost
from knoll.models import Model
from knoll.names import dataset_uri, join
from knoll.ports import ObjectInfo, Platform
from knoll.runs import load_dataset

__all__ = ["look"]


def look(model: Model, platform: Platform, only: str = "") -> Landed | Waiting:
    """Whether the model's data is complete; `only` is the URI of one object, with the gate `object`.

    The model bucket is no data: what knoll writes there would train the next version, which writes again.
    """
    if model.dataset.uri.startswith(join(platform.settings.model_root, "")):
        return Waiting(f"{platform.settings.model_bucket} is the bucket of models: keep data in another one")
    listing = list(platform.store.list(only or model.dataset.uri))
    snapshots = list(platform.store.list(join(platform.settings.model_root, "datasets", model.name, "")))
    verdict = decide(model, listing, platform.clock.now(), max((one.modified for one in snapshots), default=None))
    if isinstance(verdict, Landed) and _is_being_deleted(model, verdict, listing, snapshots, platform):
        return Waiting(f"objects are gone since the data landed; write {model.dataset.landed.marker} again if that is how it shall be")
    return verdict


def _is_being_deleted(
    model: Model, verdict: Landed, listing: Sequence[ObjectInfo], snapshots: Sequence[ObjectInfo], platform: Platform
) -> bool:
    """Whether a marker that has done its work stands over fewer objects: deleting ten files must not train nine datasets."""
    marked = marked_at(model, listing)
    newest = max(snapshots, key=lambda one: one.modified, default=None)
    if marked is None or newest is None or newest.modified < marked:
        return False
    (dataset,) = verdict.datasets
    if dataset_uri(platform.settings.model_root, model.name, dataset.digest) in {one.uri for one in snapshots}:
        return False
    return only_lost(dataset, load_dataset(platform.store.get(newest.uri)))
