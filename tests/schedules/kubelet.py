"""What the Job controller writes when a Pod of a Job has ended: the laptop's own rules for it."""

from datetime import datetime

from knoll.errors import NotFound
from knoll.kube.jobs import is_live
from knoll.laptop.jobs.attempts import Action
from knoll.laptop.jobs.status import status_after
from knoll.ports import Cluster, Document

__all__ = ["note"]


def note(cluster: Cluster, job: Document, action: Action, now: datetime) -> Document | None:
    """Write what has become of the Job; None when it has gone, or was over before: then its Pod was a
    zombie."""
    try:
        found = cluster.get("Job", job["metadata"]["name"])
    except NotFound:
        return None
    if found["metadata"]["uid"] != job["metadata"]["uid"] or not is_live(found):
        return None
    return cluster.update({**found, "status": status_after(found, action, now)}, status=True)
