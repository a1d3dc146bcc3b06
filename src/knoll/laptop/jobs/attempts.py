"""What to do next with a Job: a pure function of its document, its present attempt and the time.

The rules are those of the Kubernetes Job controller for one Pod at a time: back-off limit, pod failure
policy, deadline, clean-up after the end. An attempt is what a Pod is on a cluster. Exit code PREEMPTED stands
for an eviction: the process ended because it was asked to, so its attempt has the condition DisruptionTarget.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from knoll.exits import KILLED, PREEMPTED
from knoll.kube.killed import job_memory, killed_words, took_too_much
from knoll.ports import Document
from knoll.quantities import in_words

__all__ = [
    "Action",
    "Fail",
    "JobAttempt",
    "JobWait",
    "Obstacle",
    "Remove",
    "Retry",
    "Start",
    "Succeed",
    "Terminate",
    "next_action",
]

_DEFAULT_BACKOFF_LIMIT = 6


@dataclass(frozen=True)
class JobAttempt:
    """The present attempt: it runs, or it has ended with `exit_code`, or there is none. The next one must not
    start before `not_before`. `peak` is the most memory that its processes took, in bytes; 0 if unknown."""

    is_running: bool = False
    exit_code: int | None = None
    not_before: datetime | None = None
    peak: int = 0


@dataclass(frozen=True)
class Obstacle:
    """Why an attempt cannot start. `reason` is one word, as Kubernetes has for a Pod."""

    reason: str
    message: str


@dataclass(frozen=True)
class Start:
    """Start an attempt."""


@dataclass(frozen=True)
class JobWait:
    """Do nothing until then, or until something changes. `obstacle` says why no attempt runs."""

    until: datetime | None = None
    obstacle: Obstacle | None = None
    is_running: bool = False


@dataclass(frozen=True)
class Terminate:
    """End the running attempt: the deadline has passed, or the Job is suspended or over."""


@dataclass(frozen=True)
class Retry:
    """The attempt has failed: try again after the back-off. `is_counted` says whether the failure counts
    against the back-off limit."""

    is_counted: bool


@dataclass(frozen=True)
class Succeed:
    """The Job is complete."""


@dataclass(frozen=True)
class Fail:
    """The Job has failed for good. `is_counted` says whether an attempt has just failed, `exit_code` how that
    attempt ended, and `lacked_memory` whether it was killed because it lacked memory."""

    reason: str
    message: str
    is_counted: bool = True
    exit_code: int | None = None
    lacked_memory: bool = False


@dataclass(frozen=True)
class Remove:
    """The Job has been over for longer than its ttlSecondsAfterFinished."""


Action = Start | JobWait | Terminate | Retry | Succeed | Fail | Remove


def next_action(
    job: Document, attempt: JobAttempt, now: datetime, obstacle: Obstacle | None = None
) -> Action:
    """What to do now. `obstacle` says why no attempt can start, if there is a reason."""
    spec, status = job["spec"], job.get("status") or {}
    over_since = _over_since(status)
    if over_since is not None:
        return _after_the_end(spec, attempt, over_since, now)
    if attempt.exit_code == 0:
        return Succeed()
    deadline = _deadline(spec, status)
    if deadline is not None and now >= deadline:
        is_counted = attempt.exit_code is not None
        message = "Job was active longer than specified deadline"
        return Terminate() if attempt.is_running else Fail("DeadlineExceeded", message, is_counted)
    if spec.get("suspend"):
        return _while_suspended(attempt)
    if attempt.exit_code is not None:
        return _after_a_failure(job, attempt, attempt.exit_code)
    if attempt.is_running:
        return JobWait(deadline, is_running=True)
    if attempt.not_before is not None and now < attempt.not_before:
        return JobWait(attempt.not_before)
    return JobWait(deadline, obstacle) if obstacle else Start()


def _after_the_end(
    spec: Mapping[str, Any], attempt: JobAttempt, over_since: datetime, now: datetime
) -> Action:
    if attempt.is_running:
        return Terminate()
    ttl = spec.get("ttlSecondsAfterFinished")
    if ttl is None:
        return JobWait()
    end = over_since + timedelta(seconds=ttl)
    return Remove() if now >= end else JobWait(end)


def _while_suspended(attempt: JobAttempt) -> Action:
    if attempt.is_running:
        return Terminate()
    if attempt.exit_code is not None:
        return Retry(is_counted=False)
    return JobWait(obstacle=Obstacle("JobSuspended", "Job suspended"))


def _after_a_failure(job: Document, attempt: JobAttempt, exit_code: int) -> Action:
    spec = job["spec"]
    for index, rule in enumerate((spec.get("podFailurePolicy") or {}).get("rules") or []):
        if not _matches(rule, exit_code) or _was_killed_by_somebody(job, attempt):
            continue
        if rule["action"] == "FailJob":
            shortage = _memory_words(job, attempt)
            message = "; ".join([*shortage, _policy_message(job, exit_code, index)])
            return Fail("PodFailurePolicy", message, exit_code=exit_code, lacked_memory=bool(shortage))
        if rule["action"] == "Ignore":
            return Retry(is_counted=False)
        break
    failed = (job.get("status") or {}).get("failed", 0) + 1
    if failed > spec.get("backoffLimit", _DEFAULT_BACKOFF_LIMIT):
        return Fail(
            "BackoffLimitExceeded",
            f"Job has reached the specified backoff limit; the last exit code is {exit_code}",
            exit_code=exit_code,
        )
    return Retry(is_counted=True)


def _was_killed_by_somebody(job: Document, attempt: JobAttempt) -> bool:
    """A cluster kills only for memory; on a laptop a user may, and then another try can help."""
    return attempt.exit_code == KILLED and not took_too_much(attempt.peak, job_memory(job))


def _memory_words(job: Document, attempt: JobAttempt) -> list[str]:
    if attempt.exit_code != KILLED:
        return []
    return [killed_words(job_memory(job), in_words(attempt.peak) if attempt.peak else "an unknown amount")]


def _matches(rule: Mapping[str, Any], exit_code: int) -> bool:
    codes = rule.get("onExitCodes")
    if codes is not None:
        return bool((exit_code in codes["values"]) == (codes["operator"] == "In"))
    conditions = rule.get("onPodConditions") or []
    is_disrupted = any(
        one["type"] == "DisruptionTarget" and one.get("status", "True") == "True" for one in conditions
    )
    return exit_code == PREEMPTED and is_disrupted


def _policy_message(job: Document, exit_code: int, index: int) -> str:
    metadata = job["metadata"]
    container = job["spec"]["template"]["spec"]["containers"][0].get("name", "")
    pod = f"{metadata.get('namespace', 'default')}/{metadata['name']}"
    ended = f"Container {container} for pod {pod} failed with exit code {exit_code}"
    return f"{ended} matching FailJob rule at index {index}"


def _deadline(spec: Mapping[str, Any], status: Mapping[str, Any]) -> datetime | None:
    seconds, started = spec.get("activeDeadlineSeconds"), status.get("startTime")
    return (
        None
        if seconds is None or started is None
        else datetime.fromisoformat(started) + timedelta(seconds=seconds)
    )


def _over_since(status: Mapping[str, Any]) -> datetime | None:
    for one in status.get("conditions") or []:
        if one["type"] in ("Complete", "Failed") and one["status"] == "True":
            return datetime.fromisoformat(one["lastTransitionTime"])
    return None
