"""Decides which Revision answers a request, and which one gets a copy. Pure, but for the chance it is given.

The newest Revision has the points from 0 up to its percentage, the older one has the rest. So while the share
of the newest grows, no visitor goes back to the older one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from knoll.router.points import Points
from knoll.router.policy import RoutingPolicy
from knoll.router.targets import Target
from knoll.router.visitor import Visitor, find_visitor

__all__ = ["Choice", "choose"]

_SESSION_DIGITS = 32


@dataclass(frozen=True)
class Choice:
    """Who answers, who gets a copy, and the session of the visitor, "" if there is none."""

    answers: Target
    copied_to: Target | None = None
    session: str = ""


def choose(
    policy: RoutingPolicy,
    targets: Sequence[Target],
    headers: Mapping[str, str],
    points: Points,
    chance: Callable[[], float],
) -> Choice | None:
    """What becomes of a request with these headers, whose names are in lower case. The newest Revision is the
    first target. Without a visitor, `points` decide who answers, and `chance`, numbers from 0 up to 1, who
    gets a copy. None if no target has traffic."""
    if not any(one.percent for one in targets):
        return None
    visitor = find_visitor(policy.model, policy.sticky, headers) if policy.sticky else None
    point = visitor.point if visitor else points.next(policy.model, targets[0].revision)
    answers = _at(point, targets)
    copied_to = _copied_to(policy, targets, answers, visitor, chance)
    return Choice(answers, copied_to, _session(visitor, targets[0]) if visitor else "")


def _session(visitor: Visitor, newest: Target) -> str:
    """The session of a visitor while that Revision is the newest. So each trial starts new sessions for both
    versions. Predictors judge the beginning of a session, and the champion's would have begun long ago."""
    return sha256(f"{visitor.session}\n{newest.revision}".encode()).hexdigest()[:_SESSION_DIGITS]


def _at(point: float, targets: Sequence[Target]) -> Target:
    """The target that has the point; the percentages need not make 100."""
    whole, end = sum(one.percent for one in targets), 0
    for one in targets:
        end += one.percent
        if point * whole < end * 100:
            return one
    raise AssertionError("unreachable")


def _copied_to(
    policy: RoutingPolicy,
    targets: Sequence[Target],
    answers: Target,
    visitor: Visitor | None,
    chance: Callable[[], float],
) -> Target | None:
    """Who gets a copy: with `shadow`, the newest Revision while it has no traffic; with `compare`, the other
    Revision with traffic. Of a visitor, all requests are copied or none: else sessions of the newest Revision
    would have fewer requests than those of the older one."""
    others = [one for one in targets if one.revision != answers.revision]
    if policy.shadow and not targets[0].percent:
        part, other = policy.shadow, next((one for one in others if one == targets[0]), None)
    else:
        part, other = policy.compare, next((one for one in others if one.percent), None)
    if other is None or not part:
        return None
    point = visitor.point if visitor else chance() * 100
    return other if point < part else None
