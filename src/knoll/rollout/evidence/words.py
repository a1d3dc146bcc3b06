"""What the arms of a judgement have found, in words, with the counts behind it. Pure."""

from knoll.rollout.evidence.judgement import Judgement
from knoll.rollout.evidence.tally import Compared, Seen, Tally
from knoll.rollout.evidence.verdict import ArmVerdict, Verdict

__all__ = ["stopped_by", "words_of"]


def words_of(verdict: Verdict, judgement: Judgement, champion: str) -> str:
    """Why the verdict stops the rollout, arm by arm; "" if it does not. As in "3 of 9 requests failed, and 0
    of 91 to v000001 (errors: E 5.1e+03, the bound is 400)"."""
    seen = judgement.seen.since(judgement.began)
    told = (
        f"{_counts(one, judgement, seen, champion)} ({one.arm}: E {one.e:.2g}, the bound is {one.fail_at:g})"
        for one in stopped_by(verdict)
    )
    return "; ".join(told)


def stopped_by(verdict: Verdict) -> list[ArmVerdict]:
    """The arms that have failed; those that only pause count if nothing else has failed."""
    return [
        one for one in verdict.arms if one.outcome == "fail" and (one.rolls_back or verdict.outcome != "fail")
    ]


def _counts(arm: ArmVerdict, judgement: Judgement, seen: Seen, champion: str) -> str:
    mine, theirs = seen.candidate, seen.champion
    match arm.arm:
        case "errors":
            found = f"{mine.errors} of {mine.answered} requests failed"
            beside = f"{theirs.errors} of {theirs.answered}"
        case "lateErrors":
            found = f"{mine.late[1]} of {mine.late[0]} later requests of its sessions failed"
            beside = f"{theirs.late[1]} of {theirs.late[0]}"
        case "refusals":
            found = f"it refused {mine.refusals} of {mine.requests} requests"
            beside = f"{theirs.refusals} of {theirs.requests}"
        case "latencyP95" | "latencyP50":
            is_p95 = arm.arm == "latencyP95"
            live = judgement.slow if is_p95 else judgement.middling
            replay = judgement.slow_replay if is_p95 else judgement.middling_replay
            told = [
                _slower("requests", live, mine, theirs),
                _slower("replays", replay, seen.candidate_replays, seen.champion_replays),
            ]
            return f"{'; '.join(filter(None, told))} to {champion}"
        case "outputs":
            return f"its {arm.judged} answers are distributed differently from those of {champion}"
        case "agreement":
            compared = seen.compared
            return f"{compared.different} of {compared.answers} answers differ from those of {champion}"
        case "labels":
            paired = _paired(seen.compared, champion)
            found = f"{paired}{mine.wrong} of {mine.labelled} labelled answers were wrong"
            beside = f"{theirs.wrong} of {theirs.labelled}"
    return f"{found}, and {beside} to {champion}"


def _paired(compared: Compared, champion: str) -> str:
    """Which version was right where both have answered; "" if no label of such a request is known."""
    if not compared.labelled:
        return ""
    only = f"only {champion} was right on {compared.only_champion}, only it on {compared.only_candidate}"
    return f"of {compared.labelled} labelled requests that both answered, {only}; "


def _slower(what: str, edge: float | None, mine: Tally, theirs: Tally) -> str:
    """How many were slower than the bucket that ends there; "" if none is known."""
    (timed, slow), (others, slower) = mine.slower_than(edge or 0.0), theirs.slower_than(edge or 0.0)
    found = f"{slow} of {timed} {what} took longer than {(edge or 0.0) * 1000:g} ms"
    return f"{found}, and {slower} of {others}" if timed else ""
