"""Jobs are created here, and deleted when too many were created."""

from collections.abc import Iterable
from contextlib import suppress

from knoll.errors import AlreadyExists, Forbidden, NotFound, Rejected
from knoll.events import Event
from knoll.kube.ownership import owned
from knoll.ports import Document, Platform
from knoll.records.progress import BLOCKED
from knoll.records.run import Run
from knoll.train.ending import reject_run
from knoll.train.job import job_document
from knoll.train.turns import surplus
from knoll.train.waiting import note_waiting

__all__ = ["delete_surplus", "start_job"]


def start_job(run: Run, model: Document, event: Event, platform: Platform) -> None:
    """Create the Job, unless it is there.

    If the cluster will never take it, the run ends. If the cluster does not admit it now, the next sweep
    tries again.
    """
    try:
        platform.cluster.create(owned(job_document(run, platform.settings), model))
    except AlreadyExists:
        return
    except Forbidden as error:
        note_waiting(run.id, run.model, BLOCKED, str(error), event, platform)
    except Rejected as error:
        reject_run(run.id, str(error), event, platform)


def delete_surplus(jobs: Iterable[Document], platform: Platform) -> None:
    """Delete the later of two Jobs of a model, and new Jobs beyond the quota; their runs wait again.

    Such Jobs appear when two processes have seen different inboxes.
    """
    for name in surplus(jobs, platform.settings.quota, platform.clock.now()):
        with suppress(NotFound):
            platform.cluster.delete("Job", name)
