"""Whether the candidate refuses clearly more requests than the champion does meanwhile. Pure.

Both get their requests from the same clients at the same time. So a client that sends nonsense is refused by
both alike, and only a difference tells of the candidate.
"""

from math import sqrt

from knoll.rollout.counted import Evidence

__all__ = ["LEAST_REFUSED", "why_too_many_refused"]

LEAST_REFUSED = 5  # requests; fewer say nothing
_CLEARLY = 4.0  # standard errors: by chance once in 30,000 looks


def why_too_many_refused(evidence: Evidence, champion: str) -> str:
    """What the candidate and the champion have refused, if the candidate refuses clearly more of what comes
    to it; else "". Two shares are compared as usual: their difference over its standard error, under the
    hypothesis that both are the pooled share."""
    counts, (of_champion, _, refused_by_champion) = evidence.counts, evidence.champion
    of_candidate = counts.requests - counts.replayed + counts.refused
    if counts.refused < LEAST_REFUSED or not of_champion:
        return ""
    pooled = (counts.refused + refused_by_champion) / (of_candidate + of_champion)
    error = sqrt(pooled * (1 - pooled) * (1 / of_candidate + 1 / of_champion))
    difference = counts.refused / of_candidate - refused_by_champion / of_champion
    if difference <= _CLEARLY * error:
        return ""
    return (
        f"it refused {counts.refused} of {of_candidate} requests, and {champion} meanwhile "
        f"{refused_by_champion} of {of_champion}"
    )
