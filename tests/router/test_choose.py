"""Who answers a request, and who gets a copy: visitors stay, shares are right, copies harm nobody."""

import math
from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from knoll.router.choose import Choice, choose
from knoll.router.points import Points
from knoll.router.policy import Policies, RoutingPolicy
from knoll.router.proxy import Question, question_of, to_compare
from knoll.router.targets import Target, targets_of
from knoll.router.visitor import find_visitor
from support.models import model_document

STICKY = RoutingPolicy("digits", "header:x-user")
USERS = [f"user-{number}" for number in range(1000)]


def shared(percent: int) -> tuple[Target, Target]:
    return Target("new", percent, "latest"), Target("old", 100 - percent, "prev")


def chosen(
    percent: int,
    headers: dict[str, str] | None = None,
    policy: RoutingPolicy = STICKY,
    chance: float = 0.0,
    points: Points | None = None,
) -> Choice:
    points = points or Points(Random(1))
    found = choose(policy, shared(percent), headers or {}, points, lambda: chance)
    assert found is not None
    return found


def on_new(percent: int) -> set[str]:
    return {user for user in USERS if chosen(percent, {"x-user": user}).answers.revision == "new"}


def within_bounds(count: int, of: int, percent: int) -> bool:
    """Within five standard errors of a binomial share, and ten more, as small shares are skewed."""
    share = percent / 100
    return abs(count - of * share) <= 5 * math.sqrt(of * share * (1 - share)) + 10


@settings(max_examples=30)
@given(st.lists(st.integers(0, 100), min_size=2, max_size=8))
def test_no_visitor_goes_back_while_the_share_grows(percents: list[int]) -> None:
    """Of 1000 visitors, each that a share leads to the newest is also there with every greater share."""
    ramp = sorted(percents)
    seen = [on_new(percent) for percent in ramp]
    assert all(before <= after for before, after in pairwise(seen))
    assert all(within_bounds(len(there), 1000, percent) for there, percent in zip(seen, ramp, strict=True))


@given(st.text(min_size=1).map(lambda text: text.strip() or "x"), st.integers(0, 100))
def test_a_visitor_always_gets_the_same_version(user: str, percent: int) -> None:
    """Whatever the chance is, whichever router decides, and whatever the value is."""
    first, again = (chosen(percent, {"x-user": user}, chance=one) for one in (0.0, 0.999))
    assert first == again
    assert len(first.session) == 32


def test_with_each_newest_revision_all_sessions_begin_anew() -> None:
    """Of both versions: predictors judge the first request of a session."""

    def sessions(newest: str, user: str, percent: int) -> str:
        targets = (Target(newest, percent), Target("old", 100 - percent))
        found = choose(STICKY, targets, {"x-user": user}, Points(Random(1)), lambda: 0.0)
        return found.session if found else ""

    assert sessions("new", "ann", 10) == sessions("new", "ann", 90)
    assert len({sessions("new", "ann", 10), sessions("newer", "ann", 10), sessions("new", "bob", 10)}) == 3


def test_visitors_of_one_model_are_others_for_another() -> None:
    """Else the same people would try each new version of all models."""
    visitors = [
        (
            find_visitor("digits", "header:x-user", {"x-user": user}),
            find_visitor("faces", "header:x-user", {"x-user": user}),
        )
        for user in USERS
    ]
    both = sum(1 for one, other in visitors if one and other and one.point < 50 and other.point < 50)
    assert within_bounds(both, 1000, 25)


@given(st.integers(0, 100), st.integers(0, 2**32), st.integers(0, 250))
def test_of_any_hundred_requests_in_a_row_each_version_gets_its_share(
    percent: int, seed: int, begin: int
) -> None:
    """Not on average alone, whatever other models get between."""
    random, points, other = Random(seed), Points(Random(seed)), RoutingPolicy("faces")
    found = []
    for _ in range(begin + 100):
        if random.random() < 0.3:
            choose(other, shared(50), {}, points, random.random)
        found.append(choose(STICKY, shared(percent), {}, points, random.random))
    names = [one.answers.revision for one in found[begin:] if one]
    assert (names.count("new"), names.count("old")) == (percent, 100 - percent)
    assert {one.session for one in found if one} == {""}


def test_the_order_of_the_shares_has_no_rhythm_and_is_another_in_each_trial() -> None:
    points = Points(Random(1))
    first, again, second = (
        [points.next("digits", newest) < 50 for _ in range(100)] for newest in ("r2", "r2", "r3")
    )
    assert first == again != second
    assert 30 < sum(one != other for one, other in pairwise(first)) < 70


def test_a_cookie_or_a_header_tells_visitors_apart() -> None:
    """Names of headers know no case, names of cookies do. An empty value is none."""

    def session(sticky: str, **headers: str) -> str:
        visitor = find_visitor(
            "digits", sticky, {name.replace("_", "-"): one for name, one in headers.items()}
        )
        return visitor.session if visitor else ""

    by_header = session("header:X-User", x_user="ann")
    assert by_header == session("cookie:id", cookie="a=b; id=ann; id=bob") != ""
    assert session("cookie:id", cookie="ID=ann; xid=ann; id") == ""
    assert session("header:x-user", x_user="") == session("header:x-user") == ""
    assert by_header != session("header:x-user", x_user="bob")


def test_a_revision_at_zero_percent_answers_nobody() -> None:
    random = Random(1)
    for percent, name in ((0, "old"), (100, "new")):
        points = Points(random)
        found = {choose(STICKY, shared(percent), {}, points, random.random) for _ in range(200)}
        assert {one.answers.revision for one in found if one} == {name}
        assert on_new(percent) == (set(USERS) if percent else set())


def test_without_traffic_nobody_answers() -> None:
    for targets in ((), (Target("new", 0),)):
        assert choose(STICKY, targets, {}, Points(Random(1)), lambda: 0.0) is None


@given(st.integers(1, 100), st.integers(0, 2**32))
def test_a_shadow_answers_nobody_and_gets_its_share_of_copies(shadow: int, seed: int) -> None:
    random, policy = Random(seed), RoutingPolicy("digits", shadow=shadow)
    points = Points(random)
    found = [choose(policy, shared(0), {}, points, random.random) for _ in range(400)]
    assert {one.answers.revision for one in found if one} == {"old"}
    copied = [one.copied_to for one in found if one and one.copied_to]
    assert {one.revision for one in copied} <= {"new"}
    assert within_bounds(len(copied), 400, shadow)


def test_a_session_is_copied_as_a_whole() -> None:
    """Else a session of the copies would have fewer requests than one of the champion."""
    policy = RoutingPolicy("digits", "header:x-user", shadow=30)
    for user in USERS:
        found = {chosen(0, {"x-user": user}, policy, chance).copied_to for chance in (0.0, 0.5, 0.99)}
        assert len(found) == 1


def test_who_answers_gets_no_copy() -> None:
    """With all traffic, as in the bake, there is nobody to copy for. With half of it, as when a bake raised
    a suspicion, its evidence comes of its own answers."""
    policy = RoutingPolicy("digits", shadow=100)
    assert chosen(100, policy=policy).copied_to is None
    assert chosen(50, policy=policy, chance=0.9).copied_to is None
    alone = choose(policy, (Target("new", 100),), {}, Points(Random(1)), lambda: 0.0)
    assert alone == Choice(Target("new", 100))


def test_the_newest_revision_is_the_first_target() -> None:
    """As KServe writes them, in any order; a target without a percentage has none."""
    new = {"revisionName": "b", "percent": 20, "tag": "latest", "latestRevision": True}
    old = {"revisionName": "a", "percent": 80, "tag": "prev", "latestRevision": False}
    assert (
        targets_of([old, new])
        == targets_of([new, old])
        == (Target("b", 20, "latest"), Target("a", 80, "prev"))
    )
    assert targets_of([{"revisionName": "a", "tag": "prev"}, {"percent": 1}]) == (Target("a", 0, "prev"),)


def test_copies_are_made_only_while_a_version_is_on_trial() -> None:
    document = model_document("digits", rollout={"mode": "shadow", "shadow": 25, "sticky": "cookie:id"})
    policies = Policies()
    for number, (phase, shadow) in enumerate(
        (("Idle", 0), ("Deploying", 0), ("Canary", 25), ("RollingBack", 0))
    ):
        document["status"], document["metadata"]["resourceVersion"] = {"phase": phase}, str(number)
        assert policies.of("digits", document) == RoutingPolicy("digits", "cookie:id", shadow)
    assert policies.of("digits", {"metadata": {"name": "digits"}}) == RoutingPolicy("digits")
    assert policies.of("digits", None) == RoutingPolicy("digits")


def test_what_is_compared_is_asked_of_the_other_version_too() -> None:
    """Whichever answers, and as often as the policy says; of a sticky visitor all requests or none."""
    policy, points = RoutingPolicy("digits", compare=5), Points(Random(1))
    for chance, is_copied in ((0.04, True), (0.06, False)):
        found = [chosen(50, policy=policy, chance=chance, points=points) for _ in range(100)]
        pairs = {(one.answers.revision, one.copied_to and one.copied_to.revision) for one in found}
        assert pairs == ({("new", "old"), ("old", "new")} if is_copied else {("new", None), ("old", None)})
    sticky = RoutingPolicy("digits", "header:x-user", compare=50)
    found_by = [chosen(20, {"x-user": "ada"}, sticky, chance=one).copied_to for one in (0.0, 0.999)]
    assert found_by[0] == found_by[1]


def test_nothing_is_compared_with_a_version_that_has_no_traffic() -> None:
    for percent in (0, 100):
        assert chosen(percent, policy=RoutingPolicy("digits", compare=100)).copied_to is None


def test_the_policy_compares_while_a_version_is_on_trial() -> None:
    document = model_document("digits", rollout={"compare": 5})
    for number, (phase, compare) in enumerate((("Canary", 5), ("Baking", 0), ("Idle", 0))):
        metadata = {**document["metadata"], "resourceVersion": str(number)}
        found = Policies().of("digits", {**document, "metadata": metadata, "status": {"phase": phase}})
        assert found.compare == compare


def test_a_copy_has_the_id_of_the_answer_and_no_client_may_say_one() -> None:
    question = Question("POST", "/v1/models/digits:predict", (("accept", "*/*"),), b"{}")
    assert to_compare(question, "an-id").headers == (*question.headers, ("x-knoll-compare", "an-id"))
    assert to_compare(question, "") == question
    scope = {"type": "http", "method": "POST", "headers": [(b"x-knoll-compare", b"forged")]}
    path = {"path": "/", "raw_path": b"/", "query_string": b"", "path_params": {}}
    assert question_of(Request(scope | path), b"{}").headers == ()


def test_feedback_goes_to_both_versions_while_they_are_compared() -> None:
    """Either may know what it has answered to the same request; the copy counts for nothing else."""
    for part, copied in ((5, True), (0, False)):
        policy = RoutingPolicy("digits", compare=part).of_path("/v1/models/digits:feedback")
        assert (chosen(50, policy=policy, chance=0.99).copied_to is not None) is copied
    assert RoutingPolicy("digits", shadow=50).of_path("/v1/models/digits:feedback").shadow == 0
    assert RoutingPolicy("digits", shadow=50).of_path("/v1/models/digits:predict").shadow == 50
    question = Question("POST", "/v1/models/digits:feedback?x=1", (), b"{}")
    assert to_compare(question, "").headers == (("x-knoll-compare", "feedback-copy"),)
