"""Visitors who stay: sound candidates that are rolled back, and faults that begin late, by the first outcomes
of sessions alone, and with late ones.

400 visitors ask every 20 s, for half an hour. The candidate gets 5, 25 and 50 % of them, for ten minutes
each, so that its sessions are younger than the champion's. A report comes every two seconds. The sessions are
those of `knoll.predict.sessions`, for many runs at once.

Measured with 2,000 runs of each kind of sound candidates, and 400 of each fault, seed 1: 0 of 8,000 sound
candidates are rolled back by first outcomes, and 0 of 8,000 with late ones (below .05 %, with 95 %
confidence). A fault after 15 minutes is never found by first outcomes. With late ones, a candidate whose
requests all fail is found in 8 s (median; 12 s at p95), half of them in 22 s (34), a fifth in 66 s (114).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from results import Goal
from rollout_page import Section, per_cent
from rollout_reports import Report, judge_reports
from rollout_rule import NEVER, Bools, Floats, Ints
from rollout_size import Size

from knoll.rollout.evidence.arms import ArmName, find_arm

__all__ = ["sessions"]

_VISITORS, _EVERY, _REPORT = 400, 20.0, 2.0  # the last two in seconds
_SHARES, _STEP = (0.05, 0.25, 0.5), 600.0  # seconds
_BEGINS = 900.0  # seconds, when a late fault begins
_APART = 60.0  # seconds between two outcomes of a session
_FALSE = 0.005
_LATE = {1.0: 30.0, 0.5: 60.0, 0.2: 180.0}  # part of the requests that fail, and the most seconds at p95
_NEVER_SECONDS = 1e9
_MORE = 5  # times as many runs of sound candidates
Chance = np.random.Generator
Asked = tuple[Bools, Bools]  # requests of a moment, and those of them that fail; shaped (runs, visitors)
Fails = Callable[[float, Bools], Floats]  # when, and who is the candidate's: the rates of failure


@dataclass
class _Sessions:
    """The sessions of all visitors with the version that answers them."""

    last: Floats  # outcome, in seconds; -infinity before the first one
    is_over: Bools

    def outcomes(self, now: float, asks: Bools, fails: Bools) -> tuple[Bools, Bools]:
        """Which requests are the first outcomes of their sessions, and which are late ones."""
        first = asks & (self.last < 0)
        late = asks & ~first & ~self.is_over & (now - self.last >= _APART)
        self.last[first | late] = now
        self.is_over |= (first | late) & fails
        return first, late

    def begin(self, who: Bools) -> None:
        """Begin anew, with another version."""
        self.last[who], self.is_over[who] = -np.inf, False


def sessions(size: Size, chance: Chance) -> Section:
    """Sound candidates in all kinds of visits, and faults that begin late."""
    header = ("visitors", "first outcomes alone", "and late ones", "by request, not our rule")
    about = "Visitors who stay: rolled back; of faults also the seconds until then, median / p95"
    section = Section(about, header)
    many = Size(_MORE * size.runs, size.length)
    for name, fails in _sound(many, chance).items():
        found = _judged(many, fails, chance)
        section.rows.append((name, *(per_cent((one < NEVER).mean()) for one in found)))
        part = float((found[1] < NEVER).mean())
        section.goals.append(Goal(f"part of sound candidates rolled back, {name}", part, _FALSE))
    for part, most in _LATE.items():
        found = _judged(size, _late_fault(part), chance)
        name = f"{100 * part:g} % of the candidate's requests fail after 15 minutes"
        section.rows.append((name, *(_shown(one) for one in found)))
        seconds = _seconds(found[1], 0.95)
        section.goals.append(Goal(f"seconds until a late fault is found, at p95, {name}", seconds, most))
    return section


def _sound(size: Size, chance: Chance) -> dict[str, Fails]:
    shape = (size.runs, _VISITORS)
    weak = np.where(chance.random(shape) < 0.05, 0.5, 0.001)
    always = np.where(chance.random(shape) < 0.02, 1.0, 0.001)
    minutes = int(len(_SHARES) * _STEP / 60) + 1
    in_burst = chance.random((minutes, *shape)) < 0.01
    return {
        "all alike, 1 % of requests fail": lambda *_: np.full(shape, 0.01),
        "one in 50 always fails": lambda *_: always,
        "one in 20 fails half of the time": lambda *_: weak,
        "each fails 60 % in 1 % of its minutes": lambda now, _: 0.6 * in_burst[int(now / 60)],
    }


def _late_fault(part: float) -> Fails:
    return lambda now, is_candidate: np.where(is_candidate & (now >= _BEGINS), part, 0.001)


def _judged(size: Size, fails: Fails, chance: Chance) -> tuple[Ints, Ints, Ints]:
    """The number of the report after which the candidate is rolled back: by first outcomes, by late ones,
    too, and by requests."""
    first, late, every = zip(*_reports(size, fails, chance), strict=True)
    errors, requests = (_failed_at("errors", reports) for reports in (first, every))
    return errors, np.minimum(errors, _failed_at("lateErrors", late)), requests


def _failed_at(name: ArmName, reports: tuple[Report, ...]) -> Ints:
    arm = find_arm(name)
    return judge_reports(reports, arm.delta, arm.margin or 0.1, arm.fail_at).failed_at


def _reports(size: Size, fails: Fails, chance: Chance) -> Iterator[tuple[Report, Report, Report]]:
    """Reports on first outcomes, on late ones, and on all requests."""
    shape = (size.runs, _VISITORS)
    points, is_candidate = chance.random(shape), np.zeros(shape, bool)
    known = _Sessions(np.full(shape, -np.inf), np.zeros(shape, bool))
    for number in range(size.requests(len(_SHARES) * _STEP / _REPORT)):
        now = number * _REPORT
        before, is_candidate = is_candidate, points < _SHARES[int(now / _STEP)]
        known.begin(is_candidate != before)
        asks = chance.random(shape) < _REPORT / _EVERY
        failing = asks & (chance.random(shape) < fails(now, is_candidate))
        first, late = known.outcomes(now, asks, failing)
        by_first, by_late, each = (_report(one, failing, is_candidate) for one in (first, late, asks))
        yield by_first, by_late, each


def _report(asked: Bools, failing: Bools, is_candidate: Bools) -> Report:
    mine, theirs = asked & is_candidate, asked & ~is_candidate
    counts = (one.sum(1) for one in (mine, mine & failing, theirs, theirs & failing))
    candidate, bad, champion, champion_bad = counts
    return candidate, bad, champion, champion_bad


def _shown(failed_at: Ints) -> str:
    """How soon it is found."""
    found = (_seconds(failed_at, part) for part in (0.5, 0.95))
    return " / ".join(f"{one:.0f} s" if one < _NEVER_SECONDS else "never" for one in found)


def _seconds(failed_at: Ints, part: float) -> float:
    """The seconds that this part of the runs do not exceed until the fault is found."""
    last = np.quantile(failed_at, part, method="inverted_cdf")
    return float(last + 1) * _REPORT - _BEGINS if last < NEVER else _NEVER_SECONDS
