"""Evidence: what is counted of the candidate and the champion, and what may be concluded from it. Pure.

`count` and `total` sum up reports. `begin` and `judge` compare the candidate with the champion, pass by
pass, and `verdict` says what follows: see `judgement`, `arms` and `two_sample`.
"""

from knoll.rollout.evidence.counts import count, total
from knoll.rollout.evidence.judgement import (
    Judgement,
    begin,
    judge,
)
from knoll.rollout.evidence.labelled import compared_by, with_labels
from knoll.rollout.evidence.recorded import arms_from_fields, verdict_to_fields
from knoll.rollout.evidence.stored import judgement_to_fields, read_judgement
from knoll.rollout.evidence.tally import Compared, Seen, Tally, tally
from knoll.rollout.evidence.verdict import ArmVerdict, PassingPolicy, Verdict, verdict
from knoll.rollout.evidence.words import words_of

__all__ = [
    "ArmVerdict",
    "Compared",
    "Judgement",
    "PassingPolicy",
    "Seen",
    "Tally",
    "Verdict",
    "arms_from_fields",
    "begin",
    "compared_by",
    "count",
    "judge",
    "judgement_to_fields",
    "read_judgement",
    "tally",
    "total",
    "verdict",
    "verdict_to_fields",
    "with_labels",
    "words_of",
]
