"""How many requests of a bad candidate are served until it is rolled back, and how many a good one needs
to pass."""

from itertools import product

import numpy as np
from results import Goal
from rollout_page import Section
from rollout_reports import judge_reports, traffic
from rollout_rule import NEVER, Bools, Ints, Rule, judge
from rollout_size import Size

from knoll.rollout.evidence.arms import SUSPICION, find_arm
from knoll.rollout.evidence.one_sample import OneSample

__all__ = ["candidate_requests", "faults", "late_fault", "passes"]

SHARES = (0.05, 0.25, 0.5)
RATE = 10  # requests a second, where reports are judged
_ERRORS = find_arm("errors")
_BUDGET = 40_000  # requests of a run that is not repeated more often
_HISTORY = 1000  # requests of the champion before, for bets only
_SPREAD = 0.5  # sigma of the logarithm of latency
_FAULTS = {  # champion's and candidate's rate of failure, and the most requests at p95 for each share
    "100 % fail": ((0.01, 1.0), (4, 6, 10)),
    "50 %": ((0.01, 0.5), (15, 23, 35)),
    "20 %": ((0.01, 0.2), (60, 80, 125)),
    "10 %": ((0.01, 0.1), (175, 240, 350)),
    "5 % against 1 %": ((0.01, 0.05), (600, 850, 1300)),
    "5 % against .1 %": ((0.001, 0.05), (260, 320, 530)),
}
_SLOW = {"latency x 2": (2.0, (50, 65, 100)), "latency x 1.2": (1.2, (1200, 1500, 2400))}
_PASSES = {  # margin, base, and the most requests to pass for a share of 5 %, at the median
    (0.02, 0.0): 231,
    (0.02, 0.001): 240,
    (0.02, 0.01): 510,
    (0.05, 0.0): 91,
    (0.05, 0.001): 92,
    (0.05, 0.01): 125,
}


def faults(size: Size, chance: np.random.Generator) -> Section:
    """Each fault at each share: decided at every request, and after each report."""
    about = "Requests of the candidate until it is rolled back, median / p95"
    section = Section(about, ("candidate", "share", "at every request", "goal at p95", "by reports"))
    for (name, (bad, most)), number in product(_FAULTS.items(), range(3)):
        share = SHARES[number]
        served = _served(bad, share, _many(size, 3 * most[number] / share), chance)
        reports = _by_reports(bad, share, (3 * most[number] + 100) / share, size, chance)
        _add(section, name, share, served, most[number], _shown(reports))
    for (name, (factor, most)), number in product(_SLOW.items(), range(3)):
        share = SHARES[number]
        served = _slow_served(factor, share, _many(size, 3 * most[number] / share), chance)
        _add(section, name, share, served, most[number], "")
    return section


def late_fault(size: Size, chance: np.random.Generator) -> Section:
    """A fault after 1000 good requests, and one in the bake."""
    about = "Requests of the candidate until a late fault is found, median / p95"
    section = Section(about, ("fault", "requests", "goal at p95"))
    share, before = 0.05, 1000
    of_candidate = chance.random((size.requests((before + 300) / share), size.runs)) < share
    is_late = of_candidate.cumsum(0) > before
    for base in (0.0, 0.01):
        bad = (chance.random(of_candidate.shape) < base) | (of_candidate & is_late)
        found = judge(of_candidate, bad, Rule(_ERRORS.delta, 0.02, share), _ERRORS.fail_at)
        served = candidate_requests(of_candidate, found.failed)
        late = served[served > before] - before
        _add_late(section, f"all fail after 1000 requests at {100 * base:g} %, share 5 %", late, 5)
    _add_late(section, "all fail in the bake, base 1 %", _found_in_bake(size, chance), 11)
    return section


def passes(size: Size, chance: np.random.Generator) -> Section:
    """Requests that a candidate as good as the champion needs to pass, if the champion has a history."""
    header = ("base", "margin", "share 5 %", "goal", "25 %", "50 %")
    section = Section("Requests of the candidate until its errors pass, at the median", header)
    for (margin, base), most in _PASSES.items():
        found = [_median_pass(base, margin, share, size, chance) for share in SHARES]
        name = f"requests to pass, base {100 * base:g} %, margin {100 * margin:g} pp, share 5 %"
        section.goals.append(Goal(name, found[0], most))
        shown = (f"{found[0]:g}", str(most), f"{found[1]:g}", f"{found[2]:g}")
        section.rows.append((f"{100 * base:g} %", f"{100 * margin:g} pp", *shown))
    return section


def candidate_requests(of_candidate: Bools, when: Ints) -> Ints:
    """The candidate's requests up to a request of each run; NEVER where there is none."""
    counted = of_candidate.cumsum(0)
    at = np.minimum(when, len(counted) - 1)
    return np.where(when < NEVER, counted[at, np.arange(counted.shape[1])], NEVER)


def quantile(counts: Ints, part: float) -> int:
    """The least count that this part of the runs does not exceed."""
    return int(np.quantile(counts, part, method="inverted_cdf"))


def _many(size: Size, requests: float) -> tuple[int, int]:
    """Requests of each run, and the runs: more where each is short, so that their p95 is more exact."""
    return size.requests(requests), int(size.runs * np.clip(_BUDGET / requests, 1, 10))


def _served(
    bad: tuple[float, float], share: float, shape: tuple[int, int], chance: np.random.Generator
) -> Ints:
    of_candidate = chance.random(shape) < share
    failing = chance.random(shape) < np.where(of_candidate, bad[1], bad[0])
    found = judge(of_candidate, failing, Rule(_ERRORS.delta, 0.02, share), _ERRORS.fail_at)
    return candidate_requests(of_candidate, found.failed)


def _slow_served(factor: float, share: float, shape: tuple[int, int], chance: np.random.Generator) -> Ints:
    """Both arms of latency on the same requests; the first that fails counts."""
    of_candidate = chance.random(shape) < share
    latency = _SPREAD * chance.standard_normal(of_candidate.shape) + np.log(factor) * of_candidate
    when = np.full(shape[1], NEVER)
    for name, threshold in (("latencyP95", 1.6449 * _SPREAD), ("latencyP50", 0.0)):
        arm = find_arm("latencyP95" if name == "latencyP95" else "latencyP50")
        found = judge(of_candidate, latency > threshold, Rule(arm.delta, 0.1, share), arm.fail_at)
        when = np.minimum(when, found.failed)
    return candidate_requests(of_candidate, when)


def _found_in_bake(size: Size, chance: np.random.Generator) -> Ints:
    """Requests that fail until they are suspect, and then, with half of the traffic, until they are judged
    anew."""
    suspicion, past = OneSample(), (_HISTORY, _HISTORY // 100)
    while suspicion.most < SUSPICION[1]:
        suspicion = suspicion.after_batch(past[1] / past[0] + SUSPICION[0], 1, 1)
    of_candidate = chance.random((200, 10 * size.runs)) < 0.5
    bad = of_candidate | (chance.random(of_candidate.shape) < 0.01)
    found = judge(of_candidate, bad, Rule(_ERRORS.delta, 0.02, 0.5), _ERRORS.fail_at, past=past)
    return suspicion.requests + candidate_requests(of_candidate, found.failed)


def _by_reports(
    bad: tuple[float, float], share: float, most: float, size: Size, chance: np.random.Generator
) -> Ints:
    reports = traffic(chance, size.runs, size.requests(most / RATE), RATE, share, bad)
    return judge_reports(reports, _ERRORS.delta, 0.02, _ERRORS.fail_at).failed


def _median_pass(base: float, margin: float, share: float, size: Size, chance: np.random.Generator) -> int:
    of_candidate = chance.random((size.requests(800 / share), size.runs)) < share
    failing = chance.random(of_candidate.shape) < base
    past = (_HISTORY, int(_HISTORY * base))
    found = judge(of_candidate, failing, Rule(_ERRORS.delta, margin, share), _ERRORS.fail_at, past=past)
    return quantile(candidate_requests(of_candidate, found.passed), 0.5)


def _add(section: Section, name: str, share: float, served: Ints, most: int, reports: str) -> None:
    section.rows.append((name, f"{100 * share:g} %", _shown(served), str(most), reports))
    goal = f"requests served at p95, {name}, share {100 * share:g} %"
    section.goals.append(Goal(goal, _finite(quantile(served, 0.95)), most))


def _add_late(section: Section, name: str, served: Ints, most: int) -> None:
    section.rows.append((name, _shown(served), str(most)))
    section.goals.append(Goal(f"requests served at p95, {name}", _finite(quantile(served, 0.95)), most))


def _shown(served: Ints) -> str:
    return " / ".join(_count(quantile(served, part)) for part in (0.5, 0.95))


def _count(count: int) -> str:
    return "never" if count >= NEVER - 10**6 else str(count)


def _finite(count: int) -> float:
    return float(min(count, 10**9))
