"""Dead letters from the command line. They can be replayed although the broker of a cluster cannot be reached
from outside."""

import json
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from knoll.adapters.clock import SystemClock
from knoll.adapters.events_http import HttpEvents
from knoll.adapters.predictors_http import HttpPredictors
from knoll.dead_letters import handler
from knoll.ingest.created import created
from knoll.ports import Platform
from knoll.settings import Settings

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

Digits = Callable[..., Path]
Dlq = Callable[..., Any]


@pytest.fixture
def dlq(installation: Any) -> Dlq:
    """A function that runs `kn model dlq` in the installation's namespace, and returns its JSON."""

    def run(*words: str, code: int = 0) -> Any:
        command = [
            str(Path(sys.executable).parent / "kn-model"),
            "dlq",
            *words,
            "-n",
            installation.namespace,
            "-o",
            "json",
        ]
        ended = subprocess.run(
            command, env=installation.environment, capture_output=True, text=True, timeout=240
        )
        assert ended.returncode == code, f"{command}: {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
        return json.loads(ended.stdout.splitlines()[-1])

    return run


def test_an_event_that_dies_is_explained_replayed_and_dropped(installation: Any, dlq: Dlq) -> None:
    """train refuses it, and refuses it again after the replay: one letter with two deaths, and the replay
    that led to the second."""
    poison = {"id": uuid.uuid4().hex, "type": "dev.knoll.dataset.landed", "data": {"model": 7}}
    assert installation.publish(poison) == 202

    def letter() -> Any:
        return next((one for one in dlq("list", "--all")["letters"] if one["id"] == poison["id"]), None)

    installation.until(letter, 60)
    first = letter()
    assert (first["state"], first["times"], first["code"]) == ("Dead", 1, "422")
    assert "names no run" in first["reason"]
    with installation.without_ticks():
        assert dlq("replay", first["letter"])["letters"] == [
            {"letter": first["letter"], "result": "wanted", "reason": ""}
        ]
        assert letter()["state"] == "Wanted"
        installation.tick()
        installation.until(lambda: letter()["times"] == 2, 60)
        installation.until(lambda: letter()["state"] == "Dead", 60)
    told = dlq("show", first["letter"])
    assert [one["replay"] for one in told["deaths"]] == ["", f"{first['letter']}.1"]
    assert told["replays"][0]["publishedAt"]
    assert told["event"]["data"] == {"model": 7}
    assert dlq("drop", first["letter"], "--yes") == {"dropped": [first["letter"]]}
    assert letter() is None


def test_a_replay_has_its_effect_once(installation: Any, dlq: Dlq, digits: Digits) -> None:
    """The store's event of a marker was refused. Replayed twice, it leads to one run and one Job."""
    with installation.without_notifications(), installation.without_ticks():
        installation.declare("replayed")
        installation.upload("replayed", digits(start=30, count=20))
        letter = _refused(installation, "replayed/_SUCCESS")
        for number in (1, 2):
            assert dlq("replay", letter)["letters"][0]["result"] == "wanted"
            installation.tick()
            installation.until(lambda wanted=number: len(_published(dlq("show", letter))) == wanted, 60)
        installation.until(lambda: installation.jobs("replayed"), 60)
    installation.until(lambda: installation.versions("replayed"), 240)
    assert (len(installation.runs("replayed")), len(installation.jobs("replayed"))) == (1, 1)
    assert dlq("drop", letter, "--yes") == {"dropped": [letter]}
    installation.forget("replayed")


def _refused(installation: Any, key: str) -> str:
    """Keep the event of this object as the dead-letters function would, and return the letter's id."""
    settings = Settings(home=Path("/nowhere"), model_bucket=installation.environment["KNOLL_MODEL_BUCKET"])
    platform = Platform(
        installation.store, installation.cluster, HttpEvents(""), HttpPredictors(), SystemClock(), settings
    )
    now = datetime.now(UTC)
    event = created(
        installation.datasets,
        key,
        source="/test",
        time=now.isoformat(),
        etag="e",
        size=0,
        seal=uuid.uuid4().hex,
    )
    why = {
        "knativeerrordest": "http://knoll-ingest",
        "knativeerrorcode": "503",
        "knativeerrordata": "bm90IG5vdw==",
    }
    before = _letters(installation)
    handler.handle(replace(event, extensions=why), platform)
    (letter,) = _letters(installation) - before
    return letter


def _published(told: Any) -> list[Any]:
    return [one for one in told["replays"] if one["publishedAt"]]


def _letters(installation: Any) -> set[str]:
    return {one.uri.split("/")[4] for one in installation.store.list(f"{installation.root}/dead-letters/")}
