"""A rollback in the bake: the champion's old revision gets all traffic before a new one starts."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from knoll.events import TRAINING_SUCCEEDED
from knoll.kube.annotations import ROLLOUT_WISH
from knoll.kube.labels import VERSION_LABEL, label_of
from knoll.kube.predictors import traffic_of
from knoll.laptop.serving.plan import plan
from knoll.laptop.serving.revisions import Readiness, verdict, with_verdict
from knoll.rollout.wishes import new_wish
from rollout.world import Replays, World, make_world, promote_first

URL = "http://gateway"


@dataclass
class Serving(World):
    """With revisions and traffic by KServe's rules, as the laptop has them. A new revision of a version in
    `starting` is not ready yet."""

    starting: set[str] = field(default_factory=set)

    def kserve(self) -> None:
        service, cluster = self.service(), self.platform.cluster
        if service is None:
            return
        wanted = plan(service, cluster.list("Revision"), URL)
        if wanted.create:
            cluster.create(wanted.create)
        for name in wanted.delete:
            cluster.delete("Revision", name)
        for one in cluster.list("Revision"):
            if verdict(one).status == "Unknown" and label_of(one, VERSION_LABEL) not in self.starting:
                cluster.update(with_verdict(one, Readiness("True", "", "")), status=True)
        status = plan(service, cluster.list("Revision"), URL).status
        cluster.update({**service, "status": status}, status=True)

    def answering(self) -> list[str]:
        """The versions that get traffic."""
        service = self.service()
        names = [one["revisionName"] for one in traffic_of(service) if one["percent"]] if service else []
        return [label_of(self.platform.cluster.get("Revision", name), VERSION_LABEL) for name in names]

    def abort(self) -> None:
        """Ann ends the rollout."""
        document = self.platform.cluster.get("Model", "digits")
        wish = new_wish("abort", "v000002", "ann", self.time.now().isoformat())
        metadata = {**document["metadata"], "annotations": {ROLLOUT_WISH: wish.encode()}}
        self.platform.cluster.update({**document, "metadata": metadata})
        self.tell(TRAINING_SUCCEEDED)

    def remove(self) -> None:
        """Somebody deletes the InferenceService, and its revisions go with it."""
        self.platform.cluster.delete("InferenceService", "digits")
        for one in self.platform.cluster.list("Revision"):
            self.platform.cluster.delete("Revision", one["metadata"]["name"])


@pytest.fixture
def baking(tmp_path: Path) -> Serving:
    """v000002 has all traffic, in its bake, and new revisions of v000001 take their time."""
    made = make_world(tmp_path)
    world = Serving(replace(made.platform, predictors=Replays("v000002")), made.time, made.sink)
    promote_first(world)
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    for requests in (20, 40):
        world.observe("v000002", requests)
    assert (world.status()["phase"], world.answering()) == ("Baking", ["v000002"])
    world.starting.add("v000001")
    return world


def test_the_champion_answers_at_once_and_goes_on_when_its_new_revision_is_ready(baking: Serving) -> None:
    baking.abort()
    assert (baking.served(), baking.answering()) == (("v000001", 0), ["v000001"])
    assert baking.status()["phase"] == "RollingBack"
    baking.starting.clear()
    baking.tell(TRAINING_SUCCEEDED)
    assert (baking.served(), baking.answering()) == (("v000001", None), ["v000001"])
    assert (baking.status()["phase"], baking.status()["champion"]) == ("Idle", "v000001")


def test_the_candidate_steps_back_before_the_champion_is_asked_for(baking: Serving) -> None:
    baking.passes = 0
    baking.abort()
    assert (baking.served(), baking.status()["rollout"]["stepsBack"]) == (("v000002", 0), True)
    baking.tell(TRAINING_SUCCEEDED)
    assert baking.served() == ("v000002", 0)
    baking.kserve()
    baking.tell(TRAINING_SUCCEEDED)
    assert (baking.served(), baking.status()["rollout"]["stepsBack"]) == (("v000001", 0), False)


def test_without_a_revision_before_the_candidates_the_champion_is_asked_for_after_ten_seconds(
    baking: Serving,
) -> None:
    baking.remove()
    baking.tell(TRAINING_SUCCEEDED)
    baking.time.is_still = True  # what is due is not waited for
    baking.abort()
    assert (baking.served(), baking.answering()) == (("v000002", 0), ["v000002"])
    baking.time.move(11)
    baking.tell(TRAINING_SUCCEEDED)
    assert baking.served() == ("v000001", 0)
    baking.starting.clear()
    baking.tell(TRAINING_SUCCEEDED)
    assert (baking.served(), baking.answering()) == (("v000001", None), ["v000001"])


def test_an_inference_service_that_is_removed_meanwhile_comes_back_with_the_champion(baking: Serving) -> None:
    baking.passes = 0
    baking.abort()
    baking.remove()
    baking.tell(TRAINING_SUCCEEDED)
    assert baking.served() == ("v000001", 0)
