"""The judgement of a rollout: what is known after some passes, and how a pass adds to it. Pure.

A pass gives all that is counted until now. The judgement remembers what it has seen and judges the rest as
one batch. So a pass that is repeated changes nothing, and a pass that was lost is made good by the next
one. The judgement is kept with the slot. If it is lost, a new one judges all that the evidence records hold
as one batch: that is valid, too, and only finds less, because it has nothing to bet on but the champion's
history.
"""

from dataclasses import dataclass, field, replace

from knoll.rollout.evidence.arms import SUSPICION, ArmName, find_arm
from knoll.rollout.evidence.bets import past_rate
from knoll.rollout.evidence.one_sample import OneSample
from knoll.rollout.evidence.paired import Paired, Pairs
from knoll.rollout.evidence.shares import Shares
from knoll.rollout.evidence.tally import Seen, Tally
from knoll.rollout.evidence.two_sample import Batch, Rule, TwoSample

__all__ = ["Judgement", "begin", "judge"]

_MOST_HISTORY = (
    1000  # requests that count of the champion's history, so that a base that has changed is learnt
)
_FEWEST = 50  # of the champion's requests, to say how slow its slow ones are
_P95, _P50 = 0.05, 0.5


@dataclass(frozen=True)
class Judgement:
    """What came after `began`, up to `seen`, is judged. To pass, the candidate must be less than `margin`
    worse than the champion; with 1 nothing has to be shown, because no rate is above another by more. `asked`
    is the margin that the policy asks for. `differing` is the part of its answers that may differ from the
    champion's. `slow` and `middling` are the buckets of latency that end near the champion's p95 and median,
    in seconds, and `slow_replay` and `middling_replay` those of replays; None until they are known. Labels
    are judged in `quality`, and if `has_pairs` in `labels`, too. If it `needs_labels` or `needs_agreement`,
    that arm must pass, too. `began_at` is when the traffic was first shared, in seconds since 1970. The
    others are the states of the arms, and `suspicion` and `refusal_suspicion` those of the bake."""

    seen: Seen = field(default_factory=Seen)
    began: Seen = field(default_factory=Seen)
    margin: float = 0.02
    differing: float = 0.02
    slow: float | None = None
    middling: float | None = None
    errors: TwoSample = field(default_factory=TwoSample)
    latency_p95: TwoSample = field(default_factory=TwoSample)
    latency_p50: TwoSample = field(default_factory=TwoSample)
    refusals: TwoSample = field(default_factory=TwoSample)
    outputs: Shares = field(default_factory=Shares)
    agreement: OneSample = field(default_factory=OneSample)
    labels: Paired = field(default_factory=Paired)
    quality: TwoSample = field(default_factory=TwoSample)
    suspicion: OneSample = field(default_factory=OneSample)
    refusal_suspicion: OneSample = field(default_factory=OneSample)
    has_pairs: bool = True
    needs_labels: bool = False
    needs_agreement: bool = False
    began_at: float = 0.0
    asked: float = 0.02
    slow_replay: float | None = None
    middling_replay: float | None = None
    late: TwoSample = field(default_factory=TwoSample)

    @property
    def base(self) -> float:
        """The champion's rate of failure, as far as it is known."""
        return past_rate(self.errors.past_bad, self.errors.past)

    @property
    def refused(self) -> float:
        """The part of its requests that the champion has refused, as far as it is known."""
        return past_rate(self.refusals.past_bad, self.refusals.past)


def begin(
    history: Tally,
    seen: Seen,
    margin: float | None = None,
    differing: float = 0.0,
    has_pairs: bool = True,
) -> Judgement:
    """The judgement when the traffic is first shared. `history` is what the champion answered before; it
    only serves bets, buckets and the margin. `seen` is what was counted before, and is not judged. The
    margin is at least the champion's rate of failure.
    `differing` is the part of the champion's answers that differ from its own, if it is asked twice;
    the candidate may differ as often. If both are asked the same requests, labels come in pairs."""
    errors = _past(history.answered, history.errors)
    slow, middling = _edges(history)
    least = find_arm("errors").margin or 0.0 if margin is None else margin
    known = Judgement(
        seen,
        seen,
        max(least, past_rate(errors.past_bad, errors.past)),
        max(find_arm("agreement").delta, differing),
        slow,
        middling,
        errors,
        _past(*history.slower_than(slow)) if slow else TwoSample(),
        _past(*history.slower_than(middling)) if middling else TwoSample(),
        _past(history.requests, history.refusals),
    )
    return replace(
        known,
        asked=least,
        has_pairs=has_pairs,
        outputs=Shares(champion=_scaled(history.outputs)),
        quality=_past(history.labelled, history.wrong),
        late=_past(*history.late),
    )


def judge(before: Judgement, seen: Seen, is_shared: bool = True) -> Judgement:
    """The judgement after a pass that has seen so much in all. Unless the traffic `is_shared`, the
    candidate has all of it: then it may only be suspected."""
    if seen == before.seen:
        return before
    news = seen.since(before.seen)
    after = _with_compared(replace(before, seen=seen), news)
    if not is_shared:
        refused = _part(news.candidate.requests, news.candidate.refusals)
        return replace(
            after,
            suspicion=_suspected(before, news.candidate),
            refusal_suspicion=before.refusal_suspicion.after_batch(_tolerated(before.refusals), *refused),
        )
    return _with_edges(_with_replays(_with_shared(after, news), news), seen)


def _suspected(before: Judgement, candidate: Tally) -> OneSample:
    """The suspicion after a pass: outcomes and late ones, each beside what the champion's were before."""
    first = before.suspicion.after_batch(
        _tolerated(before.errors), *_part(candidate.answered, candidate.errors)
    )
    return first.after_batch(_tolerated(before.late), *_part(*candidate.late))


def _tolerated(before: TwoSample) -> float:
    """Above which rate a candidate with all traffic is suspected, by the champion's before."""
    return min(past_rate(before.past_bad, before.past) + SUSPICION[0], 0.99)


def _with_shared(before: Judgement, news: Seen) -> Judgement:
    champion, candidate = news.champion, news.candidate
    errors = _batch(candidate.answered, candidate.errors, champion.answered, champion.errors)
    refusals = _batch(candidate.requests, candidate.refusals, champion.requests, champion.refusals)
    late = _batch(*candidate.late, *champion.late)
    return replace(
        before,
        errors=before.errors.after_batch(_rule_of_errors(before), errors),
        latency_p95=before.latency_p95.after_batch(*_latency("latencyP95", before.slow, candidate, champion)),
        latency_p50=before.latency_p50.after_batch(
            *_latency("latencyP50", before.middling, candidate, champion)
        ),
        refusals=before.refusals.after_batch(find_arm("refusals").rule, refusals),
        outputs=_after_outputs(before.outputs, candidate, champion),
        late=before.late.after_batch(find_arm("lateErrors").rule, late),
    )


def _with_replays(before: Judgement, news: Seen) -> Judgement:
    """With the times of replays: a batch of their own, which has its own share and its own buckets."""
    mine, theirs = news.candidate_replays, news.champion_replays
    return replace(
        before,
        latency_p95=before.latency_p95.after_apart(*_latency("latencyP95", before.slow_replay, mine, theirs)),
        latency_p50=before.latency_p50.after_apart(
            *_latency("latencyP50", before.middling_replay, mine, theirs)
        ),
    )


def _rule_of_errors(before: Judgement) -> Rule:
    return Rule(find_arm("errors").delta, before.margin if before.margin < 1 else None)


def _with_compared(before: Judgement, news: Seen) -> Judgement:
    compared, labels = news.compared, find_arm("labels")
    if before.has_pairs:
        pairs = Pairs(compared.labelled, compared.only_champion, compared.only_candidate)
        before = replace(before, labels=before.labels.after_batch(labels.delta, labels.margin or 0.0, pairs))
    mine, theirs = news.candidate, news.champion
    told = _batch(mine.labelled, mine.wrong, theirs.labelled, theirs.wrong)
    return replace(
        before,
        quality=before.quality.after_batch(labels.rule, told),
        agreement=before.agreement.after_batch(
            before.differing, *_part(compared.answers, compared.different)
        ),
    )


def _after_outputs(before: Shares, candidate: Tally, champion: Tally) -> Shares:
    """Answers are compared if both versions have the same bins, or one has answered nothing yet."""
    if candidate.bins and champion.bins and candidate.bins != champion.bins:
        return before
    return before.after_batch(candidate.outputs, champion.outputs)


def _with_edges(before: Judgement, seen: Seen) -> Judgement:
    """With the buckets of latency by what the champion has answered. They serve the batches that follow:
    a batch is never judged by a bucket that it helped to choose."""
    (slow, middling), (slower, between) = _edges(seen.champion), _edges(seen.champion_replays)
    return replace(
        before,
        slow=before.slow or slow,
        middling=before.middling or middling,
        slow_replay=before.slow_replay or slower,
        middling_replay=before.middling_replay or between,
    )


def _edges(champion: Tally) -> tuple[float | None, float | None]:
    if sum(champion.latency) < _FEWEST:
        return None, None
    return champion.edge_at(_P95), champion.edge_at(_P50)


def _latency(name: ArmName, edge: float | None, candidate: Tally, champion: Tally) -> tuple[Rule, Batch]:
    """The rule of an arm of latency, and its batch; an empty one as long as nobody knows what slow is."""
    rule = find_arm(name).rule
    if edge is None:
        return rule, Batch()
    return rule, Batch(*candidate.slower_than(edge), *champion.slower_than(edge))


def _batch(candidate: int, candidate_bad: int, champion: int, champion_bad: int) -> Batch:
    return Batch(*_part(candidate, candidate_bad), *_part(champion, champion_bad))


def _part(requests: int, bad: int) -> tuple[int, int]:
    """Requests and those that were bad, never more than all."""
    return requests, min(bad, requests)


def _past(requests: int, bad: int) -> TwoSample:
    kept = min(requests, _MOST_HISTORY)
    return TwoSample(kept, round(bad * kept / requests) if requests else 0)


def _scaled(outputs: tuple[int, ...]) -> tuple[int, ...]:
    whole = sum(outputs)
    return tuple(round(count * min(whole, _MOST_HISTORY) / whole) for count in outputs) if whole else ()
