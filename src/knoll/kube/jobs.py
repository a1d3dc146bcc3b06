"""What the status of a Job says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from knoll.ports import Document

__all__ = ["TrainerEnd", "is_live", "job_failure"]


@dataclass(frozen=True)
class TrainerEnd:
    """How a trainer ended: in words, by its exit code if that is known, and whether it was killed for want of
    memory."""

    words: str
    exit_code: int | None = None
    lacked_memory: bool = False


def is_live(job: Document) -> bool:
    """Whether a Job may still do something: it has neither completed nor failed."""
    return not any(_is_true(job, kind) for kind in ("Complete", "Failed"))


def job_failure(job: Document) -> TrainerEnd | None:
    """How the Job has failed; None if it has not. A laptop has no Pods, so its Job says the exit code, too,
    and whether memory was lacking."""
    found = _is_true(job, "Failed")
    words = f"{found.get('reason', 'Failed')}: {found.get('message', 'the Job failed')}"
    return TrainerEnd(words, found.get("exitCode"), found.get("lackedMemory", False)) if found else None


def _is_true(job: Document, kind: str) -> Mapping[str, Any]:
    conditions = (job.get("status") or {}).get("conditions") or []
    return next((one for one in conditions if one.get("type") == kind and one.get("status") == "True"), {})
