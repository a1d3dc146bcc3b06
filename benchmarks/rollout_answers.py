"""Wrong answers with status 200: what finds them, and whether they are promoted. By the rule itself, one
report after the other."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from results import Goal
from rollout_page import Section, per_cent
from rollout_size import Size

from knoll.rollout.evidence import Compared, PassingPolicy, Seen, Tally, Verdict, begin, judge, verdict

__all__ = ["answers"]

_CLASSES = 10
_AT_ONCE, _MOST = 10, 900  # requests of the candidate in a report, and in all
_RIGHT = 0.95  # of the champion's answers
_NOTHING = (0,) * _CLASSES
Answer = Callable[[int, random.Random], int]  # of the candidate, if the champion gives this class
_WRONG: dict[str, Answer] = {
    "labels shifted by one": lambda answer, _: (answer + 1) % _CLASSES,
    "always the same class": lambda *_: 0,
    "collapsed to two classes": lambda answer, _: answer % 2,
    "one answer in five is another": lambda answer, chance: (
        answer if chance.random() < 0.8 else (answer + chance.randrange(1, _CLASSES)) % _CLASSES
    ),
    "as the champion": lambda answer, _: answer,
}
_KINDS = {
    "answers are compared": PassingPolicy(share=0.5, compares=True),
    "labels come back": PassingPolicy(share=0.5, has_labels=True),
    "neither": PassingPolicy(share=0.5),
}


@dataclass(frozen=True)
class _Ended:
    """How a run ended, after so many requests of the candidate."""

    verdict: Verdict
    requests: int


def answers(size: Size, chance: random.Random) -> Section:
    """Each fault, with and without what would find it."""
    about = (
        "Wrong answers with status 200, share 50 %, no error at all: rolled back / held / promoted, and "
        "requests until then (median)"
    )
    section = Section(about, ("candidate", *_KINDS))
    for name, answer in _WRONG.items():
        shown = []
        for kind, policy in _KINDS.items():
            ended = [_run(answer, policy, chance) for _ in range(size.runs)]
            shown.append(_shown(ended))
            if kind != "neither" and name != "as the champion":
                part = sum(one.verdict.outcome == "pass" for one in ended) / size.runs
                section.goals.append(Goal(f"part promoted, {name}, {kind}", part, 0))
        section.rows.append((name, *shown))
    return section


def _run(answer: Answer, policy: PassingPolicy, chance: random.Random) -> _Ended:
    judgement = begin(Tally(), Seen())
    seen, said = judgement.seen, verdict(judgement, policy)
    while said.outcome == "inconclusive" and not said.pauses and seen.candidate.requests < _MOST:
        seen = _later(seen, answer, policy, chance)
        judgement = judge(judgement, seen)
        said = verdict(judgement, policy)
    return _Ended(said, seen.candidate.requests)


def _later(seen: Seen, answer: Answer, policy: PassingPolicy, chance: random.Random) -> Seen:
    """What is counted when both sides have answered some more requests. Each answer of the candidate is
    compared with the champion's, and its label comes back, if the policy says so."""
    mine, theirs = list(seen.candidate.outputs or _NOTHING), list(seen.champion.outputs or _NOTHING)
    different, only_champion, only_candidate = 0, 0, 0
    for _ in range(_AT_ONCE):
        theirs[chance.randrange(_CLASSES)] += 1
        label = chance.randrange(_CLASSES)
        champion = label if chance.random() < _RIGHT else (label + 1) % _CLASSES
        candidate = answer(champion, chance)
        mine[candidate] += 1
        different += champion != candidate
        only_champion += champion == label != candidate
        only_candidate += candidate == label != champion
    before = seen.compared
    compared = Compared(
        before.answers + _AT_ONCE * policy.compares,
        before.different + different * policy.compares,
        before.labelled + _AT_ONCE * policy.has_labels,
        before.only_champion + only_champion * policy.has_labels,
        before.only_candidate + only_candidate * policy.has_labels,
    )
    requests = seen.candidate.requests + _AT_ONCE
    return Seen(Tally(requests, outputs=tuple(theirs)), Tally(requests, outputs=tuple(mine)), compared)


def _shown(ended: list[_Ended]) -> str:
    outcomes = [one.verdict.outcome for one in ended]
    parts = (per_cent(outcomes.count(one) / len(ended)) for one in ("fail", "inconclusive", "pass"))
    return f"{' / '.join(parts)}, {int(median(one.requests for one in ended))}"
