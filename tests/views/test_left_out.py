"""Records that only a newer knoll understands are named, and lists say how many they leave out."""

import json

from cli.declared import Records
from knoll.adapters.memory.platform import memory_platform
from knoll.cli.render.runs import runs_lines
from knoll.records.manifest import manifest_uri
from knoll.records.rollout import rollout_step_uri
from knoll.records.run import run_uri
from knoll.views.doctor import examine
from knoll.views.rollouts import read_rollout
from knoll.views.runs import RunsView, look_at_runs
from knoll.views.trail import read_trail
from knoll.views.versions import read_versions
from support.models import model_document

NEWER = json.dumps({"schema": 2, "needs": "7.3\x1b"}).encode()
FIX = "use knoll 7.3\\x1b or a newer one"


def test_what_only_a_newer_knoll_reads_is_left_out_in_words_and_named() -> None:
    platform = memory_platform()
    platform.cluster.create(model_document("digits"))
    records, root = Records(platform), platform.settings.model_root
    runs = [records.run(number) for number in (1, 2, 3)]
    for number, run in enumerate(runs, 1):
        records.claim(run, f"v{number:06d}")
        records.version(run, f"v{number:06d}")
    newer = {run_uri(root, run) for run in runs[1:]} | {manifest_uri(root, "digits", "v000003")}
    for uri in (*newer, f"{root}/survey.json"):
        platform.store.put(uri, NEWER)
    seen = look_at_runs(platform, "digits", 20, RunsView())
    assert [one.run.id for one in seen.runs] == runs[:1]
    assert seen.left_out.startswith("Left out: 2 runs, because this run record has schema 2")
    assert runs_lines(seen)[-1] == seen.left_out
    assert FIX in seen.left_out
    versions = read_versions(platform, "digits")
    assert [one.manifest.version for one in versions.shown] == ["v000002", "v000001"]
    assert versions.left_out.startswith("Left out: 1 version, because ")
    records.step(1, "Start", 0)
    records.status(champion="v000001")
    step = rollout_step_uri(root, "digits", "v000001", 2)
    platform.store.put(step, NEWER)
    for told in (read_rollout(platform, "digits"), read_trail(platform, "digits", "v000001")):
        assert [one.action for one in told.steps] == ["Start"]
        assert told.left_out.startswith("Left out: 1 step, because this record of a rollout has schema 2")
    newer.add(step)
    found = examine(platform)
    assert {one.place for one in found if one.fix == FIX} == newer
    assert f"{root}/survey.json" in [one.place for one in found]  # a hint: written over, whatever it says
    assert all("schema 2" in one.what for one in found if one.fix == FIX)
