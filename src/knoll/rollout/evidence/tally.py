"""Tallies: what a version has answered since a moment, summed over the replicas of its predictor.

Each count is of independent outcomes. Where clients stick to a version, count one outcome a session, not
one a request: otherwise a few bad sessions look like many. Requests that waited for the start of a replica
are left out of both sides; left out of one side only, they would make it look better.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from knoll.records.evidence import Report

__all__ = ["Compared", "Seen", "Tally", "tally"]


@dataclass(frozen=True)
class Tally:
    """Requests, those that failed (5xx), and those that were refused (4xx). `edges` are the upper ends
    of the buckets of latency in seconds, rising, and `latency` the requests in each bucket, with a
    last one for slower ones. `outputs` are the answers in each class, or in each decile of the
    champion's scores."""

    requests: int = 0
    errors: int = 0
    refusals: int = 0
    edges: tuple[float, ...] = ()
    latency: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()

    def since(self, before: "Tally") -> "Tally":
        """What was counted since an earlier tally. Counts that have fallen count as unchanged, and those
        of latency with other buckets are left out."""
        same = self.edges == before.edges or not before.edges
        return Tally(
            max(self.requests - before.requests, 0),
            max(self.errors - before.errors, 0),
            max(self.refusals - before.refusals, 0),
            self.edges if same else (),
            _minus(self.latency, before.latency) if same else (),
            _minus(self.outputs, before.outputs),
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
        known."""
        if not (self.edges and sum(self.latency)):
            return None
        whole = sum(self.latency)
        return min(self.edges, key=lambda edge: abs(self.slower_than(edge)[1] / whole - part))


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
    """All that is counted in a rollout until now."""

    champion: Tally = Tally()
    candidate: Tally = Tally()
    compared: Compared = Compared()

    def since(self, before: "Seen") -> "Seen":
        """What was counted since an earlier look."""
        return Seen(
            self.champion.since(before.champion),
            self.candidate.since(before.candidate),
            self.compared.since(before.compared),
        )


def tally(reports: Iterable[Report]) -> Tally:
    """The tally of a version by the reports of its replicas, without those of knoll 0.2, which did not tell
    what they refused.

    A report says how many of its requests were cold, but not how those ended. So a replica has failed at
    most as often as it answered warm ones. Latency counts if it has the same buckets as that of the first
    report.
    """
    whole = [one for one in reports if one.refused is not None]
    known = [one.latency for one in whole if one.latency]
    edges = tuple(known[0]["bucketsSeconds"]) if known else ()
    alike = [one["counts"] for one in known if tuple(one["bucketsSeconds"]) == edges]
    warm = [max(one.requests - one.cold_starts, 0) for one in whole]
    return Tally(
        sum(warm),
        sum(min(one.errors, requests) for one, requests in zip(whole, warm, strict=True)),
        sum(min(one.refused or 0, requests) for one, requests in zip(whole, warm, strict=True)),
        edges,
        tuple(int(sum(counts)) for counts in zip(*alike, strict=True)),
    )


def _minus(now: tuple[int, ...], before: tuple[int, ...]) -> tuple[int, ...]:
    padded = (*before, *(0,) * (len(now) - len(before)))
    return tuple(max(one - other, 0) for one, other in zip(now, padded, strict=False))
