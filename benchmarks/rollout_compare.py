"""The same traffic through knoll's rule, decided after each report, and through the rules of peers."""

from collections.abc import Callable, Mapping

import numpy as np
from results import Goal
from rollout_page import Section, per_cent
from rollout_peers import PEERS, Decided, Reports
from rollout_reports import judge_reports, traffic
from rollout_rule import NEVER, Ints
from rollout_size import Size

from knoll.rollout.evidence.arms import find_arm

__all__ = ["compare"]

_SHARE = 0.05
_OURS = "knoll"
_ERRORS = find_arm("errors")
_CASES = {  # seconds, requests a second, champion's and candidate's rate of failure
    "no traffic": (2400, 0.0, (0.0, 0.0)),
    "sound, base 0 %, .2 requests/s": (2400, 0.2, (0.0, 0.0)),
    "sound, base 0 %, 10/s": (2400, 10.0, (0.0, 0.0)),
    "sound, base 1 %, 1/s": (2400, 1.0, (0.01, 0.01)),
    "sound, base 1 %, 10/s": (2400, 10.0, (0.01, 0.01)),
    "sound, base 1 %, 100/s": (2400, 100.0, (0.01, 0.01)),
    "5 % fail, 1/s": (2400, 1.0, (0.001, 0.05)),
    "5 % fail, 10/s": (2400, 10.0, (0.001, 0.05)),
    "5 % fail, 100/s": (2400, 100.0, (0.001, 0.05)),
    "100 % fail, 1/s": (2400, 1.0, (0.001, 1.0)),
    "100 % fail, 10/s": (2400, 10.0, (0.001, 1.0)),
    "100 % fail, 100/s": (2400, 100.0, (0.001, 1.0)),
}


def compare(size: Size, chance: np.random.Generator) -> Section:
    """Rolled back, promoted, and failed requests of the candidate until then, for each rule. Goals: where
    all requests fail, knoll serves a tenth of the failures that Flagger serves."""
    about = (
        f"The same traffic by five rules, share {100 * _SHARE:g} %, 40 minutes: rolled back / promoted / "
        "failed requests until then (mean)"
    )
    rules: Mapping[str, Callable[[Reports], Decided]] = {_OURS: _knoll, **PEERS}
    section = Section(about, ("candidate", *rules))
    for name, (seconds, rate, bad) in _CASES.items():
        reports = _made(chance, size, seconds, rate, bad)
        decided = {rule: decide(reports) for rule, decide in rules.items()}
        served = {rule: _failures(reports, one).mean() for rule, one in decided.items()}
        shown = (_shown(decided[rule], served[rule]) for rule in rules)
        section.rows.append((name, *shown))
        if bad[1] == 1:
            section.goals += [_goal(name, served, peer) for peer in PEERS if peer.startswith("Flagger")]
    return section


def _goal(name: str, served: Mapping[str, float], peer: str) -> Goal:
    what = f"failed requests served, as a part of those of {peer}, {name}"
    return Goal(what, float(served[_OURS] / max(served[peer], 1e-9)), 0.1)


def _made(
    chance: np.random.Generator, size: Size, seconds: int, rate: float, bad: tuple[float, float]
) -> Reports:
    made = list(traffic(chance, size.runs, size.requests(seconds), rate, _SHARE, bad))
    candidate, candidate_bad, champion, champion_bad = (np.array(one) for one in zip(*made, strict=True))
    return candidate, candidate_bad, champion, champion_bad


def _knoll(reports: Reports) -> Decided:
    """Errors alone: they fail, or pass with at least 100 requests."""
    found = judge_reports(zip(*reports, strict=True), _ERRORS.delta, 0.02, _ERRORS.fail_at, until_passed=True)
    has_failed = found.failed_at < found.passed_at
    return Decided(np.where(has_failed, found.failed_at, NEVER), np.where(has_failed, NEVER, found.passed_at))


def _failures(reports: Reports, decided: Decided) -> Ints:
    """Failed requests of the candidate until it is rolled back; in all the time if it is not."""
    failures = reports[1].cumsum(0)
    at = np.minimum(decided.rolled_back, len(failures) - 1)
    served: Ints = failures[at, np.arange(failures.shape[1])]
    return served


def _shown(decided: Decided, served: float) -> str:
    parts = (per_cent((when < NEVER).mean()) for when in (decided.rolled_back, decided.promoted))
    return " / ".join((*parts, f"{served:.0f}" if served >= 100 else f"{served:.3g}"))
