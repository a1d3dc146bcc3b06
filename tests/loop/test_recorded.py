"""On a real platform: what users have asked finds faults that no held-out sample shows, without traffic."""

import base64
import os
import signal
from collections.abc import Callable
from functools import partial

import pytest

from knoll.installation import SIGN_FILE
from knoll.ports import Bucket
from knoll.records.recorded import find_recorded, list_recorded
from knoll.rollout.recordings import FEWEST
from loop.conftest import Laptop
from support.candidates import LABELS, marked, picture
from support.models import model_document
from support.trials import try_candidate

pytestmark = [pytest.mark.loop, pytest.mark.timeout(400)]

ROLLOUT = {
    "steps": [50],
    "minRequests": 20,
    "margin": 1,
    "bake": "1s",
    "recorded": {"share": 100, "keep": 60},
}
AT_ONCE = 20


def test_a_version_that_fails_on_what_users_ask_is_found_without_traffic(
    shared: Laptop, until: Callable[..., None]
) -> None:
    """Every second user has a picture on which the failing version fails; no held-out picture is such a one.
    A predictor is killed with requests that it has not reported. A good version passes."""
    platform, key = shared.platform, (shared.home / "signing" / SIGN_FILE).read_text()
    platform.cluster.create(model_document("stall", rollout=ROLLOUT))
    assert try_candidate("good", "stall", platform, key).is_as_expected
    shown = [change(picture(number, 1000)) for number in range(len(LABELS)) for change in (bytes, marked)]
    pictures = [{"b64": base64.b64encode(one).decode()} for one in shown]

    def ask() -> None:
        for number in range(AT_ONCE):
            assert shared.predict("stall", [pictures[number % len(pictures)]]).status_code == 200

    ask()
    (child,) = shared.children("--model stall")
    os.kill(child, signal.SIGKILL)
    until(lambda: shared.predict("stall", pictures[:1]).status_code == 200)
    while len(kept := list_recorded(platform.bucket, "stall")) < FEWEST:
        ask()
        until(partial(_has_more, platform.bucket, len(kept)), 60)
    asked = {one.body for one_kept in kept if (one := find_recorded(one_kept.info.uri, platform.bucket))}
    assert len(asked) == len(pictures)
    until(lambda: "predictor.recorded" not in shared.knoll("events"), 60)
    failing = try_candidate("failing", "stall", platform, key)
    assert "requests failed, and 0 of " in failing.reason
    assert " recorded" in shared.knoll("why", "stall", failing.version)
    assert " recorded)" in shared.knoll("rollout", "status", "stall")
    assert try_candidate("good", "stall", platform, key).is_as_expected


def _has_more(bucket: Bucket, count: int) -> bool:
    return len(list_recorded(bucket, "stall")) > count
