"""`knoll rollout status` and `knoll describe` show how a second version became the champion.

The files of rollout_status/ are what they print. `GOLDEN_WRITE=1` writes them.
"""

import os
import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from cli.declared import Records
from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.platform import memory_platform
from knoll.cli.render.description import description_picture
from knoll.cli.render.rollouts import rollout_lines, rollout_picture
from knoll.events import TICK, TRAINING_SUCCEEDED, new_event
from knoll.ingest import handler
from knoll.ports import Platform
from knoll.records.inbox import list_inbox
from knoll.views.description import read_description
from knoll.views.rollouts import read_rollout
from rollout.world import World, make_world, promote_first, with_policy
from support.models import model_document

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "rollout_status"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """v000002 was compared with v000001, went through each step, and is the champion."""
    world = make_world(tmp_path)
    world.samples = 64
    promote_first(world)
    cluster = world.platform.cluster
    cluster.update(with_policy(cluster.get("Model", "digits"), margin=0.02, bake="3s"))
    world.observe("v000001", 100)
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    for requests in range(20, 281, 20):
        world.time.move(1)
        world.observe("v000001", 100 + 2 * requests)
        world.observe("v000002", requests)
    world.time.move(4)
    world.tell(TRAINING_SUCCEEDED)
    assert world.status()["champion"] == "v000002"
    return world


@pytest.fixture
def served() -> Platform:
    """v000003 is the champion, and its Revision the newest."""
    clock = MemoryClock()
    platform = memory_platform(clock)
    platform.cluster.create(model_document("digits", landed={"when": "quiet", "quiet": "30s"}))
    for number in range(270):
        platform.store.put(f"s3://data/digits/{number % 10}/{number:04d}.png", b"png")
    clock.move(31)
    handler.sweep(new_event(TICK, source="/test", time=clock.now()), platform)
    (entry,) = list_inbox(platform.bucket)
    records, found = Records(platform), platform.cluster.get("Model", "digits")["status"]
    records.outcome(entry.run, version="v000003")
    records.status(**found, champion="v000003", previous="v000002", phase="Idle")
    labels = {
        "serving.kserve.io/inferenceservice": "digits",
        "serving.knative.dev/configurationGeneration": "3",
        "knoll.dev/version": "v000003",
    }
    name, revision = "digits-predictor-00003", {"apiVersion": "serving.knative.dev/v1", "kind": "Revision"}
    made = platform.cluster.create({**revision, "metadata": {"name": name, "labels": labels}})
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    platform.cluster.update({**made, "status": ready}, status=True)
    isvc = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"}
    made = platform.cluster.create({**isvc, "metadata": {"name": "digits"}, "spec": {}})
    traffic = [{"revisionName": name, "percent": 100, "tag": "latest"}]
    status = {"url": "http://digits-predictor.knoll.example.com"}
    routed = {**status, "components": {"predictor": {"traffic": traffic}}}
    platform.cluster.update({**made, "status": routed}, status=True)
    clock.move(23)
    return platform


def is_golden(shown: RenderableType, name: str) -> bool:
    text = StringIO()
    Console(file=text, width=110).print(shown)
    lines = [line.rstrip() for line in text.getvalue().splitlines()]
    if "GOLDEN_WRITE" in os.environ:
        (GOLDEN / name).write_text("\n".join(lines) + "\n")
    return (GOLDEN / name).read_text().splitlines() == lines


def test_a_promotion_is_shown_with_the_numbers_of_each_step(world: World) -> None:
    view = read_rollout(world.platform, "digits")
    assert is_golden(rollout_picture(view, world.time.now()), "rollout.txt")


def test_a_served_model_is_shown_with_its_revision(served: Platform) -> None:
    assert is_golden(description_picture(read_description(served, "digits"), served.clock.now()), "model.txt")


def test_the_readme_words_each_step_as_the_command_does(world: World) -> None:
    """Numbers may differ, and what stands behind a … is left out."""
    lines = [*rollout_lines(read_rollout(world.platform, "digits"))]
    shown = re.findall(r"^    (v000002 \w+ \d+ % — .*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    told = zip(map(_words, shown), map(_words, lines), strict=True)
    assert [one for one, words in told if not words.startswith(one)] == []


def _words(line: str) -> str:
    """Version, step and reason, with N for each number."""
    step, reason, *_ = line.partition("…")[0].rstrip("; ").split(" — ")
    return re.sub(r"[\d,.]*\d", "N", f"{step} — {reason}")
