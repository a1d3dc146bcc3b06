"""Tallies: what a version has answered since a moment, summed over the replicas of its predictor.

Each count is of independent outcomes. Where clients stick to a version, predictors report one outcome a
session, not one a request: otherwise a few bad sessions look like many. Requests that waited for the start
of a replica are left out of both sides; left out of one side only, they would make it look better.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from knoll.records.answered import Answered
from knoll.records.evidence import Report

__all__ = ["Compared", "Seen", "Tally", "tally"]

_MILLISECOND = 0.001


@dataclass(frozen=True)
class Tally:
    """Requests, those that failed (a 5xx, or the client had waited in vain), and those that were refused
    (4xx). `edges` are the upper ends of the buckets of latency in seconds, rising, and `latency` the
    requests in each bucket, with a last one for slower ones. `outputs` are the answers in each bin of
    those that `bins` names (see `knoll.predict.bins`). `labelled` are the answers whose true labels came
    back, and `wrong` those of them that were wrong. `late` are the late outcomes of sessions (see
    `knoll.predict.sessions`), and those of them that failed."""

    requests: int = 0
    errors: int = 0
    refusals: int = 0
    edges: tuple[float, ...] = ()
    latency: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    bins: str = ""
    labelled: int = 0
    wrong: int = 0
    late: tuple[int, int] = (0, 0)

    def since(self, before: "Tally") -> "Tally":
        """What was counted since an earlier tally. Counts that have fallen count as unchanged, and those
        with other buckets or bins are left out."""
        same = self.edges == before.edges or not before.edges
        alike = self.bins == before.bins or not before.bins
        return Tally(
            max(self.requests - before.requests, 0),
            max(self.errors - before.errors, 0),
            max(self.refusals - before.refusals, 0),
            self.edges if same else (),
            _minus(self.latency, before.latency) if same else (),
            _minus(self.outputs, before.outputs) if alike else (),
            self.bins if alike else "",
            max(self.labelled - before.labelled, 0),
            max(self.wrong - before.wrong, 0),
            (max(self.late[0] - before.late[0], 0), max(self.late[1] - before.late[1], 0)),
        )

    @property
    def answered(self) -> int:
        """Requests that were not refused: what a version refuses says nothing for it."""
        return max(self.requests - self.refusals, 0)

    def slower_than(self, edge: float) -> tuple[int, int]:
        """Requests with a known latency, and those of them that took longer than the bucket that ends
        there."""
        if edge not in self.edges:
            return 0, 0
        return sum(self.latency), sum(self.latency[self.edges.index(edge) + 1 :])

    def edge_at(self, part: float) -> float | None:
        """The upper end of a bucket that is exceeded by about that part of the requests; None if none is
        known. If the bucket is narrower than a millisecond, it is the end of a later one: who is slower by
        less is decided by what else the machine does."""
        if not (self.edges and sum(self.latency)):
            return None
        whole = sum(self.latency)
        nearest = min(self.edges, key=lambda edge: abs(self.slower_than(edge)[1] / whole - part))
        start = max((edge for edge in self.edges if edge < nearest), default=0.0)
        least = max(nearest, max(start, _MILLISECOND) + _MILLISECOND)
        return next((edge for edge in self.edges if edge >= least), self.edges[-1])


@dataclass(frozen=True)
class Compared:
    """Requests that both versions have answered, and those with different answers; labelled requests that
    both have answered, and those that only one of them answered rightly."""

    answers: int = 0
    different: int = 0
    labelled: int = 0
    only_champion: int = 0
    only_candidate: int = 0

    def since(self, before: "Compared") -> "Compared":
        """What was counted since an earlier time."""
        names = ("answers", "different", "labelled", "only_champion", "only_candidate")
        return Compared(*(max(getattr(self, name) - getattr(before, name), 0) for name in names))


@dataclass(frozen=True)
class Seen:
    """All that is counted in a rollout until now. Of replays it has the times, apart from those of live
    requests (see `knoll.rollout.replay_times`)."""

    champion: Tally = Tally()
    candidate: Tally = Tally()
    compared: Compared = Compared()
    champion_replays: Tally = Tally()
    candidate_replays: Tally = Tally()

    def since(self, before: "Seen") -> "Seen":
        """What was counted since an earlier look."""
        return Seen(
            self.champion.since(before.champion),
            self.candidate.since(before.candidate),
            self.compared.since(before.compared),
            self.champion_replays.since(before.champion_replays),
            self.candidate_replays.since(before.candidate_replays),
        )


def tally(reports: Iterable[Report]) -> Tally:
    """The tally of a version by the reports of its replicas, without those of knoll 0.2, which did not tell
    what they refused.

    Latency counts if it has the same buckets as that of the last report, and answers if they have the same
    bins.
    """
    known = sorted((one for one in reports if one.refused is not None), key=lambda one: one.reported_at)
    edges = next((_edges(one) for one in reversed(known) if one.latency), ())
    judged = [(one, _judged(one)) for one in known]
    alike = [rest.latency for one, rest in judged if _edges(one) == edges]
    shown = [one.outputs for one in known if one.outputs]
    bins, number = (shown[-1].bins, len(shown[-1].counts)) if shown else ("", 0)
    answers = [one.counts for one in shown if (one.bins, len(one.counts)) == (bins, number)]
    return Tally(
        sum(rest.requests for _, rest in judged),
        sum(rest.errors + rest.timeouts for _, rest in judged),
        sum(rest.refused for _, rest in judged),
        edges,
        _sums(alike) if edges else (),
        _sums(answers),
        bins,
        late=(sum(one.late for one in known), sum(one.failed_late for one in known)),
    )


def _sums(counts: Sequence[Sequence[int]]) -> tuple[int, ...]:
    return tuple(int(sum(column)) for column in zip(*counts, strict=True))


def _judged(report: Report) -> Answered:
    """How the requests ended that were not cold, and of a session the first one alone. A predictor that
    does not count apart how cold ones ended says how many they were: then as many failed as can have, at
    most as many as were warm."""
    if report.judged is not None:
        return report.judged
    if report.cold is not None:
        return report.whole.less(report.cold)
    whole, requests = report.whole, max(report.requests - report.cold_starts, 0)
    return replace(
        whole,
        requests=requests,
        errors=min(whole.errors, requests),
        refused=min(whole.refused, requests),
    )


def _edges(report: Report) -> tuple[float, ...]:
    return tuple(report.latency.get("bucketsSeconds", ()))


def _minus(now: tuple[int, ...], before: tuple[int, ...]) -> tuple[int, ...]:
    padded = (*before, *(0,) * (len(now) - len(before)))
    return tuple(max(one - other, 0) for one, other in zip(now, padded, strict=False))
