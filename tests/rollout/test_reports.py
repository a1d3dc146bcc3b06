"""Which reports decide a rollout: those that the Revision has proved, with counts that can be."""

import json
from base64 import b64decode
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from knoll.adapters.cluster_local import LocalCluster
from knoll.errors import InvalidEvent
from knoll.events import PREDICTOR_OBSERVED, REPORT_DISBELIEVED, TICK, TRAINING_SUCCEEDED, new_event
from knoll.keys import read_signer
from knoll.ports import PredictAnswer, PredictRequest
from knoll.proofs import REPLAY_PURPOSE, REPORT_PURPOSE, is_proven, prove
from knoll.records.answered import Answered
from knoll.records.evidence import Report, evidence_uri, find_reports
from knoll.records.outputs import Outputs
from knoll.rollout import handler
from knoll.rollout.plausible import MOST_PER_SECOND, MOST_REPLICAS, most_replicas, why_impossible
from knoll.rollout.reports import read_report
from rollout.world import Replays, World, make_world, promote_first, with_policy
from support.documented import undocumented
from support.keys import private_key

KEY = private_key(3)
START = "2026-01-01T00:00:00+00:00"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """v000002 is on trial, and needs 1,000 requests a step; the platform has a key."""
    world = make_world(tmp_path, stamp_key=KEY)
    promote_first(world)
    cluster = world.platform.cluster
    cluster.update(with_policy(cluster.get("Model", "digits"), minRequests=1000))
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000002", 20)
    return world


def send(world: World, data: dict[str, Any], **extensions: str) -> None:
    """Somebody posts a report."""
    told = {"model": "digits", **data}
    event = new_event(PREDICTOR_OBSERVED, source="/attacker", time=world.time.now(), data=told)
    assert handler.handle(replace(event, extensions=extensions), world.platform) is None
    world.kserve()


def disbelieved(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.status().get("disbelievedReports", {})
    return found


def version(world: World) -> int:
    """A number that rises with each write to any object."""
    cluster = world.platform.cluster
    assert isinstance(cluster, LocalCluster)
    return cluster.revision()


def is_untouched(world: World) -> bool:
    """Whether nothing was counted, and no step made."""
    kept = find_reports("digits", "v000002", world.platform.bucket)
    return not kept and world.served() == ("v000002", 20) and world.status()["phase"] == "Canary"


@pytest.mark.parametrize(
    "counts", [(5_000, 0), (50_000, 50_000), (-5, 0), (10, 11), (1.5, 0), (True, 0), ("9", 0)]
)
def test_forged_reports_decide_nothing_and_become_no_dead_letters(
    world: World, counts: tuple[Any, Any]
) -> None:
    """Whatever they count, and whatever proof they make up; the real predictor is believed beside them."""
    requests, errors = counts
    for proof in (None, "", "x", 7, "0" * 64, prove("guessed", REPORT_PURPOSE, b"")):
        forged = {"version": "v000002", "instance": "forged", "requests": requests, "errors": errors}
        send(world, forged if proof is None else {**forged, "proof": proof})
    assert is_untouched(world)
    world.observe("v000002", 1000)
    assert world.served() == ("v000002", 50)


def test_what_only_a_newer_knoll_says_of_forged_reports_stays_when_others_come(world: World) -> None:
    forged = {"version": "v000002", "instance": "forged", "requests": 9, "errors": 9}
    send(world, forged)
    document = world.platform.cluster.get("Model", "digits")
    told = {**disbelieved(world), "addedLater": 1}
    grown = {**document, "status": {**document["status"], "disbelievedReports": told}}
    world.platform.cluster.update(grown, status=True)
    world.time.move(61)
    send(world, forged)
    assert (disbelieved(world)["count"], disbelieved(world)["addedLater"]) == (2, 1)


def test_a_proof_holds_for_its_model_version_and_counts_alone(world: World) -> None:
    """Neither the champion's predictor nor one of another Model speaks for the candidate."""
    honest = world.report("v000002", 10)
    for changed in ({"requests": 5_000}, {"errors": 10}, {"instance": "another"}, {"revision": "another"}):
        send(world, {**honest, **changed})
    latency = {"bucketsSeconds": [1.0], "counts": [10, 0]}
    send(world, {**honest, "latency": latency})
    apart = {"requests": 0, "errors": 0, "timeouts": 0, "refused": 0, "latency": []}
    send(world, {**honest, "timeouts": 0, "cold": apart})
    of_champion = {**world.report("v000001", 5_000), "version": "v000001"}
    send(world, of_champion)
    assert is_untouched(world)
    assert not find_reports("digits", "v000001", world.platform.bucket).keys() - {"pod-v000001"}
    send(world, world.report("v000002", 10, latency=latency))
    assert find_reports("digits", "v000002", world.platform.bucket)["pod-v000002"].latency == latency


def test_the_same_report_again_does_no_harm(world: World) -> None:
    said = world.report("v000002", 600)
    for _ in range(5):
        send(world, said)
    assert (world.served(), disbelieved(world)) == (("v000002", 20), {})
    assert world.status()["rollout"]["evidence"]["requests"] == 600


def test_reports_that_are_not_believed_are_counted_and_told_once(world: World) -> None:
    """A process writes once a minute, however many come; after a day without one it is news again."""
    forged = {"version": "v000002", "instance": "forged", "requests": 5_000, "errors": 0}
    before = version(world)
    for _ in range(500):
        send(world, forged)
    assert (disbelieved(world)["count"], version(world)) == (1, before + 1)
    assert "has no proof" in disbelieved(world)["reason"]
    world.time.move(61)
    send(world, forged)
    assert disbelieved(world)["count"] == 501
    (told,) = [one for one in world.sink.taken if one.type == REPORT_DISBELIEVED]
    assert undocumented([told]) == set()
    tick = new_event(TICK, source="/test", time=world.time.now())
    handler.sweep(tick, world.platform)
    assert disbelieved(world)["count"] == 501
    world.time.move(86_401)
    handler.sweep(tick, world.platform)
    assert disbelieved(world) == {}
    send(world, forged)
    assert (disbelieved(world)["count"], world.sink.types().count(REPORT_DISBELIEVED)) == (1, 2)


def test_a_platform_without_a_key_believes_every_report(tmp_path: Path) -> None:
    """As before there were keys. What is no report is refused as an event."""
    world = make_world(tmp_path)
    promote_first(world)
    world.observe("v000001", 30)
    assert find_reports("digits", "v000001", world.platform.bucket)["pod-v000001"].requests == 30
    with pytest.raises(InvalidEvent):
        send(world, {"version": "v000001", "instance": "x", "requests": -5, "errors": 0})


def with_key(world: World, number: int) -> None:
    """From now on the platform has this key."""
    public = read_signer(private_key(number)).public.pem
    known = world.platform.settings.stamp_verify_key + public
    keys = {"stamp_key": private_key(number), "stamp_verify_key": known}
    settings = world.platform.settings.model_copy(update=keys)
    world.platform = replace(world.platform, settings=settings)


def test_a_predictor_of_an_older_release_is_replaced_during_the_trial(tmp_path: Path) -> None:
    """Its reports are ignored from the moment the platform has a key; those of its successor count."""
    world = make_world(tmp_path)
    promote_first(world)
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    old, since = world.report("v000002", 12), world.status()["rollout"]["since"]
    with_key(world, 3)
    send(world, old)
    assert is_untouched(world)
    world.tell(TRAINING_SUCCEEDED)
    assert world.revision_key()
    assert (world.status()["rollout"]["since"], world.served()) == (since, ("v000002", 20))
    world.observe("v000002", 20)
    assert world.served() == ("v000002", 50)


def test_after_the_key_was_replaced_each_predictor_gets_another_one(world: World) -> None:
    """What the old ones report meanwhile does not count."""
    of_old, before = world.report("v000002", 400), world.revision_key()
    with_key(world, 4)
    send(world, of_old)
    assert "not made with the key" in disbelieved(world)["reason"]
    world.tell(TRAINING_SUCCEEDED)
    assert world.revision_key() != before
    assert is_untouched(world)
    world.observe("v000002", 1000)
    assert world.served() == ("v000002", 50)


def test_the_key_of_a_revision_is_in_a_secret_of_its_model_alone(world: World) -> None:
    """Not in the InferenceService; the platform's own key is nowhere. Each version has another one."""
    cluster = world.platform.cluster
    secrets = cluster.list("Secret")
    keys = {b64decode(one["data"]["key"]).decode() for one in secrets}
    assert [one["metadata"]["labels"]["knoll.dev/version"] for one in secrets] == ["v000001", "v000002"]
    assert len(keys) == 2
    uid = cluster.get("Model", "digits")["metadata"]["uid"]
    assert {one["metadata"]["ownerReferences"][0]["uid"] for one in secrets} == {uid}
    assert all(one["immutable"] for one in secrets)
    documents = json.dumps([world.service(), cluster.list("Model"), cluster.list("Revision")])
    assert not [one for one in (*keys, KEY) if one in documents]
    assert KEY not in json.dumps(secrets)


@dataclass
class Asked(Replays):
    """A predictor that keeps what it is asked."""

    requests: list[PredictRequest] = field(default_factory=list)

    def predict(self, request: PredictRequest) -> PredictAnswer:
        self.requests.append(request)
        return super().predict(request)


def test_a_replay_is_proved_with_the_key_of_its_version(world: World) -> None:
    asked = Asked()
    cluster = world.platform.cluster
    cluster.update(with_policy(cluster.get("Model", "digits"), idle="replay", minRequests=20))
    world.platform = replace(world.platform, predictors=asked)
    world.time.move(4)
    world.tell(TRAINING_SUCCEEDED)
    assert {one.url for one in asked.requests} == {"http://tagged/v000001", "http://tagged/v000002"}
    for one in asked.requests:
        assert is_proven(one.replay, world.key_of(one.url[-7:]), REPLAY_PURPOSE, one.body)


def test_what_the_gateway_has_not_sent_is_not_believed(world: World) -> None:
    """Also if it is proved: on a laptop every request comes through the gateway, which counts."""
    said = world.report("v000002", 400)
    send(world, said, knollasked="399")
    assert is_untouched(world)
    assert "but the gateway has sent it 399" in disbelieved(world)["reason"]
    send(world, said, knollasked="400")
    assert world.status()["rollout"]["evidence"]["requests"] == 400


def test_one_version_has_a_bounded_number_of_reports(tmp_path: Path) -> None:
    """But one that serves for long has had many replicas."""
    world = make_world(tmp_path)
    promote_first(world)
    created = world.platform.cluster.get("Model", "digits")["metadata"]["creationTimestamp"]
    most = most_replicas(created, world.time.now())
    for number in range(most + 20):
        send(world, {"version": "v000001", "instance": f"i{number}", "requests": 1, "errors": 0})
    place = evidence_uri("s3://knoll-models", "digits", "v000001")
    assert len(list(world.platform.store.list(place))) == most < MOST_REPLICAS + 100
    send(world, {"version": "v000001", "instance": "i7", "requests": 2, "errors": 0})
    assert find_reports("digits", "v000001", world.platform.bucket)["i7"].requests == 2
    world.time.move(86_400)
    send(world, {"version": "v000001", "instance": "after-a-day", "requests": 2, "errors": 0})
    assert len(list(world.platform.store.list(place))) == most + 1


def apart(*numbers: int) -> dict[str, Any]:
    names = ("requests", "errors", "timeouts", "refused")
    return {**dict(zip(names, numbers, strict=False)), "latency": list(numbers[4:])}


def answers(*counts: int) -> dict[str, Any]:
    return {"bins": "classes-1", "counts": list(counts), "notFinite": 3, "constant": 10}


def in_sessions(sessions: int, failed: int, judged: dict[str, Any], *late: Any) -> dict[str, Any]:
    told = dict(zip(("late", "failedLate"), late, strict=False))
    return {"judged": judged, "sessions": sessions, "failedSessions": failed, **told}


@pytest.mark.parametrize(
    ("change", "is_believed"),
    [
        ({"cold": apart(2, 1, 0, 0, 1, 1)}, True),
        ({"cold": apart(2, 2, 0, 0, 1, 1)}, False),  # more errors than all
        ({"cold": apart(2, 0, 2, 1, 1, 1)}, False),  # more than there are
        ({"cold": apart(2, 0, 0, 0, 3, -1)}, False),
        ({"cold": apart(2, 0, 0, 0, 1)}, False),  # other buckets
        ({"cold": apart(9, 1, 0, 0, 3, 6)}, False),  # warm requests that were refused, and none answered
        ({"cold": {}}, False),
        ({"cold": 7}, False),
        ({"timeouts": 8}, False),
        ({"timeouts": True}, False),
        ({"outputs": answers(4, 6)}, True),
        ({"outputs": answers(4, 7)}, False),  # more answers than requests
        ({"outputs": answers(4, 6), "cold": apart(1, 0, 0, 0, 1, 0)}, False),  # also one that was cold
        ({"outputs": answers(4, -1)}, False),
        ({"outputs": {**answers(4), "bins": 7}}, False),
        ({"outputs": {**answers(4), "notFinite": 4}}, False),  # without a failure
        ({"outputs": {**answers(4), "constant": 11}}, False),
        ({"outputs": answers(*[0] * 65)}, False),
        ({"outputs": None}, False),
        (in_sessions(2, 1, apart(3, 1, 0, 0, 2, 1)), True),
        (in_sessions(2, 3, apart(3, 1, 0, 0, 2, 1)), False),  # more failed than there were
        (in_sessions(11, 1, apart(3, 1, 0, 0, 2, 1)), False),
        (in_sessions(2, 1, apart(3, 2, 0, 0, 2, 1)), False),
        (in_sessions(2, 1, apart(3, 1, 0, 0, 5, 0)), False),
        (in_sessions(2, 1, {}), False),
        (in_sessions(2, 1, apart(3, 1, 0, 0, 2, 1), 7, 2), True),
        (in_sessions(2, 1, apart(3, 1, 0, 0, 2, 1), 8, 2), False),  # some are also first ones
        (in_sessions(2, 1, apart(3, 1, 0, 0, 2, 1), 1, 2), False),
        (in_sessions(2, 1, apart(3, 1, 0, 0, 2, 1), 1, -1), False),
        (in_sessions(2, 1, apart(3, 1, 0, 0, 2, 1), None, 0), False),
        ({**in_sessions(2, 1, apart(9, 1, 0, 0, 4, 5)), "cold": apart(2, 0, 0, 0, 0, 2)}, False),  # both
        ({"judged": apart(3, 1, 0, 0, 2, 1)}, False),
    ],
)
def test_parts_of_a_report_that_are_none_of_its_whole_are_not_believed(
    world: World, change: dict[str, Any], is_believed: bool
) -> None:
    latency = {"bucketsSeconds": [1.0], "counts": [4, 6]}
    said = {"requests": 10, "errors": 1, "refused": 2, "timeouts": 1, "cold": apart(0, 0, 0, 0, 0, 0)}
    told = {"version": "v000002", "instance": "pod", **said, "latency": latency, **change}
    event = new_event(PREDICTOR_OBSERVED, source="/test", time=world.time.now(), data=told)
    if is_believed:
        assert read_report("digits", event).requests == 10
    else:
        with pytest.raises(InvalidEvent):
            read_report("digits", event)


def test_cold_requests_are_no_fewer_than_before() -> None:
    before = replace(report(10, 2), cold=Answered(2, 1), timeouts=1)
    for cold, words in (
        (Answered(2, 1), ""),
        (Answered(1, 1), "cold or judged"),
        (Answered(9, 2), "cold or judged"),
    ):
        now = replace(report(11, 2, after=1), cold=cold, timeouts=1)
        told = why_impossible(now, before, START, None)
        assert words in told
        assert bool(words) == bool(told)


@pytest.mark.parametrize(
    ("outputs", "is_possible"),
    [
        (Outputs("a", (3, 3), 1, 2), True),
        (Outputs("a", (3, 2), 0, 2), True),
        (Outputs("b", (3, 3), 0, 2), False),
        (Outputs("a", (2, 3), 0, 2), False),
        (Outputs("a", (4, 3), 0, 2), False),
        (Outputs("a", (3, 2), 0, 1), False),
        (None, False),
    ],
)
def test_answers_are_no_fewer_than_before_nor_more_than_requests(
    outputs: Outputs | None, is_possible: bool
) -> None:
    before = replace(report(10, 2), outputs=Outputs("a", (3, 2), 0, 2))
    now = replace(report(11, 2, after=1), outputs=outputs)
    assert (why_impossible(now, before, START, None) == "") == is_possible


@pytest.mark.parametrize(
    ("judged", "sessions", "is_possible"),
    [
        (Answered(6, 1), (3, 1), True),
        (Answered(5, 1), (2, 1), True),  # a later request of a session
        (Answered(4, 1), (2, 1), False),
        (Answered(5, 0), (2, 1), False),
        (Answered(6, 1), (4, 1), False),
        (Answered(6, 1), (3, 0), False),
    ],
)
def test_sessions_are_no_fewer_than_before_nor_more_than_requests(
    judged: Answered, sessions: tuple[int, int], is_possible: bool
) -> None:
    before = replace(report(10, 2), cold=Answered(), judged=Answered(5, 1), sessions=2, failed_sessions=1)
    now = replace(report(11, 2, after=1), cold=Answered(), judged=judged, sessions=sessions[0])
    now = replace(now, failed_sessions=sessions[1])
    assert (why_impossible(now, before, START, None) == "") == is_possible


@pytest.mark.parametrize(
    ("late", "is_possible"),
    [((4, 1), True), ((5, 2), True), ((3, 1), False), ((4, 0), False), ((4, 2), False), ((6, 1), False)],
)
def test_late_outcomes_are_no_fewer_than_before_nor_more_than_requests(
    late: tuple[int, int], is_possible: bool
) -> None:
    before = replace(report(10, 2), cold=Answered(), judged=Answered(2), sessions=2, late=4, failed_late=1)
    now = replace(before, requests=11, errors=3, late=late[0], failed_late=late[1])
    assert (why_impossible(now, before, START, None) == "") == is_possible


def report(requests: int, errors: int = 0, after: float = 0) -> Report:
    at = datetime.fromisoformat(START) + timedelta(seconds=after)
    return Report("digits", "v000001", "pod", requests, errors, reported_at=at.isoformat())


@pytest.mark.parametrize(
    ("said", "before", "words"),
    [
        (report(10, 3, after=1), report(5, 1), ""),
        (
            report(10, 1, after=1),
            report(5, 2),
            "it reports 5 new requests, of them -1 failed and 0 refused",
        ),
        (
            report(10, 7, after=1),
            report(5, 1),
            "it reports 5 new requests, of them 6 failed and 0 refused",
        ),
        (
            report(5, 1, after=1),
            report(5, 0),
            "it reports 0 new requests, of them 1 failed and 0 refused",
        ),
        (report(5, 0), report(9, 0, after=1), ""),  # an older report that comes late
        (report(5, 0, after=3600), report(9, 0), "it reports 5 requests, after 9 before"),
        (report(MOST_PER_SECOND * 3600, after=3600), None, ""),
        (report(2**53, after=3600), None, "more than one process can answer"),
        (report(2**53, after=3600), report(9, 0), "more than one process can answer"),
    ],
)
def test_counts_that_cannot_be_are_told_from_those_that_can(
    said: Report, before: Report | None, words: str
) -> None:
    since = before.reported_at if before else START
    found = why_impossible(said, before, since, None)
    assert found.endswith(words) if words else found == ""
