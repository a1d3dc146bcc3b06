"""Whether there is room for a version beside the champion. Pure.

Only the ResourceQuotas of the namespace count: a Pod that they forbid is not created, whatever nodes there
are. Nodes are not read. The scheduler knows them better, and a cluster adds nodes only when a Pod waits.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from knoll.errors import Rejected
from knoll.models import Model
from knoll.ports import Document
from knoll.quantities import PREDICTOR_RESOURCES, counted, in_words, parse_quantity

__all__ = ["NoRoom", "count_awake", "find_no_room", "read_no_room", "told_since", "waits_for_room"]

_SCOPES = {"NotTerminating", "NotBestEffort"}  # of quotas that count a predictor's Pod
_RAISE = "raise the quota, or lower spec.serving.resources"
_ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True)
class NoRoom:
    """The `version` that cannot start, why, what ends that, and since when."""

    version: str
    reason: str
    fix: str
    since: str


def find_no_room(
    model: Model, version: str, champion: str, pods: Iterable[Document], quotas: Iterable[Document]
) -> NoRoom | None:
    """Why the version cannot start now, without its time; None if it can. `pods` are those of the champion.

    With the strategy `availability`, a champion that sleeps must find room to wake up, too. With `resource`
    it must sleep.
    """
    awake, least = count_awake(pods), max(1, model.serving.min_replicas)
    if model.rollout.strategy == "resource" and champion and awake:
        reason = f"{champion} is awake, and with the strategy resource one version runs at a time"
        return NoRoom(version, reason, _sleep(version, champion), "")
    is_beside = champion and model.rollout.strategy == "availability"
    reserved = max(0, least - awake) if is_beside else 0
    lacking = "; ".join(_lacking(model, least + reserved, quotas))
    if not lacking:
        return None
    who = f"{counted(least, 'replica')} of {version}"
    who += f" and {reserved} of {champion}, which sleeps," if reserved else ""
    may_turn = is_beside and least == 1
    fix = f"{_RAISE}, or set rollout.strategy: resource" if may_turn else _RAISE
    verb = "needs" if least + reserved == 1 else "need"
    return NoRoom(version, f"{who} {verb} {lacking}", fix, "")


def count_awake(pods: Iterable[Document]) -> int:
    """How many of the Pods hold what they have asked for, or wait for it."""
    return sum((one.get("status") or {}).get("phase") not in _ENDED for one in pods)


def waits_for_room(pods: Iterable[Document]) -> bool:
    """Whether one of the Pods has not started yet: requests wait for it."""
    return any(
        (one.get("status") or {}).get("phase") == "Pending" and "deletionTimestamp" not in one["metadata"]
        for one in pods
    )


def read_no_room(found: Mapping[str, Any] | None) -> NoRoom | None:
    """What a version lacks, in a status; None for nothing."""
    if not found or not found.get("version"):
        return None
    return NoRoom(*(str(found.get(name) or "") for name in ("version", "reason", "fix", "since")))


def told_since(found: NoRoom | None, before: NoRoom | None, at: str) -> NoRoom | None:
    """What is found, with the time since when the version waits: `at` if it did not wait before."""
    if found is None:
        return None
    return replace(found, since=before.since if before and before.version == found.version else at)


def _sleep(version: str, champion: str) -> str:
    return f"{version} starts when {champion} has had no requests for a while"


def _lacking(model: Model, replicas: int, quotas: Iterable[Document]) -> Iterator[str]:
    """What so many replicas need and the quotas have not left, in words."""
    wanted = _asked(model)
    for quota in filter(_counts, quotas):
        status = quota.get("status") or {}
        hard, used = status.get("hard") or {}, status.get("used") or {}
        for name in sorted(hard.keys() & wanted.keys()):
            most, taken = (_amount(one) for one in (hard[name], used.get(name, 0)))
            need = wanted[name] * replicas
            if most is not None and taken is not None and taken + need > most:
                left = _words(name, max(most - taken, Decimal(0)))
                of = f"the quota {quota['metadata']['name']} has {left} of {_words(name, most)} left"
                yield f"{_words(name, need)} of {name}, and {of}"


def _asked(model: Model) -> Mapping[str, Decimal]:
    """What one replica takes, under the names that quotas have for it. Its sidecar is not counted."""
    resources = {**PREDICTOR_RESOURCES, **model.serving.resources}
    asked = {"pods": Decimal(1), "count/pods": Decimal(1)}
    for name, quantity in resources.items():
        amount = parse_quantity(quantity)
        asked |= {name: amount, f"requests.{name}": amount}
        asked |= {} if name == "cpu" else {f"limits.{name}": amount}
    return asked


def _counts(quota: Document) -> bool:
    """Whether the quota counts the Pod of a predictor, as far as its scopes say."""
    spec = quota.get("spec") or {}
    selected = (spec.get("scopeSelector") or {}).get("matchExpressions") or []
    scopes = {*(spec.get("scopes") or []), *(one.get("scopeName") for one in selected)}
    return scopes <= _SCOPES


def _amount(quantity: Any) -> Decimal | None:
    """A quantity of a quota; None if it is written in a way that knoll does not know."""
    with suppress(Rejected):
        return parse_quantity(quantity)
    return None


def _words(name: str, amount: Decimal) -> str:
    is_size = "memory" in name or "storage" in name
    return in_words(int(amount)) if is_size else f"{amount.normalize():f}"
