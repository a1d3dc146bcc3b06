"""How well a rollout judges: sound candidates that are rolled back, bad ones that are served or promoted.

Traffic is simulated with a virtual clock. Each row has `--runs` runs with a seed, or more where runs are
short. What decides at every request is a copy of the rule for many runs at once; a test compares it with
the rule. The same traffic goes through the rules of Flagger and Argo Rollouts, and through a test with a
fixed sample.
"""

import argparse
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from place import say
from results import Goal, print_goals
from rollout_answers import answers
from rollout_compare import compare
from rollout_faults import faults, late_fault, passes
from rollout_page import Section, print_sections, write_page
from rollout_sessions import sessions
from rollout_size import Size
from rollout_sound import boundary, promoted, sound

from knoll.rollout.evidence import Compared, Seen, Tally, begin, judge
from knoll.rollout.evidence.arms import find_arm
from knoll.rollout.evidence.two_sample import Batch, TwoSample

_OF_REQUEST, _OF_REPORT, _OF_PASS = 200.0, 400.0, 2000.0  # microseconds, the goals
_SIMULATED = (sound, boundary, promoted, faults, late_fault, passes, compare, sessions)


def main(given: Sequence[str] | None = None) -> int:
    """Simulate all rows and print the results; 1 if a goal is missed."""
    options = _options(given)
    size, sections = Size(options.runs, options.length), list[Section]()
    for number, simulate in enumerate(_SIMULATED):
        say(f"{simulate.__name__}: {options.runs} runs a row")
        sections.append(simulate(size, np.random.default_rng([options.seed, number])))
    sections.append(answers(size, random.Random(options.seed)))
    sections.append(cost())
    print_sections(sections)
    if options.page:
        note = f"At least {options.runs} runs a row, seed {options.seed}, by `make bench-rollout`."
        write_page(options.page, sections, note)
    return print_goals([goal for section in sections for goal in section.goals])


def cost(times: int = 2000) -> Section:
    """Processor time of the rule itself: of a request, of a report on one arm, and of a pass over all
    arms."""
    section = Section("What the rule costs, processor time", ("what", "microseconds", "goal"))
    rule = find_arm("errors").rule
    state = other = TwoSample()
    judgement = begin(_tally(5000), Seen())
    began = time.process_time()
    for number in range(times):
        state = state.after_request(rule, number % 20 == 0, number % 100 == 3, 0.05)
    _add(section, "a request", time.process_time() - began, times, _OF_REQUEST)
    began = time.process_time()
    for number in range(times):
        other = other.after_batch(rule, Batch(1, 0, 19, int(number % 5 == 0)))
    _add(section, "a report on one arm", time.process_time() - began, times, _OF_REPORT)
    began = time.process_time()
    for number in range(1, times // 10):
        compared = Compared(10 * number, number // 10, 10 * number, number // 10, number // 10)
        judgement = judge(judgement, Seen(_tally(190 * number), _tally(10 * number), compared))
    _add(section, "a pass over all arms", time.process_time() - began, times // 10, _OF_PASS)
    return section


def _tally(requests: int) -> Tally:
    latency = (requests // 2, requests // 4, requests // 8, requests // 8)
    return Tally(requests, requests // 100, 0, (0.01, 0.02, 0.05), latency, (requests // 2,) * 2)


def _add(section: Section, what: str, seconds: float, times: int, most: float) -> None:
    taken = seconds / times * 1e6
    section.rows.append((what, f"{taken:.0f}", f"{most:g}"))
    section.goals.append(Goal(f"microseconds of {what}", taken, most))


def _options(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=400, help="runs of each row, at least")
    parser.add_argument("--length", type=float, default=1.0, help="shortens each run; then it says nothing")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--page", type=Path, help="page whose part between the markers is written")
    return parser.parse_args(given)


if __name__ == "__main__":
    sys.exit(main())
