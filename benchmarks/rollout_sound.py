"""How often a sound candidate is rolled back, over all arms, with a decision at every request; and how
often one that fails 5 % of its requests is promoted."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from results import Goal
from rollout_page import Section, per_cent
from rollout_reports import Report, judge_reports, traffic
from rollout_rule import NEVER, Bools, Floats, Rule, judge
from rollout_size import Size

from knoll.rollout.evidence.arms import ArmName, find_arm

__all__ = ["boundary", "promoted", "sound"]

_REQUESTS = 1000  # of the candidate
_RATE = 10  # requests a second, or between two reports
_FALSE, _BAD = 0.005, 0.001
_SESSION = 20  # requests
_REPEATED = 10  # times, where small parts are compared with theory
_COLD = (0.2, 0.01)  # part of the cold requests of the candidate and of the champion
_BAD_OF_ARMS: Mapping[ArmName, float] = {
    "errors": 0.001,
    "latencyP95": 0.05,
    "latencyP50": 0.5,
    "refusals": 0.01,
}
_ERRORS = find_arm("errors")
Chance = np.random.Generator


@dataclass(frozen=True)
class _Traffic:
    """Requests of both sides, shaped (requests, runs): those of the candidate, and
    those that are bad for each arm."""

    of_candidate: Bools
    bad: Mapping[ArmName, Bools]


def sound(size: Size, chance: Chance) -> Section:
    """Sound candidates in all kinds of traffic."""
    section = Section(
        "Sound candidates that are rolled back by any arm", ("traffic", "share", "rolled back", "goal")
    )
    for base in (0.0, 0.001, 0.01, 0.05):
        for share in (0.05, 0.5):
            made = _plain(chance, _many(size, share), share, base)
            _add(section, f"base {100 * base:g} %", share, _rolled_back(made, share), _FALSE)
    for name, share, make, most in _odd():
        _add(section, name, share, _rolled_back(make(chance, _many(size, share), share), share), most)
    _add(
        section,
        "cold candidate, cold requests left out, by reports",
        0.05,
        _cold_by_reports(chance, size),
        0.0,
    )
    for share in (0.05, 0.5):
        reports = traffic(
            chance, size.runs, size.requests(_REQUESTS / share / _RATE), _RATE, share, (0.01, 0.01)
        )
        found = judge_reports(reports, _ERRORS.delta, 0.02, _ERRORS.fail_at)
        name = "base 1 %, errors alone, decided after each report"
        _add(section, name, share, (found.failed < NEVER).mean(), _FALSE)
    return section


def promoted(size: Size, chance: Chance) -> Section:
    """Candidates that fail 5 % of their requests, and pass before they are rolled back."""
    header = ("base", "share", "promoted", "goal", "rolled back")
    section = Section("Candidates with 5 % of failures that are promoted", header)
    for base in (0.0, 0.001, 0.01):
        for share in (0.05, 0.5):
            of_candidate = chance.random((size.requests(1600 / share), 5 * size.runs)) < share
            bad = chance.random(of_candidate.shape) < np.where(of_candidate, 0.05, base)
            found = judge(of_candidate, bad, Rule(_ERRORS.delta, 0.02, share), _ERRORS.fail_at)
            part = (found.passed < found.failed).mean()
            shown = (per_cent(part), per_cent(_BAD), per_cent((found.failed < NEVER).mean()))
            section.rows.append((f"{100 * base:g} %", f"{100 * share:g} %", *shown))
            name = f"part promoted that fails 5 %, base {100 * base:g} %, share {100 * share:g} %"
            section.goals.append(Goal(name, float(part), _BAD))
    return section


def boundary(size: Size, chance: Chance) -> Section:
    """How often the bounds are reached by candidates that are just so bad as the null hypotheses allow."""
    header = ("candidate, base 1 %", "share", "reached", "at most, by the theory")
    section = Section("Bounds that are reached within 1000 requests of the candidate, errors alone", header)
    margin = 0.02
    for share in (0.05, 0.5):
        for name, gap, bound in (
            ("E, worse by .25 pp", _ERRORS.delta, 0.0025),
            ("L, worse by 2 pp", margin, 0.01),
        ):
            parts = [_reached(_many(size, share), chance, share, gap, margin) for _ in range(_REPEATED)]
            part = float(np.mean(parts))
            section.rows.append((name, f"{100 * share:g} %", per_cent(part), per_cent(bound)))
    return section


def _reached(size: Size, chance: Chance, share: float, gap: float, margin: float) -> float:
    """The part of the runs in which the bound of E is reached, or that of L if the candidate is worse by the
    margin."""
    made = _plain(chance, size, share, 0.0)
    bad = chance.random(made.of_candidate.shape) < np.where(made.of_candidate, 0.01 + gap, 0.01)
    fail_at = np.inf if gap == margin else _ERRORS.fail_at
    found = judge(made.of_candidate, bad, Rule(_ERRORS.delta, margin, share), fail_at)
    return float(((found.passed if gap == margin else found.failed) < NEVER).mean())


def _odd() -> Iterator[tuple[str, float, Callable[[Chance, Size, float], _Traffic], float | None]]:
    """Traffic with a trap: its name, the share, how it is made, and the goal; none where the trap is
    walked into."""
    for share in (0.05, 0.5):
        yield "outages of both: 60 % fail for 2 % of the time", share, _outage, _FALSE
        yield "base drifts from .1 to 5 %", share, _drift, _FALSE
        yield "sticky sessions, one outcome each", share, _sessions, _FALSE
    yield "not our rule: cold requests counted", 0.05, _cold_counted, None
    yield "not our rule: sticky sessions judged by request", 0.5, _by_request, None


def _many(size: Size, share: float) -> Size:
    """More runs where each is short."""
    return replace(size, runs=5 * size.runs) if share > 0.25 else size


def _rolled_back(made: _Traffic, share: float) -> float:
    failed = np.zeros(made.of_candidate.shape[1], bool)
    for name, bad in made.bad.items():
        arm = find_arm(name)
        rule = Rule(arm.delta, arm.margin or 0.1, share)
        failed |= judge(made.of_candidate, bad, rule, arm.fail_at).failed < NEVER
    return float(failed.mean())


def _plain(chance: Chance, size: Size, share: float, base: float | Floats) -> _Traffic:
    of_candidate = chance.random((size.requests(_REQUESTS / share), size.runs)) < share
    latency = chance.random(of_candidate.shape)
    bad: dict[ArmName, Bools] = {
        "errors": chance.random(of_candidate.shape) < base,
        "latencyP95": latency > 0.95,
        "latencyP50": latency > 0.5,
        "refusals": chance.random(of_candidate.shape) < 0.01,
    }
    return _Traffic(of_candidate, bad)


def _outage(chance: Chance, size: Size, share: float) -> _Traffic:
    made = _plain(chance, size, share, 0.001)
    requests = len(made.of_candidate)
    is_out = np.repeat(chance.random((-(-requests // 100), size.runs)) < 0.02, 100, axis=0)[:requests]
    errors = made.bad["errors"] | (is_out & (chance.random(is_out.shape) < 0.6))
    return _Traffic(made.of_candidate, {**made.bad, "errors": errors})


def _drift(chance: Chance, size: Size, share: float) -> _Traffic:
    requests = size.requests(_REQUESTS / share)
    return _plain(chance, size, share, np.linspace(0.001, 0.05, requests)[:, None])


def _sessions(chance: Chance, size: Size, share: float) -> _Traffic:
    made = _plain(chance, size, share, 0.01)
    return _Traffic(made.of_candidate, {"errors": made.bad["errors"]})


def _by_request(chance: Chance, size: Size, share: float) -> _Traffic:
    """Each session counts as often as it has requests."""
    made = _sessions(chance, size, share)
    sessions = len(made.of_candidate) // _SESSION
    of_candidate = np.repeat(made.of_candidate[:sessions], _SESSION, axis=0)
    return _Traffic(of_candidate, {"errors": np.repeat(made.bad["errors"][:sessions], _SESSION, axis=0)})


def _cold_counted(chance: Chance, size: Size, share: float) -> _Traffic:
    """A candidate with so little traffic that it starts again for one request in five; the champion does for
    one in a hundred. Of the requests that wait for a start, 30 % fail, and all are slow."""
    made = _plain(chance, size, share, 0.001)
    is_cold = chance.random(made.of_candidate.shape) < np.where(made.of_candidate, *_COLD)
    errors = made.bad["errors"] | (is_cold & (chance.random(is_cold.shape) < 0.3))
    slow: dict[ArmName, Bools] = {
        "latencyP95": made.bad["latencyP95"] | is_cold,
        "latencyP50": made.bad["latencyP50"] | is_cold,
    }
    return _Traffic(made.of_candidate, {**made.bad, **slow, "errors": errors})


def _cold_by_reports(chance: Chance, size: Size) -> float:
    """The same candidate, with the cold requests left out of the reports on both sides. That changes the
    candidate's share, so it is not judged request by request."""
    failed = np.zeros(size.runs, bool)
    for name, bad in _BAD_OF_ARMS.items():
        arm = find_arm(name)
        reports = traffic(chance, size.runs, size.requests(_REQUESTS / 5), 100, 0.05, (1.0, 1.0))
        warm = _warm(reports, bad, chance)
        failed |= judge_reports(warm, arm.delta, arm.margin or 0.1, arm.fail_at).failed < NEVER
    return float(failed.mean())


def _warm(reports: Iterator[Report], bad: float, chance: Chance) -> Iterator[Report]:
    for candidate, _, champion, _ in reports:
        warm, beside = (
            chance.binomial(one, 1 - part) for one, part in zip((candidate, champion), _COLD, strict=True)
        )
        yield warm, chance.binomial(warm, bad), beside, chance.binomial(beside, bad)


def _add(section: Section, name: str, share: float, part: float, most: float | None) -> None:
    goal = "" if most is None else per_cent(most)
    section.rows.append((name, f"{100 * share:g} %", per_cent(part), goal))
    if most is not None:
        what = f"part of sound candidates rolled back, {name}, share {100 * share:g} %"
        section.goals.append(Goal(what, float(part), most))
