"""`knoll doctor` names what is wrong, with what helps."""

import pytest

from knoll.adapters.memory.platform import memory_platform
from knoll.errors import StoreUnavailable
from knoll.names import version_name
from knoll.ports import Platform
from knoll.records.claim import claim_uri
from knoll.records.strays import model_of_key
from knoll.views.doctor import Check, examine
from knoll.views.models import find_model
from records.kinds import GOLDEN, ROOT, golden_bucket
from support.models import model_document

RUN = "digits-0123456789abcdef0123"
STRAYS = {
    f"runs/{RUN}.json": b"",
    f"runs/{RUN}.json.bak": b"{}",
    "runs/": b"",
    f"outcomes/{RUN}.json": b"[1]",
    "claims/digits/v000001x": b"{}",
    "claims/digits/v000001": b"x",
    "claims/digits/v0000001": RUN.encode(),
    "models/digits/../v000001/manifest.json": b"{}",
    "models/digits/v000002/manifest.json": b"[" * 100_000,
    "models/digits/v000002/a\nb": b"",
    "rollouts/digits/V000001/000001.json": b"{}",
    "models/digits/v000003/manifest.json": b'{"schema": 99}',
    "rollouts/digits/00000099.json": b'{"schema": 99}',
    "rollouts/digits/v000009/000001.json": b'{"schema": 99}',
    "inbox/notes.txt": b"",
    "probe.json": b"null",
    "backup/all.tar": b"",
    ".DS_Store": b"",
}


@pytest.fixture
def platform() -> Platform:
    return memory_platform()


@pytest.mark.parametrize("key", STRAYS, ids=repr)
def test_a_stray_object_is_named_with_its_place(key: str, platform: Platform) -> None:
    platform.store.put(f"{platform.settings.model_root}/{key}", STRAYS[key])
    (found,) = examine(platform)
    assert found.place == f"{platform.settings.model_root}/{key}".replace("\n", "\\x0a")
    assert found.what
    assert found.fix.startswith("knoll ignores it")


@pytest.mark.parametrize("release", sorted(folder.name for folder in GOLDEN.iterdir()))
def test_nothing_that_a_release_has_written_is_a_stray(release: str, platform: Platform) -> None:
    bucket = golden_bucket(release)
    for one in bucket.store.list(f"{ROOT}/"):
        key = one.uri.removeprefix(ROOT)
        platform.store.put(platform.settings.model_root + key, bucket.store.get(one.uri))
    for number in range(2, 8):  # the golden files have one claim, and steps of more versions
        platform.store.put(
            claim_uri(platform.settings.model_root, "digits", version_name(number)), RUN.encode()
        )
    made = claim_uri(platform.settings.model_root, "flowers", "v000001")
    platform.store.put(made, b"flowers-0123456789abcdef0123")
    odd = {  # of one bucket, these contradict others: another run, a run never opened, a version that stays
        f"{platform.settings.model_root}/{key}"
        for key in (
            "runs/flowers-0123456789abcdef0123.json",
            "progress/beans-73d4f954a35d128c9805.json",
            "removing/digits/v000001.json",
        )
    }
    assert {one.place for one in examine(platform)} == odd & {
        one.uri for one in platform.store.list(f"{platform.settings.model_root}/")
    }


def test_a_stray_is_told_of_the_model_in_whose_place_it_lies() -> None:
    assert model_of_key("claims/digits/.DS_Store") == "digits"
    assert model_of_key(f"runs/{RUN}.json.bak") == "digits"
    assert model_of_key("backup/all.tar") == ""
    assert model_of_key(f"outcomes/{RUN}.json") == "digits"
    assert model_of_key("superseded/digits-big-x.json", ["digits", "digits-big", "dig"]) == "digits-big"


def test_a_check_that_cannot_look_is_a_finding(platform: Platform) -> None:
    def fail(_: Platform) -> list[object]:
        raise StoreUnavailable("no answer", fix="start it")

    (found,) = examine(platform, [Check("the store", fail)])  # type: ignore[arg-type]
    assert (found.place, found.fix) == ("the store", "start it")


WAITS = {
    "damage": (
        {"champion": "v000001", "damage": "model.onnx differs"},
        "Damaged: model.onnx differs",
        "verify",
    ),
    "fallback": (
        {"champion": "v000001", "fallen": {"v000002": "x"}, "quarantine": {"v000002": "model.onnx differs"}},
        "FellBack: v000001 serves instead of v000002: model.onnx differs",
        "knoll verify digits VERSION",
    ),
    "pause": (
        {"candidate": "v000002", "phase": "Canary", "steering": {"paused": "ann"}},
        "the rollout of v000002 is paused by ann",
        "knoll rollout resume digits, or knoll rollout abort digits",
    ),
    "edit": (
        {
            "candidate": "v000002",
            "phase": "Canary",
            "steering": {"edit": {"generation": 4, "fields": ["predictor.minReplicas"]}, "paused": "ann"},
        },
        "it waits for a human: somebody has changed predictor.minReplicas of the InferenceService",
        "knoll rollout resume digits undoes the change",
    ),
    "hold": (
        {"held": {"version": "v000002", "reason": "answers otherwise", "since": "2026-01-01T00:00:00+00:00"}},
        "it waits for approval of v000002, which answers otherwise",
        "knoll rollout approve digits v000002",
    ),
    "hook": (
        {
            "candidate": "v000002",
            "phase": "Canary",
            "rollout": {"hooks": {"about": "t", "tries": 1, "at": "2026-01-01T00:00:00+00:00", "said": "no"}},
        },
        "it waits for a yes: no",
        "asked again from 00:00:10 on",
    ),
    "room": (
        {"noRoom": {"version": "v000002", "reason": "1 Insufficient", "fix": "raise it", "since": ""}},
        "it waits for room for v000002: 1 Insufficient",
        "raise it",
    ),
}


@pytest.mark.parametrize("kind", WAITS)
def test_a_model_that_only_a_human_can_help_is_named(kind: str, platform: Platform) -> None:
    status, what, fix = WAITS[kind]
    for name, found in (("digits", status), ("flowers", {"champion": "v000001", "phase": "Idle"})):
        made = platform.cluster.create(model_document(name))
        platform.cluster.update({**made, "status": found}, status=True)
    (told,) = examine(platform)
    assert (told.place, told.what) == ("Model digits", what)
    assert fix in told.fix


def test_a_model_with_reports_that_were_not_believed_is_named(platform: Platform) -> None:
    """The text may have come from a stranger."""
    told = {"count": 7, "reason": "of v000002: \x1b[2J", "at": "2026-01-01T00:00:00+00:00"}
    for name, status in (("digits", {"disbelievedReports": told}), ("flowers", {})):
        made = platform.cluster.create(model_document(name))
        platform.cluster.update({**made, "status": status}, status=True)
    (found,) = examine(platform)
    assert found.place == "Model digits"
    assert found.what.startswith("at least 7 reports not believed")
    assert "\x1b" not in found.what
    assert find_model(platform, "digits").conditions[0].type == "ReportsBelieved"
