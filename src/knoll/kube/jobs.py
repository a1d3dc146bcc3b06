"""What the status of a Job says."""

from collections.abc import Mapping
from typing import Any

from knoll.ports import Document

__all__ = ["is_live", "job_failure"]


def is_live(job: Document) -> bool:
    """Whether a Job may still do something: it has neither completed nor failed."""
    return not any(_is_true(job, kind) for kind in ("Complete", "Failed"))


def job_failure(job: Document) -> str:
    """Why the Job has failed; "" if it has not."""
    condition = _is_true(job, "Failed")
    return (
        f"{condition.get('reason', 'Failed')}: {condition.get('message', 'the Job failed')}"
        if condition
        else ""
    )


def _is_true(job: Document, kind: str) -> Mapping[str, Any]:
    conditions = (job.get("status") or {}).get("conditions") or []
    return next((one for one in conditions if one.get("type") == kind and one.get("status") == "True"), {})
