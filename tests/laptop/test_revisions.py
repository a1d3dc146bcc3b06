"""What KServe in Knative mode makes of an InferenceService, as tables: each test walks a model through writes
and readiness."""

import copy
from typing import Any

import pytest

from knoll.kube.obstacles import GAVE_UP
from knoll.kube.predictors import traffic_of
from knoll.laptop.serving.plan import plan
from knoll.laptop.serving.revisions import Readiness, min_scale, with_verdict
from knoll.ports import Document

READY = Readiness("True", "")


class Walk:
    """An InferenceService, its Revisions and what `plan` makes of them, without a store."""

    def __init__(self, version: str = "v1", canary: int | None = None, **predictor: Any) -> None:
        self.revisions: dict[str, Document] = {}
        self.isvc: Document = {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {
                "name": "digits",
                "uid": "u1",
                "generation": 0,
                "annotations": {"serving.kserve.io/enable-tag-routing": "true"},
            },
            "spec": {
                "predictor": {
                    "minReplicas": 0,
                    "containers": [{"name": "kserve-container", "image": "knoll-predictor"}],
                }
            },
        }
        self.apply(version, canary, **predictor)

    def apply(self, version: str, canary: int | None = None, **predictor: Any) -> "Walk":
        spec = self.isvc["spec"]["predictor"] = {**self.isvc["spec"]["predictor"], **predictor}
        spec.pop("canaryTrafficPercent", None)
        spec["containers"] = [{**spec["containers"][0], "args": ["--version-uri", version]}]
        if canary is not None:
            spec["canaryTrafficPercent"] = canary
        self.isvc["metadata"]["generation"] += 1
        return self.settle()

    def judge(self, number: int, verdict: Readiness) -> "Walk":
        name = f"digits-predictor-{number:05d}"
        self.revisions[name] = with_verdict(self.revisions[name], verdict)
        return self.settle()

    def settle(self) -> "Walk":
        for _ in range(2):
            decided = plan(copy.deepcopy(self.isvc), list(self.revisions.values()), "http://here")
            for name in decided.delete:
                del self.revisions[name]
            if decided.create:
                self.revisions[decided.create["metadata"]["name"]] = decided.create
            self.isvc["status"] = decided.status
        return self

    @property
    def numbers(self) -> list[int]:
        return [int(name[-5:]) for name in self.revisions]

    @property
    def traffic(self) -> dict[int, int]:
        return {int(one["revisionName"][-5:]): one["percent"] for one in reversed(traffic_of(self.isvc))}

    @property
    def rolled_out(self) -> list[int]:
        predictor = self.isvc["status"]["components"]["predictor"]
        return [int(predictor.get(f"{which}RolledoutRevision", "0")[-5:]) for which in ("latest", "previous")]

    def condition(self, kind: str = "PredictorReady") -> Document:
        conditions: list[Document] = self.isvc["status"]["conditions"]
        return next(one for one in conditions if one["type"] == kind)


def promoted() -> Walk:
    """A model whose second revision was rolled out after its first."""
    return Walk().judge(1, READY).apply("v2").judge(2, READY)


def test_a_first_deploy_gets_all_traffic_whatever_its_canary_percentage() -> None:
    """Trap 1: the field is ignored until a revision was rolled out, and only from then on splits."""
    walk = Walk(canary=20)
    assert walk.traffic == {}
    walk.judge(1, READY)
    assert walk.rolled_out == [1, 0]
    assert {one["revisionName"] for one in traffic_of(walk.isvc)} == {"digits-predictor-00001"}
    assert sum(one["percent"] for one in traffic_of(walk.isvc)) == 100


def test_a_canary_splits_only_once_it_is_ready() -> None:
    """An unready candidate gets nothing and latestReadyRevision keeps the champion; ready, it gets its 20 %
    and the tag latest."""
    walk = Walk().judge(1, READY).apply("v2", 20)
    assert set(walk.traffic) == {1}
    assert walk.condition()["status"] == "Unknown"
    walk.judge(2, READY)
    assert walk.traffic == {2: 20, 1: 80}
    assert [(one["tag"], one["url"]) for one in traffic_of(walk.isvc)] == [
        ("latest", "http://here/latest-digits-predictor"),
        ("prev", "http://here/prev-digits-predictor"),
    ]
    assert walk.rolled_out == [1, 0]


def test_without_the_annotation_only_the_previous_revision_has_a_tag() -> None:
    """enable-tag-routing gives the tag latest; the tag prev is always there."""
    walk = Walk()
    walk.isvc["metadata"]["annotations"] = {}
    walk.settle().judge(2, READY).apply("v2", 20).judge(3, READY)
    assert [one.get("tag") for one in traffic_of(walk.isvc)] == [None, "prev"]


def test_removing_the_field_promotes() -> None:
    """At 100 % the candidate is rolled out, and the champion before it is the one step back."""
    walk = Walk().judge(1, READY).apply("v2", 20).judge(2, READY).apply("v2")
    assert walk.traffic == {2: 100}
    assert walk.rolled_out == [2, 1]
    assert walk.numbers == [1, 2]


def test_rolling_back_by_zero_keeps_the_bad_revision_reachable() -> None:
    """Trap 3: at 0 % the bad revision is still a target of the route."""
    walk = Walk().judge(1, READY).apply("v2", 20).judge(2, READY).apply("v2", 0)
    assert walk.traffic == {2: 0, 1: 100}


def test_a_bad_revision_never_gets_traffic_again_after_the_spec_is_restored() -> None:
    """0 % with the champion's spec makes a third revision; removing the field once that is ready rolls it
    out, and the bad one is gone."""
    walk = Walk().judge(1, READY).apply("v2", 20).judge(2, READY)
    seen = [walk.apply("v1", 0).traffic, walk.judge(3, READY).traffic, walk.apply("v1").traffic]
    assert seen == [{2: 0, 1: 100}, {3: 0, 1: 100}, {3: 100}]
    assert walk.rolled_out == [3, 1]
    assert walk.numbers == [1, 3]


def test_restoring_the_spec_and_removing_the_field_in_one_write_is_a_trap() -> None:
    """KServe sends everything to the newest ready revision, which is the bad one, until the restored one is
    ready."""
    walk = Walk().judge(1, READY).apply("v2", 20).judge(2, READY).apply("v1")
    assert walk.traffic == {2: 100}


def test_a_promoted_model_steps_back_once() -> None:
    """Trap 4: with 0 % and no change of the spec, the revision rolled out before takes all traffic, and no
    older one ever does."""
    walk = promoted().apply("v2", 0)
    assert walk.traffic == {2: 0, 1: 100}
    assert walk.rolled_out == [1, 1]
    assert walk.apply("v2").rolled_out == [2, 1]


@pytest.mark.parametrize(
    "change",
    [
        {"minReplicas": 1},
        {"maxReplicas": 3},
        {"containerConcurrency": 4},
        {"labels": {"team": "a"}},
        {"annotations": {"note": "b"}},
        {"serviceAccountName": "other"},
    ],
)
def test_every_change_of_the_template_is_a_new_revision(change: dict[str, Any]) -> None:
    """Trap 5: scale bounds are annotations of the template, and labels belong to it: "latest" then means
    another revision."""
    walk = Walk().judge(1, READY).apply("v1", None, **change)
    assert walk.numbers == [1, 2]
    assert walk.isvc["status"]["components"]["predictor"]["latestReadyRevision"] == "digits-predictor-00001"


def test_a_change_of_the_canary_percentage_is_no_new_revision() -> None:
    """Only the split changes."""
    walk = Walk().judge(1, READY).apply("v2", 20).judge(2, READY).apply("v2", 60)
    assert walk.numbers == [1, 2]
    assert walk.traffic == {2: 60, 1: 40}


def test_unset_min_replicas_means_one() -> None:
    """Trap 2: such a model never scales to zero."""
    walk = Walk()
    del walk.isvc["spec"]["predictor"]["minReplicas"]
    walk.settle()
    assert min_scale(list(walk.revisions.values())[-1]) == 1


def test_a_revision_that_failed_is_told_with_its_last_words_and_the_champion_serves_on() -> None:
    """PredictorReady is False with RevisionFailed, modelStatus BlockedByFailedLoad; traffic and
    latestReadyRevision stay."""
    failed = Readiness("False", GAVE_UP, "ValueError: wrong digest", 65)
    walk = Walk().judge(1, READY).apply("v2", 20).judge(2, failed)
    assert walk.condition() == {
        "type": "PredictorReady",
        "status": "False",
        "reason": "RevisionFailed",
        "message": 'Revision "digits-predictor-00002" failed with message: ValueError: wrong digest',
    }
    assert walk.condition("PredictorRouteReady")["status"] == "True"
    model_status = walk.isvc["status"]["modelStatus"]
    assert model_status["transitionStatus"] == "BlockedByFailedLoad"
    assert model_status["lastFailureInfo"]["message"] == "ValueError: wrong digest"
    assert set(walk.traffic) == {1}
    walk.apply("v3", 20).judge(3, READY)
    assert walk.traffic == {3: 20, 1: 80}
    assert walk.isvc["status"]["modelStatus"]["transitionStatus"] == "UpToDate"
    assert walk.numbers == [1, 3]


def test_what_is_settled_stays() -> None:
    """Deciding again with nothing new creates, deletes and changes nothing."""
    walk = promoted()
    again = plan(walk.isvc, list(walk.revisions.values()), "http://here")
    assert (again.create, again.delete, again.status) == (None, (), walk.isvc["status"])


def test_a_service_created_anew_does_not_inherit_revisions() -> None:
    """Revisions of another uid are garbage, also when they have the name of the new first one."""
    walk = Walk().judge(1, READY)
    walk.isvc["metadata"]["uid"] = "u2"
    walk.isvc.pop("status")
    decided = plan(walk.isvc, list(walk.revisions.values()), "http://here")
    assert decided.delete == ("digits-predictor-00001",)
    assert decided.create is not None
    assert decided.create["metadata"]["name"] == "digits-predictor-00001"
    assert decided.status["modelStatus"]["transitionStatus"] == "InProgress"
