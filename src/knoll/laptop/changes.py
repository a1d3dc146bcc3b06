"""Changes of documents as events, as Knative's ApiServerSource sends them on a cluster."""

import uuid
from datetime import datetime

from knoll.events import OBJECT_CHANGED, Event
from knoll.ports import Document

__all__ = ["object_changed"]

_RESOURCES = {"Job": "jobs", "InferenceService": "inferenceservices", "Model": "models"}


def object_changed(document: Document, time: datetime) -> Event:
    """The event that says that `document` has changed: the object as data, and what it is as extension attributes."""
    metadata = document["metadata"]
    version, kind, name = document["apiVersion"], document["kind"], metadata["name"]
    namespace = metadata.get("namespace", "default")
    return Event(
        id=str(uuid.uuid4()),
        source="/knoll/laptop",
        type=OBJECT_CHANGED,
        time=time.isoformat(),
        subject=f"/apis/{version}/namespaces/{namespace}/{_RESOURCES[kind]}/{name}",
        data=document,
        extensions={"apiversion": version, "kind": kind, "name": name, "namespace": namespace},
    )
