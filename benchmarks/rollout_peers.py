"""Rules of peers, on the same reports as knoll's: what they do with a candidate, second by second.

Flagger checks the success rate of the last minute at each interval: below 99 %, or without requests, the
check fails. After `threshold` failed checks it rolls back. After five good ones, a step of 10 % each up to
50 %, it promotes. Source: Flagger's documents, the tutorials for Knative (15 s, 15) and the defaults (60 s,
10).

Argo Rollouts measures the success rate of the last five minutes every five minutes, and it fails below 95
%; the fourth failure aborts, and so does the fifth time without data. Eight measurements are four steps of
ten minutes. Source: Argo's documents, the template success-rate of Analysis & Progressive Delivery.

The fixed sample is one z-test of two proportions at alpha .25 %, after 500 requests of the candidate.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from rollout_rule import NEVER, Ints, first_true

__all__ = ["PEERS", "Decided", "Reports", "argo", "fixed_sample", "flagger"]

Reports = tuple[Ints, Ints, Ints, Ints]  # as of `rollout_reports`, shaped (seconds, runs)
_Z = 2.807  # one side, .25 %


@dataclass(frozen=True)
class Decided:
    """The seconds after which a candidate was rolled back and promoted; NEVER if it was not."""

    rolled_back: Ints
    promoted: Ints


def flagger(reports: Reports, interval: int, threshold: int, good: int = 5) -> Decided:
    """Flagger's rule."""
    return _checked(reports, (interval, 60), 0.99, (threshold, threshold), good)


def argo(reports: Reports) -> Decided:
    """Argo's documented analysis."""
    return _checked(reports, (300, 300), 0.95, (4, 5), 8, is_counted=True)


def fixed_sample(reports: Reports, requests: int = 500) -> Decided:
    """One test when the candidate has had so many requests."""
    candidate, candidate_bad, champion, champion_bad = (one.cumsum(0) for one in reports)
    when = first_true(candidate >= requests)
    at = np.minimum(when, len(candidate) - 1)
    runs = np.arange(candidate.shape[1])
    here, there = candidate[at, runs], np.maximum(champion[at, runs], 1)
    mine, theirs = candidate_bad[at, runs] / np.maximum(here, 1), champion_bad[at, runs] / there
    pooled = (candidate_bad[at, runs] + champion_bad[at, runs]) / np.maximum(here + there, 1)
    spread = np.sqrt(pooled * (1 - pooled) * (1 / np.maximum(here, 1) + 1 / there))
    is_worse = mine - theirs > _Z * spread
    return Decided(np.where(is_worse, when, NEVER), np.where(is_worse, NEVER, when))


def _checked(
    reports: Reports,
    times: tuple[int, int],
    success: float,
    limits: tuple[int, int],
    good: int,
    is_counted: bool = False,
) -> Decided:
    """A rule that checks a success rate. `times` are the interval and the window; `limits` the failed
    checks, and those without data. If it `is_counted`, `good` is the number of all checks, else that
    of good ones."""
    interval, window = times
    counted, failures = (np.concatenate([0 * one[:1], one.cumsum(0)]) for one in reports[:2])
    runs = counted.shape[1]
    bad, without, fine = np.zeros(runs), np.zeros(runs), np.zeros(runs)
    rolled_back, promoted = np.full(runs, NEVER), np.full(runs, NEVER)
    for number, second in enumerate(range(interval, len(counted), interval), 1):
        before = max(second - window, 0)
        requests, failed = counted[second] - counted[before], failures[second] - failures[before]
        is_empty = requests == 0
        is_bad = ~is_empty & (failed > (1 - success) * requests + 1e-9)
        without = np.where(is_empty, without + 1, 0 if is_counted else without)
        bad, fine = bad + is_bad, fine + ~(is_bad | is_empty)
        is_open = (rolled_back == NEVER) & (promoted == NEVER)
        all_bad = (bad >= limits[0]) | (without >= limits[1]) if is_counted else bad + without >= limits[0]
        is_done = (number >= good) if is_counted else fine >= good
        rolled_back = np.where(is_open & all_bad, second - 1, rolled_back)
        promoted = np.where(is_open & ~all_bad & is_done, second - 1, promoted)
    return Decided(rolled_back, promoted)


PEERS: Mapping[str, Callable[[Reports], Decided]] = {
    "Flagger, 15 s x 15": lambda reports: flagger(reports, 15, 15),
    "Flagger, 60 s x 10": lambda reports: flagger(reports, 60, 10),
    "Argo's analysis": argo,
    "fixed sample": fixed_sample,
}
