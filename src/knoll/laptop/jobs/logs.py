"""The log files of Jobs: each attempt has one, the first NAME-0.log."""

import re
from pathlib import Path

__all__ = ["job_logs", "next_log"]


def job_logs(logs: Path, job: str) -> list[Path]:
    """The logs of a Job's attempts in the folder `logs`, the first attempt first."""
    pattern = re.compile(rf"{re.escape(job)}-(\d+)\.log")
    found = {int(match[1]): path for path in logs.glob("*.log") if (match := pattern.fullmatch(path.name))}
    return [found[number] for number in sorted(found)]


def next_log(logs: Path, job: str) -> Path:
    """Where the Job's next attempt writes."""
    return logs / f"{job}-{len(job_logs(logs, job))}.log"
