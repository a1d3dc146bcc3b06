"""Past rollouts are put through other policies: what would have ended otherwise is told, what cannot be known
is not guessed."""

import random
from collections import Counter
from dataclasses import replace
from typing import Any

from knoll.records.rollout import RolloutStep
from knoll.rollout.hindsight import UNKNOWN, trials
from rollout.hindsight.past import Look, again, end_of, played, policy_of

BROKEN_LATE = [*[Look()] * 12, *[Look(failed=5)] * 20]
SOUND = [Look()] * 200
POLICY = policy_of(steps=[10, 50], minRequests=50, bake="60s")


def streams(rng: random.Random) -> list[Look]:
    """A candidate that fails seldom or often, early or late, with few requests or many."""
    rate, begins = rng.choice((0, 0.003, 0.02, 0.1, 0.5)), rng.choice((0, 5, 20, 40))
    size = rng.choice((3, 10, 60))
    looks = []
    quiet = rng.choice((0, 0, 10, 50))  # looks in a row without any request, again and again
    for number in range(200):
        if quiet and number // quiet % 2:
            looks.append(Look(0, 0, 3 * size))
            continue
        failed = sum(rng.random() < rate for _ in range(size)) if number >= begins else 0
        looks.append(Look(size, failed, 3 * size, sum(rng.random() < 0.003 for _ in range(3 * size))))
    return looks


def policies(rng: random.Random) -> Any:
    return policy_of(
        steps=rng.choice(([10], [10, 50], [5, 20, 40, 60])),
        minRequests=rng.choice((20, 50, 200)),
        bake=rng.choice(("0s", "60s", "200s")),
        margin=rng.choice((0.02, 0.05, 1.0)),
        idle=rng.choice(("hold", "hold", "promote")),
    )


def known(said: str, ended: str) -> str:
    return "unknown" if said == UNKNOWN else "same" if said == ended else "otherwise"


def test_what_hindsight_tells_is_what_the_decision_does_with_the_same_requests() -> None:
    """Two policies meet one stream of requests. What is said of the second by the records of the first is
    how it ends, or unknown; for the same policy it is known eight times in ten."""
    told, same = Counter[str](), Counter[str]()
    for seed in range(150):
        rng = random.Random(seed)
        looks, one, other = streams(rng), policies(rng), policies(rng)
        champion = rng.choice(("", *["v000001"] * 4))
        steps = played(one, looks, champion=champion)
        if not end_of(steps):
            continue
        said, truth = again(steps, other).would, end_of(played(other, looks, champion=champion))
        assert said in (UNKNOWN, truth), seed
        told[known(said, end_of(steps))] += 1
        same[known(again(steps, one).would, end_of(steps))] += 1
    assert told["same"] + told["otherwise"] > told.total() / 5, told
    assert told["otherwise"]
    assert not same["otherwise"]
    assert same["unknown"] < same.total() / 5


def test_a_promotion_rests_on_the_requests_margin_and_bake_that_were_recorded() -> None:
    """What asks for no more than that promotes, too."""
    steps = played(POLICY, SOUND)
    assert end_of(steps) == "Promoted"
    for laxer in ({}, {"steps": [80]}, {"minRequests": 20}, {"bake": "10s"}, {"margin": 0.05}):
        assert again(steps, policy_of(**{"steps": [10, 50], "bake": "60s", **laxer})).would == "Promoted", (
            laxer
        )
    for stricter, why in (
        ({"minRequests": 5000}, "it would have needed 2 × 5000 requests before the bake, and had "),
        ({"bake": "10m"}, "it baked for 60 s, and would have baked for 600 s"),
        ({"margin": 0.01}, "L of errors is recorded for a margin of 2.00%, not for 1.00%"),
    ):
        found = again(steps, policy_of(**{"steps": [10, 50], "bake": "60s", **stricter}))
        assert found.would == UNKNOWN
        assert found.why.startswith(why)


def test_a_margin_that_is_the_rate_of_the_champion_holds_for_stricter_policies_too() -> None:
    """It fails in 10 % of its requests, more often than any of the policies allows."""
    steps = played(POLICY, [Look(beside_failed=3)] * 200)
    assert end_of(steps) == "Promoted"
    for margin in (0.01, 0.02, 0.03, 0.3):
        assert again(steps, policy_of(steps=[10, 50], bake="60s", margin=margin)).would == "Promoted"


def test_a_fault_that_showed_late_would_have_shown_after_a_shorter_bake() -> None:
    """It showed in a bake, which the other policy would have ended before."""
    looks = [*[Look()] * 40, *[Look(failed=5)] * 40]
    steps = played(policy_of(steps=[50], minRequests=50, bake="10m"), looks)
    assert end_of(steps) == "RolledBack"
    found = again(steps, policy_of(steps=[50], minRequests=50, bake="20s"))
    assert (found.would, found.why[:34]) == ("Promoted", "its bake of 20 s would have been o")
    assert again(steps, policy_of(steps=[50], minRequests=50, bake="20m")).would == "RolledBack"


def test_what_failed_before_a_policy_could_have_promoted_it_fails_by_that_policy() -> None:
    steps = played(POLICY, BROKEN_LATE)
    assert end_of(steps) == "RolledBack"
    assert again(steps, policy_of(steps=[1, 2, 3], minRequests=500)).would == "RolledBack"
    assert again(steps, policy_of(steps=[50], minRequests=50, margin=1)).would == UNKNOWN


def test_the_agreement_that_a_policy_asks_for_holds_a_version_before_its_traffic() -> None:
    steps = played(POLICY, SOUND, agreed=58)
    found = again(steps, POLICY, 0.95)
    assert (found.would, found.step) == ("Held", 2)
    assert found.why == (
        "agrees with v000001 on 58 of 64 held-out samples: the policy asks for agreement on 95%"
    )
    held = played(POLICY, SOUND, agreed=10)
    assert end_of(held) == "Held"
    assert again(held, POLICY, 0.1).would == UNKNOWN
    assert again(held, POLICY, 0.3).would == "Held"


def test_a_version_that_somebody_approved_is_not_held_by_any_policy() -> None:
    approved = replace(step(0, "Approve"), number=1)
    tried = [replace(one, number=one.number + 1) for one in played(POLICY, SOUND, agreed=10)[:1]]
    shown = [replace(one, number=one.number + 1) for one in played(POLICY, SOUND)[1:]]
    (one,) = trials([approved, *tried, *shown])
    assert one.is_approved
    assert again([approved, *tried, *shown], POLICY, 1.0).would == "Promoted"


def step(at: int, action: str, **more: Any) -> RolloutStep:
    """A record of so many seconds after the begin."""
    when = f"2026-01-01T00:{at // 60:02d}:{at % 60:02d}+00:00"
    made = RolloutStep("digits", "v000002", "v000002", 1 + at, action, when, 0, "why", champion="v000001")
    return replace(made, **more)


def test_a_version_that_was_given_up_might_have_become_ready_in_more_time() -> None:
    late = step(70, "Rollback", reason="it pulls", cause="deadline")
    for deadline, would in (("30s", "RolledBack"), ("5m", UNKNOWN)):
        assert again([step(0, "Start"), late], policy_of(progressDeadline=deadline)).would == would
    broken = replace(late, cause="")
    assert again([step(0, "Start"), broken], policy_of(progressDeadline="5m")).would == "RolledBack"


def test_a_version_that_was_slow_to_become_ready_would_have_been_given_up() -> None:
    steps = [step(0, "Start"), step(70, "Shift", percent=10), step(90, "Rollback", wish="w", by="ann")]
    found = again(steps, policy_of(progressDeadline="60s"))
    assert (found.would, found.step) == ("RolledBack", 71)
    assert "ready after 70 s only" in found.why


def test_a_signature_that_a_policy_allows_would_have_been_tried() -> None:
    refused = step(0, "Reject", cause="signature")
    assert again([refused], policy_of()).would == "Refused"
    assert again([refused], policy_of(allowSignatureChange=True)).would == UNKNOWN
    assert again([replace(refused, cause="")], policy_of(allowSignatureChange=True)).would == "Refused"


def test_what_was_replayed_would_not_have_come_with_idle_hold() -> None:
    steps = played(POLICY, SOUND)
    counts = [{**one.evidence, "replayed": one.evidence["requests"]} for one in steps]
    replayed = [replace(one, evidence=each) for one, each in zip(steps, counts, strict=True)]
    assert again(replayed, POLICY).would == UNKNOWN
    assert again(replayed, policy_of(steps=[10, 50], bake="60s", idle="replay")).would == "Promoted"


def test_what_went_on_without_requests_goes_on_by_each_policy_that_lets_it() -> None:
    policy = policy_of(steps=[20, 50], idle="promote", bake="60s")
    steps = played(policy, [Look(0)] * 30)
    assert end_of(steps) == "Promoted"
    as_it_was: dict[str, Any] = {"steps": [20, 50], "idle": "promote", "bake": "60s"}
    laxer: list[dict[str, Any]] = [
        {},
        {"steps": [20]},
        {"minRequests": 20},
        {"margin": 0.05},
        {"bake": "10s"},
    ]
    for change in laxer:
        assert again(steps, policy_of(**as_it_was | change)).would == "Promoted", change
    stricter: list[dict[str, Any]] = [{"idle": "hold"}, {"steps": [10, 20, 50]}]
    for change in stricter:
        assert again(steps, policy_of(**as_it_was | change)).would == UNKNOWN, change


def test_what_failed_late_might_have_gone_on_without_requests_before() -> None:
    steps = played(policy_of(steps=[20], minRequests=50), [*[Look(0)] * 10, *[Look(9, failed=9)] * 10])
    assert end_of(steps) == "RolledBack"
    assert again(steps, policy_of(steps=[20], idle="promote")).would == UNKNOWN
    assert again(steps, policy_of(steps=[20, 50, 60], idle="promote")).would == "RolledBack"


def test_what_a_human_decided_stays_decided() -> None:
    aborted = [step(0, "Start"), step(1, "Shift", percent=10), step(9, "Rollback", wish="w", by="ann")]
    assert again(aborted, policy_of(steps=[50])).would == "RolledBack"
    promoted = [step(0, "Start"), step(1, "Shift", percent=10), step(5, "Bake", wish="w", percent=100)]
    assert again([*promoted, step(6, "Promote", wish="v")], POLICY).would == "Promoted"


def test_arms_that_only_one_of_both_policies_judges_leave_the_end_unknown() -> None:
    """Whether answers agree, and labels are right, is judged where a policy asks for it."""
    passed = {"e": 1.0, "failAt": 2000.0, "support": 120.0, "passAt": 100.0, "judged": 300, "margin": 0.2}
    begun = [step(0, "Start"), step(1, "Shift", percent=50)]
    errors = {**passed, "margin": 0.02}
    counts = {"requests": 300, "inStep": 300}
    baked = step(5, "Bake", evidence=counts, verdict={"errors": errors, "agreement": passed})
    ended = [*begun, baked, step(500, "Promote")]
    asks = {"steps": [50], "bake": "60s"}
    assert again(ended, policy_of(**asks, compare=5)).would == "Promoted"
    assert again(ended, policy_of(**asks, compare=5), 0.9).why.startswith("L of agreement is recorded for ")
    assert again(ended, policy_of(**asks, labels=True)).why == "its record has no numbers of labels"
    failed = {"agreement": {**passed, "e": 4000.0, "support": 1.0}}
    back = [*begun, step(9, "Rollback", evidence={"inStep": 30}, verdict=failed)]
    assert again(back, policy_of(**asks, compare=5)).would == "RolledBack"
    assert again(back, policy_of(**asks, compare=5), 0.9).would == "RolledBack"
    assert again(back, policy_of(**asks, compare=5), 0.5).would == UNKNOWN
    assert again(back, policy_of(**asks)).why == "the policy judges agreement differently, or not at all"


def test_records_without_numbers_tell_nothing_of_a_verdict() -> None:
    """knoll 0.2 wrote them."""
    for steps in (played(POLICY, SOUND), played(POLICY, BROKEN_LATE)):
        assert again([replace(one, verdict={}) for one in steps], POLICY).would == UNKNOWN


def test_of_a_first_version_one_in_a_hundred_may_fail_and_more_of_the_least_requests_tell_later() -> None:
    steps = played(POLICY, [Look(failed=1)] * 30, champion="")
    assert end_of(steps) == "RolledBack"
    assert again(steps, POLICY).would == "RolledBack"
    assert again(steps, policy_of(minRequests=500)).would == UNKNOWN
    once = played(policy_of(minRequests=200, bake="60s"), [Look(), Look(failed=1), *SOUND], champion="")
    assert end_of(once) == "Promoted"
    assert again(once, policy_of(minRequests=100, bake="60s")).would == "Promoted"
    assert again(once, policy_of(minRequests=50, bake="60s")).would == UNKNOWN


def test_a_version_that_is_tried_again_has_two_rollouts() -> None:
    tried = [
        step(0, "Start"),
        step(1, "Rollback"),
        step(2, "Refuse"),
        step(3, "Start", wish="w"),
        step(4, "Shift"),
    ]
    first, second = trials(tried)
    assert (first.ended, second.ended) == ("RolledBack", "")
    assert (first.is_approved, second.is_approved) == (False, True)
    assert trials([step(0, "Refuse"), step(1, "Damage")]) == []
