"""A stored Model that this knoll cannot read, because an older one allowed what it refuses, is told, and
stops no other one."""

from typing import Any

import pytest

from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.platform import memory_platform
from knoll.cli.render.models import data_words
from knoll.events import TICK, new_event
from knoll.ports import Platform
from knoll.retention.plan import make_plan
from knoll.views.description import read_description
from knoll.views.doctor import examine
from knoll.views.models import find_model, model_document, read_models
from knoll.views.rollouts import read_rollout
from knoll.views.runs import RunsView, look_at_runs
from knoll.views.versions import read_versions
from knoll.wiring.stages import STAGES
from support.models import model_document as declared

FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "out of range": ({"training": {"retries": 99}}, "spec.training.retries: must be at least 0"),
    "no field any more": ({"serving": {"threads": 3}}, "spec.serving.threads: there is no such field"),
    "another type": ({"rollout": "fast"}, "spec.rollout: must be an object with fields"),
    "another order": ({"rollout": {"steps": [50, 5]}}, "spec.rollout.steps: steps must rise"),
    "no family": ({"family": None}, "spec.family: must be text"),
}


@pytest.fixture(params=FAULTS)
def faulty(request: pytest.FixtureRequest) -> tuple[Platform, str]:
    """A platform with a Model of that kind and a good one, whose data has landed; and the fault."""
    spec, told = FAULTS[request.param]
    platform = memory_platform(MemoryClock(step=0.001))
    for document in (declared("apples", **spec), declared("beans")):
        platform.cluster.create(document)
        for name in ("0/a.png", "1/b.png", "_SUCCESS"):
            platform.store.put(f"s3://data/{document['metadata']['name']}/{name}", b"x")
    clock = platform.clock
    assert isinstance(clock, MemoryClock)
    for _ in range(3):
        clock.move(61)
        STAGES["sweep"].handle(new_event(TICK, source="/test", time=clock.now()), platform)
    return platform, told


def test_a_faulty_model_stops_no_other_one(faulty: tuple[Platform, str]) -> None:
    platform, _ = faulty
    (job,) = platform.cluster.list("Job")
    assert job["metadata"]["name"].startswith("beans-")
    assert find_model(platform, "beans").data_state == "Landed"


def test_a_faulty_model_is_told_wherever_models_are_shown(faulty: tuple[Platform, str]) -> None:
    platform, told = faulty
    apples, beans = read_models(platform)
    assert apples.fault.startswith(told)
    assert data_words(apples).startswith(f"Faulty ({told}")
    assert model_document(apples)["fault"] == apples.fault
    (condition,) = apples.conditions
    assert (condition.type, condition.status, condition.reason) == ("DeclarationReadable", "False", "Faulty")
    assert condition.message.startswith(told)
    assert "run knoll apply" in condition.message
    assert (beans.fault, beans.conditions) == ("", ())
    (finding,) = [one for one in examine(platform) if "apples" in one.place]
    assert finding.what.startswith(told)
    for name in ("apples", "beans"):
        for read in (read_description, read_versions, read_rollout):
            read(platform, name)
    assert [one.run.model for one in look_at_runs(platform, "", 20, RunsView()).runs] == ["beans"]
    make_plan(platform, [], 1)
