"""A killed training: whether it lacked memory, and the words for that."""

from collections.abc import Mapping
from typing import Any

from knoll.ports import Document
from knoll.quantities import in_words, parse_quantity

__all__ = ["asked_memory", "job_memory", "killed_words", "took_too_much"]


def asked_memory(pod: Mapping[str, Any]) -> int:
    """The bytes that the trainer of this Pod spec asks for; 0 if it asks for none."""
    for container in pod.get("containers") or []:
        resources = container.get("resources") or {}
        amounts = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
        return int(parse_quantity(amounts.get("memory", 0)))
    return 0


def job_memory(job: Document) -> int:
    """The bytes that a trainer of this Job asks for."""
    return asked_memory(job["spec"]["template"]["spec"])


def took_too_much(peak: int, asked: int) -> bool:
    """Whether a killed process that took `peak` bytes lacked memory: it had at least half of what it
    requested, or its peak is not known. Otherwise somebody killed it."""
    return not peak or (asked > 0 and 2 * peak >= asked)


def killed_words(asked: int, used: str) -> str:
    """The words for a training that was killed for lack of memory."""
    amount = in_words(asked) if asked else "no amount"
    return f"killed, probably out of memory: asked for {amount}, used {used}"
